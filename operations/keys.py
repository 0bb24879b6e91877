"""`chamade-admin key …`: API keys of an account."""

from __future__ import annotations

import click

from chalicelib.domain.account import key_view
from chalicelib.services.account import accounts
from chalicelib.services.account.accounts import LastKey, TooManyKeys, UnknownKey
from chalicelib.services.operator import account_admin
from chalicelib.services.operator.account_admin import UnknownAccount
from operations.shell import CONFLICT, NOT_FOUND, Failure, Session, verb

group = click.Group("key", help="API keys of an account.")

COLUMNS = ("key_id", "label", "last4", "created_at", "last_used_at")


@verb(group, "list")
@click.argument("account_id")
def list_keys(session: Session, account_id: str) -> None:
    """List an account's keys, oldest first; what is kept of them opens nothing."""
    _known(session, account_id)
    found = session.deps.stores.accounts.keys(account_id)
    session.rows(map(key_view, found), COLUMNS, "No keys.")


@verb(group, "create")
@click.argument("account_id")
@click.option("--label", default="of the operator's making", show_default=True)
def create(session: Session, account_id: str, label: str) -> None:
    """Make another key. Prints it; nobody sees it again."""
    _known(session, account_id)
    try:
        key, clear = accounts.create_key(session.deps, account_id, label)
    except TooManyKeys as error:
        raise Failure(f"the account has {error.limit} keys, as many as it may", CONFLICT) from None
    session.one({"key_id": key.key_id, "api_key": clear})


@verb(group, "revoke")
@click.argument("account_id")
@click.argument("key_id")
def revoke(session: Session, account_id: str, key_id: str) -> None:
    """Make a key useless, at once."""
    _known(session, account_id)
    try:
        accounts.revoke_key(session.deps, account_id, key_id)
    except UnknownKey:
        raise Failure(f"the account has no key {key_id}", NOT_FOUND) from None
    except LastKey:
        raise Failure("it is the account's last key: create another first", CONFLICT) from None
    session.done(f"{key_id} revoked", key_id=key_id)


def _known(session: Session, account_id: str) -> None:
    try:
        account_admin.get_account(session.deps, account_id)
    except UnknownAccount:
        raise Failure(f"no account {account_id}", NOT_FOUND) from None
