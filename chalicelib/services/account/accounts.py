"""Accounts and API keys: create and revoke them, and find the account of a key."""

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
from chalicelib.domain.failure import Failure
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.accounts import KeyGone, KeysFull, OnlyKey

log = logging.getLogger(__name__)


class UnknownKey(Failure, LookupError):
    """No such key (of this account)."""

    code = "key_not_found"


class LastKey(Failure):
    """Revoking it would lock the account out."""

    code = "last_key"


class TooManyKeys(Failure):
    """The account has as many keys as it may; `limit` is how many."""

    code = "too_many_keys"
    member_names = ("limit",)

    def __init__(self, limit: int) -> None:
        super().__init__(f"limit of {limit} keys")
        self.limit = limit


class SignUpClosed(Failure):
    """Only the operator opens accounts."""

    code = "sign_up_closed"


def sign_up(deps: Dependencies, name: str) -> tuple[Account, ApiKey, str]:
    """Open an account for whoever asks; return it, its first key, and that key in clear. Raises
    SignUpClosed.
    """
    if not deps.settings.sign_up_open:
        raise SignUpClosed
    return _create(deps, name)


def account(deps: Dependencies, account_id: str) -> Account:
    """Return the account of a request that showed one of its keys."""
    found = deps.stores.accounts.get(account_id)
    if found is None:
        raise LookupError(f"{account_id} has a key and is not there")
    return found


def create_account(deps: Dependencies, name: str) -> tuple[Account, str]:
    """Open an account; return it and its first key in clear, which is never shown again."""
    account, _, clear = _create(deps, name)
    return account, clear


def create_key(deps: Dependencies, account_id: str, label: str) -> tuple[ApiKey, str]:
    """Make another key; return it and the key in clear, which is never shown again. Raises
    TooManyKeys.
    """
    limit = account(deps, account_id).max_keys
    key, clear = _new_key(account_id, label, deps.now())
    try:
        deps.stores.accounts.add_key(key, limit)
    except KeysFull:
        raise TooManyKeys(limit) from None
    return key, clear


def revoke_key(deps: Dependencies, account_id: str, key_id: str) -> None:
    """Make a key useless, at once."""
    keys = deps.stores.accounts.keys(account_id)
    key = next((each for each in keys if each.key_id == key_id), None)
    if key is None:
        raise UnknownKey(key_id)
    try:
        deps.stores.accounts.revoke_key(key)
    except KeyGone:
        raise UnknownKey(key_id) from None
    except OnlyKey:
        raise LastKey from None


def account_of(deps: Dependencies, clear: str) -> str | None:
    """Return the id of a key's account, or None. A mistyped key costs no read."""
    key = key_of(deps, clear)
    return None if key is None else key.account_id


def key_of(deps: Dependencies, clear: str) -> ApiKey | None:
    """Return the record of a key, given in clear; None if it opens nothing."""
    return key_with(deps, key_hash(clear)) if looks_like_key(clear) else None


def key_with(deps: Dependencies, hashed: str) -> ApiKey | None:
    """Return the key with this hash and note that it is used; None if it was revoked or its account
    is suspended. The account is read each time, so that a suspension counts at once for all its
    keys.
    """
    key = deps.stores.accounts.key(hashed)
    owner = deps.stores.accounts.get(key.account_id) if key else None
    if key is None or owner is None or owner.suspended:
        return None
    _note_use(deps, key)
    return key


def _note_use(deps: Dependencies, key: ApiKey) -> None:
    """Note the key's last use. Never raises: the request must not fail because of it."""
    now = deps.now()
    if not key.must_note_use(now):
        return
    try:
        deps.stores.accounts.note_use(key, now)
    except Exception:
        # The next request tries again.
        log.exception("use of a key not noted", extra={"key_id": key.key_id})


def _create(deps: Dependencies, name: str) -> tuple[Account, ApiKey, str]:
    now = deps.now()
    account = Account(account_id=new_account_id(), name=name, created_at=now)
    key, clear = _new_key(account.account_id, "first key", now)
    deps.stores.accounts.create(account, key)
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
