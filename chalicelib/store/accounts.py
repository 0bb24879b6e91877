"""Accounts and API keys in the table.

| item | pk | sk |
|---|---|---|
| account | `ACCOUNT#<id>` | `ACCOUNT` |
| key, looked up by its hash | `KEY#<sha256>` | `KEY` |

Index `listing`: an account's keys by age.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from chalicelib.domain.account import Account, ApiKey
from chalicelib.domain.instant import to_text
from chalicelib.store.table import (
    ConditionFailed,
    Contention,
    Item,
    Table,
    Write,
    delete,
    put,
    update,
)

LISTING = ("listing", "listing", "listing_order")


class KeyGone(Exception):
    """The key has been revoked already."""


class OnlyKey(Exception):
    """It is the account's last key."""


class KeysFull(Exception):
    """The account has as many keys as it may."""


class TokenRotated(Exception):
    """The account's agent token is not of that version (any more)."""


class AccountStore:
    """Reads and writes of accounts and their keys."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def create(self, account: Account, key: ApiKey) -> None:
        """Write an account with its first key: both or neither."""
        item = {
            "pk": f"ACCOUNT#{account.account_id}",
            "sk": "ACCOUNT",
            **account.model_dump(mode="json"),
        }
        self._table.write(put(item, "attribute_not_exists(pk)"), _key_put(key))

    def get(self, account_id: str) -> Account | None:
        """Return the account, or None."""
        item = self._table.get(f"ACCOUNT#{account_id}", "ACCOUNT")
        return None if item is None else Account.model_validate(item)

    def list_all(self) -> Iterator[Account]:
        """Yield all accounts, in no order: for the operator."""
        return (Account.model_validate(item) for item in self._table.scan("ACCOUNT"))

    def change(self, account_id: str, changes: Mapping[str, int | bool]) -> None:
        """Set attributes of an account, for the operator. Raises LookupError if there is none."""
        try:
            self._table.write(_set(f"ACCOUNT#{account_id}", "ACCOUNT", changes))
        except ConditionFailed:
            raise LookupError(account_id) from None

    def add_key(self, key: ApiKey, most: int) -> None:
        """Add a key to an account, which then has at most `most`. Raises KeysFull, Contention."""
        try:
            self._table.write(_key_put(key), _count(key.account_id, 1, "#held < :bound", most))
        except ConditionFailed:
            raise KeysFull from None

    def note_use(self, key: ApiKey, now: int) -> None:
        """Note that the key was used. Of several notes at once one is written. Nothing is written
        for a key that is gone.
        """
        values: Item = {":now": to_text(now)}
        unused = "attribute_not_exists(#used)"
        if key.last_used_at is not None:
            values[":seen"], unused = to_text(key.last_used_at), "#used = :seen"
        with contextlib.suppress(ConditionFailed, Contention):
            self._table.write(
                update(
                    f"KEY#{key.hash}",
                    "KEY",
                    "SET #used = :now",
                    condition=f"attribute_exists(pk) AND {unused}",
                    names={"#used": "last_used_at"},
                    values=values,
                )
            )

    def rotate_agent_token(self, account_id: str, version: int) -> None:
        """Replace the agent token of `version` by the next one. Raises TokenRotated, Contention."""
        # Accounts that are older than the attribute have the first version.
        first = " OR attribute_not_exists(#version)" if version == 1 else ""
        try:
            self._table.write(
                update(
                    f"ACCOUNT#{account_id}",
                    "ACCOUNT",
                    "SET #version = :next",
                    condition=f"attribute_exists(pk) AND (#version = :version{first})",
                    names={"#version": "agent_token_version"},
                    values={":version": version, ":next": version + 1},
                )
            )
        except ConditionFailed:
            raise TokenRotated from None

    def key(self, key_hash: str) -> ApiKey | None:
        """Return the key with this SHA-256, or None."""
        item = self._table.get(f"KEY#{key_hash}", "KEY")
        return None if item is None else ApiKey.model_validate(item)

    def keys(self, account_id: str) -> list[ApiKey]:
        """Return an account's keys, oldest first."""
        items = self._table.query_all(f"ACCOUNT#{account_id}#KEYS", index=LISTING)
        return [ApiKey.model_validate(item) for item in items]

    def revoke_key(self, key: ApiKey) -> None:
        """Delete a key, at once. Raises KeyGone if it is gone already, OnlyKey if no other is
        left.
        """
        try:
            self._table.write(
                delete(f"KEY#{key.hash}", "KEY", "attribute_exists(pk)"),
                _count(key.account_id, -1, "#held > :bound", 1),
            )
        except ConditionFailed as lost:
            raise (KeyGone if lost.failed[0] else OnlyKey) from None


def _set(pk: str, sk: str, changes: Mapping[str, int | bool]) -> Write:
    return update(
        pk,
        sk,
        "SET " + ", ".join(f"#{name} = :{name}" for name in changes),
        condition="attribute_exists(pk)",
        names={f"#{name}": name for name in changes},
        values={f":{name}": value for name, value in changes.items()},
    )


def _count(account_id: str, step: int, condition: str, bound: int) -> Write:
    """Return the write that counts the account's keys: the index that lists them may lag, this
    counter does not.
    """
    return update(
        f"ACCOUNT#{account_id}",
        "ACCOUNT",
        "ADD #held :step",
        condition=condition,
        names={"#held": "keys_held"},
        values={":step": step, ":bound": bound},
    )


def _key_put(key: ApiKey) -> Write:
    item: Item = {
        "pk": f"KEY#{key.hash}",
        "sk": "KEY",
        "listing": f"ACCOUNT#{key.account_id}#KEYS",
        "listing_order": f"{to_text(key.created_at)}#{key.key_id}",
        **key.model_dump(mode="json", exclude_none=True),
    }
    return put(item, "attribute_not_exists(pk)")
