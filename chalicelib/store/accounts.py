"""Accounts and API keys in the table.

| item | pk | sk |
|---|---|---|
| account | `ACCOUNT#<id>` | `ACCOUNT` |
| key, looked up by its hash | `KEY#<sha256>` | `KEY` |

Index `listing`: an account's keys by age.
"""

from __future__ import annotations

from chalicelib.domain.account import Account, ApiKey
from chalicelib.domain.instant import to_text
from chalicelib.store.table import ConditionFailed, Item, Table, Write, delete, put, update

LISTING = ("listing", "listing", "listing_order")


class KeyGone(Exception):
    """The key has been revoked already."""


class OnlyKey(Exception):
    """It is the account's last key."""


class AccountStore:
    """Reads and writes of accounts and their keys."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def create(self, account: Account, key: ApiKey) -> None:
        """An account with its first key, both or neither."""
        item = {
            "pk": f"ACCOUNT#{account.account_id}",
            "sk": "ACCOUNT",
            **account.model_dump(mode="json"),
        }
        self._table.write(put(item, "attribute_not_exists(pk)"), _key_put(key))

    def get(self, account_id: str) -> Account | None:
        """The account, or None."""
        item = self._table.get(f"ACCOUNT#{account_id}", "ACCOUNT")
        return None if item is None else Account.model_validate(item)

    def add_key(self, key: ApiKey) -> None:
        """One more key for an account."""
        self._table.write(_key_put(key), _count(key.account_id, 1))

    def key(self, key_hash: str) -> ApiKey | None:
        """The key with this SHA-256, or None."""
        item = self._table.get(f"KEY#{key_hash}", "KEY")
        return None if item is None else ApiKey.model_validate(item)

    def keys(self, account_id: str) -> list[ApiKey]:
        """An account's keys, oldest first."""
        items = self._table.query_all(f"ACCOUNT#{account_id}#KEYS", index=LISTING)
        return [ApiKey.model_validate(item) for item in items]

    def revoke_key(self, key: ApiKey) -> None:
        """Forget a key, at once. KeyGone if it was, OnlyKey if no other is left."""
        try:
            self._table.write(
                delete(f"KEY#{key.hash}", "KEY", "attribute_exists(pk)"),
                _count(key.account_id, -1, "#held > :one"),
            )
        except ConditionFailed as lost:
            raise (KeyGone if lost.failed[0] else OnlyKey) from None


def _count(account_id: str, step: int, condition: str | None = None) -> Write:
    """The account's number of keys: the index that lists them may lag, this does not."""
    return update(
        f"ACCOUNT#{account_id}",
        "ACCOUNT",
        "ADD #held :step",
        condition=condition,
        names={"#held": "keys_held"},
        values={":step": step, **({":one": 1} if condition else {})},
    )


def _key_put(key: ApiKey) -> Write:
    item: Item = {
        "pk": f"KEY#{key.hash}",
        "sk": "KEY",
        "listing": f"ACCOUNT#{key.account_id}#KEYS",
        "listing_order": f"{to_text(key.created_at)}#{key.key_id}",
        **key.model_dump(mode="json"),
    }
    return put(item, "attribute_not_exists(pk)")
