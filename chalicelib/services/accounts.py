"""Accounts and API keys: made, listed, revoked, and recognised at the door."""

from __future__ import annotations

import secrets

from chalicelib.domain.account import (
    Account,
    ApiKey,
    key_hash,
    looks_like_key,
    mint_key,
    new_account_id,
)
from chalicelib.services.ports import Ports
from chalicelib.store.accounts import KeyGone, OnlyKey


class UnknownKey(LookupError):
    """No such key (of this account)."""


class LastKey(Exception):
    """Revoking it would lock the account out."""


def create_account(ports: Ports, name: str) -> tuple[Account, str]:
    """A new account and its first key, in clear: nobody will see it again."""
    now = ports.now()
    account = Account(account_id=new_account_id(), name=name, created_at=now)
    key, clear = _new_key(account.account_id, "first key", now)
    ports.accounts.create(account, key)
    return account, clear


def create_key(ports: Ports, account_id: str, label: str) -> tuple[ApiKey, str]:
    """One more key, in clear: nobody will see it again."""
    key, clear = _new_key(account_id, label, ports.now())
    ports.accounts.add_key(key)
    return key, clear


def revoke_key(ports: Ports, account_id: str, key_id: str) -> None:
    """Make a key useless, at once."""
    keys = ports.accounts.keys(account_id)
    key = next((each for each in keys if each.key_id == key_id), None)
    if key is None:
        raise UnknownKey(key_id)
    try:
        ports.accounts.revoke_key(key)
    except KeyGone:
        raise UnknownKey(key_id) from None
    except OnlyKey:
        raise LastKey from None


def account_of(ports: Ports, clear: str) -> str | None:
    """The account id behind a key, or None. A mistyped key costs no read."""
    if not looks_like_key(clear):
        return None
    key = ports.accounts.key(key_hash(clear))
    return None if key is None else key.account_id


def _new_key(account_id: str, label: str, now: int) -> tuple[ApiKey, str]:
    clear = mint_key()
    key = ApiKey(
        key_id=f"key_{secrets.token_hex(8)}",
        account_id=account_id,
        hash=key_hash(clear),
        last4=clear[-4:],
        label=label,
        created_at=now,
    )
    return key, clear
