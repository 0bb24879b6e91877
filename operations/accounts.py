"""`chamade-admin account …`: the accounts of the installation, and their limits."""

from __future__ import annotations

from typing import Any

import click

from chalicelib.domain.account import Account
from chalicelib.domain.trunk_fields import MAIN
from chalicelib.services.account import accounts
from chalicelib.services.line import trunks
from chalicelib.services.operator import account_admin
from chalicelib.services.operator.account_admin import LIMITS, UnknownAccount
from operations.shell import NOT_FOUND, USAGE, Failure, Session, verb

group = click.Group("account", help="Accounts, their limits and their betas.")

COLUMNS = ("account_id", "name", "created_at", "numbers_held", "keys_held", "suspended")

TRUNK = {"trunk_id", "name", "host", "status"}


@verb(group, "list")
def list_accounts(session: Session) -> None:
    """List all accounts, oldest first. Reads the whole table."""
    found = account_admin.list_all(session.deps)
    session.rows(map(_shown, found), COLUMNS, "No accounts. `chamade-admin account create NAME`.")


@verb(group, "show")
@click.argument("account_id")
def show(session: Session, account_id: str) -> None:
    """Show an account, its numbers, trunks and webhooks. No secrets."""
    deps, account = session.deps, _account(session, account_id)
    listed = [
        {
            **each.trunk.model_dump(mode="json", include=TRUNK),
            "dids": [did.e164 for did in each.dids],
        }
        for each in trunks.see_all(deps, account_id)
    ]
    session.one(
        {
            **_shown(account),
            "numbers": [line.e164 for line in deps.stores.lines.held_by(account_id)],
            "trunk": next((each for each in listed if each["name"] == MAIN), None),
            "trunks": listed,
            "webhooks": [each.endpoint_id for each in deps.stores.endpoints.of_account(account_id)],
        }
    )


@verb(group, "create")
@click.argument("name")
def create(session: Session, name: str) -> None:
    """Open an account, sign-up closed or not. Prints its first key, which nobody sees again."""
    if not 1 <= len(name) <= 200:
        raise Failure("a name has 1 to 200 characters", USAGE)
    account, key = accounts.create_account(session.deps, name)
    session.one({"account_id": account.account_id, "api_key": key})


@verb(group, "limit")
@click.argument("account_id")
@click.argument("limits", nargs=-1, required=True, metavar="NAME=NUMBER…")
def limit(session: Session, account_id: str, limits: tuple[str, ...]) -> None:
    """Set limits: max_numbers, max_keys, max_concurrent_calls, max_concurrent_dials,
    max_dials_per_minute, max_call_s, max_waiting_polls, rate_factor.
    """
    given = {}
    for each in limits:
        name, _, number = each.partition("=")
        if name not in LIMITS or not (number.isascii() and number.isdigit()):
            raise Failure(f"{each!r}: one of {', '.join(LIMITS)}, `=` and a number", USAGE)
        given[name] = int(number)
    _account(session, account_id)
    try:
        session.one(_shown(account_admin.set_limits(session.deps, account_id, given)))
    except ValueError as error:
        raise Failure(str(error), USAGE) from None


@verb(group, "voice")
@click.argument("account_id")
@click.argument("what", type=click.Choice(["grant", "withdraw"]))
def voice(session: Session, account_id: str, what: str) -> None:
    """Let an account into the beta of hosted voice, or out of it."""
    _account(session, account_id)
    session.one(_shown(account_admin.set_hosted_voice(session.deps, account_id, what == "grant")))


@verb(group, "suspend")
@click.argument("account_id")
def suspend(session: Session, account_id: str) -> None:
    """Keep an account out: its keys open nothing (401), calls to its numbers are rejected. Calls
    that are up go on.
    """
    _account(session, account_id)
    session.one(_shown(account_admin.suspend(session.deps, account_id)))


@verb(group, "resume")
@click.argument("account_id")
def resume(session: Session, account_id: str) -> None:
    """Let a suspended account in again."""
    _account(session, account_id)
    session.one(_shown(account_admin.suspend(session.deps, account_id, suspended=False)))


@verb(group, "close")
@click.argument("account_id")
@click.confirmation_option("--yes", prompt="Take back its numbers, trunk and webhooks?")
def close(session: Session, account_id: str) -> None:
    """Suspend an account and take back its numbers, trunk and webhooks."""
    _account(session, account_id)
    session.one(_shown(account_admin.close(session.deps, account_id)))


def _account(session: Session, account_id: str) -> Account:
    try:
        return account_admin.get_account(session.deps, account_id)
    except UnknownAccount:
        raise Failure(f"no account {account_id}", NOT_FOUND) from None


def _shown(account: Account) -> dict[str, Any]:
    return account.model_dump(mode="json", exclude={"agent_token_version"})
