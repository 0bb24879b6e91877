"""`chamade account …` and `chamade key …`."""

from __future__ import annotations

import click

from chamade.cli.common import Session, verb
from chamade.cli.tables import Column

group = click.Group("account", help="Your account.")
keys = click.Group("key", help="The account's API keys.")

KEY_COLUMNS = [
    Column("id", lambda one: one.key_id),
    Column("ends in", lambda one: one.last4, 2),
    Column("label", lambda one: one.label, 1),
    Column("created", lambda one: one.created_at, 3),
]


@verb(group, "show")
def show(session: Session) -> None:
    """Show your account and its limits."""
    account = session.client.account.get()
    session.out.all(account, account.account_id)


@verb(group, "create")
@click.argument("name")
def create(session: Session, name: str) -> None:
    """Open an account; needs CHAMADE_API_URL only. Shows its first key, this once."""
    made = session.client.account.create(name)
    session.out.made(made, ("account", made.account_id), ("key", made.key))


@verb(group, "agent-token")
@click.option("--rotate", is_flag=True, help="Make a new one; the one before is not used any more.")
def agent_token(session: Session, rotate: bool) -> None:
    """Show the token by which your agent knows the API's connections."""
    account = session.client.account
    token = account.rotate_agent_token() if rotate else account.agent_token()
    session.out.one(token, token.token)


@verb(keys, "list")
def list_keys(session: Session) -> None:
    """List the account's keys, without their secrets."""
    session.out.rows(session.client.keys.list(), KEY_COLUMNS, "No keys.")


@verb(keys, "create")
@click.option("--label")
def create_key(session: Session, label: str | None) -> None:
    """Make another key. Shows it, this once."""
    made = session.client.keys.create(label)
    session.out.made(made, ("id", made.key_id), ("key", made.key))


@verb(keys, "revoke")
@click.argument("key_id")
def revoke(session: Session, key_id: str) -> None:
    """Make a key useless, at once."""
    session.client.keys.revoke(key_id)
    session.out.done(f"{key_id} revoked")
