"""Accounts and API keys: made, listed, revoked, and recognised at the door."""

from __future__ import annotations

import logging
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
from chalicelib.store.accounts import KeyGone, KeysFull, OnlyKey

log = logging.getLogger(__name__)


class UnknownKey(LookupError):
    """No such key (of this account)."""


class LastKey(Exception):
    """Revoking it would lock the account out."""


class TooManyKeys(Exception):
    """The account has as many keys as it may; `limit` is how many."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"limit of {limit} keys")
        self.limit = limit


class SignUpClosed(Exception):
    """The operator opens accounts, nobody else."""


def sign_up(ports: Ports, name: str) -> tuple[Account, ApiKey, str]:
    """A new account of whoever asks, its first key, and that key in clear. SignUpClosed."""
    if not ports.sign_up_open:
        raise SignUpClosed
    return _create(ports, name)


def account(ports: Ports, account_id: str) -> Account:
    """The account of somebody who has shown a key of it."""
    found = ports.accounts.get(account_id)
    if found is None:
        raise LookupError(f"{account_id} has a key and is not there")
    return found


def create_account(ports: Ports, name: str) -> tuple[Account, str]:
    """A new account and its first key, in clear: nobody will see it again."""
    account, _, clear = _create(ports, name)
    return account, clear


def create_key(ports: Ports, account_id: str, label: str) -> tuple[ApiKey, str]:
    """One more key, in clear: nobody will see it again. TooManyKeys."""
    owner = account(ports, account_id)
    limit = owner.max_keys
    key, clear = _new_key(account_id, label, ports.now())
    key = key.model_copy(update={"suspended": owner.suspended})
    try:
        ports.accounts.add_key(key, limit)
    except KeysFull:
        raise TooManyKeys(limit) from None
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
    key = key_of(ports, clear)
    return None if key is None else key.account_id


def key_of(ports: Ports, clear: str) -> ApiKey | None:
    """What is known of a key that somebody shows; None if it opens nothing."""
    return key_with(ports, key_hash(clear)) if looks_like_key(clear) else None


def key_with(ports: Ports, hashed: str) -> ApiKey | None:
    """The key with this hash, which is being used; None if it has been revoked, or its account is
    suspended.
    """
    key = ports.accounts.key(hashed)
    if key is None or key.suspended:
        return None
    _note_use(ports, key)
    return key


def _note_use(ports: Ports, key: ApiKey) -> None:
    """What is asked must not fail by it."""
    now = ports.now()
    if not key.use_to_be_noted(now):
        return
    try:
        ports.accounts.note_use(key, now)
    except Exception:
        # The next request is another chance.
        log.exception("use of a key not noted", extra={"key_id": key.key_id})


def _create(ports: Ports, name: str) -> tuple[Account, ApiKey, str]:
    now = ports.now()
    account = Account(account_id=new_account_id(), name=name, created_at=now)
    key, clear = _new_key(account.account_id, "first key", now)
    ports.accounts.create(account, key)
    log.info("account created", extra={"account_id": account.account_id})
    return account, key, clear


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
