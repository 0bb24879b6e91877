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
from chalicelib.store.table import ConditionFailed, Item, Table, Write, delete, put

LISTING = ("listing", "listing", "listing_order")


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
        self._table.write(_key_put(key))

    def key(self, key_hash: str) -> ApiKey | None:
        """The key with this SHA-256, or None."""
        item = self._table.get(f"KEY#{key_hash}", "KEY")
        return None if item is None else ApiKey.model_validate(item)

    def keys(self, account_id: str) -> list[ApiKey]:
        """An account's keys, oldest first."""
        items = self._table.query_all(f"ACCOUNT#{account_id}#KEYS", index=LISTING)
        return [ApiKey.model_validate(item) for item in items]

    def revoke_key(self, key: ApiKey) -> bool:
        """Forget a key, at once. False if it was gone already."""
        try:
            self._table.write(delete(f"KEY#{key.hash}", "KEY", "attribute_exists(pk)"))
        except ConditionFailed:
            return False
        return True


def _key_put(key: ApiKey) -> Write:
    item: Item = {
        "pk": f"KEY#{key.hash}",
        "sk": "KEY",
        "listing": f"ACCOUNT#{key.account_id}#KEYS",
        "listing_order": f"{to_text(key.created_at)}#{key.key_id}",
        **key.model_dump(mode="json"),
    }
    return put(item, "attribute_not_exists(pk)")
