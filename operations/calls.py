"""`chamade-admin call …`: the calls of all accounts."""

from __future__ import annotations

from typing import Any

import click

from chalicelib.domain.call import Call
from chalicelib.services.call.transition import UnknownCall
from chalicelib.services.operator import call_report
from operations.shell import NOT_FOUND, Failure, Session, verb

group = click.Group("call", help="Calls of all accounts.")

COLUMNS = ("call_id", "state", "direction", "account_id", "from", "to", "created_at")


@verb(group, "live")
def live(session: Session) -> None:
    """List every call that is not over."""
    session.rows(map(_shown, session.deps.stores.calls.live()), COLUMNS, "No calls are up.")


@verb(group, "show")
@click.argument("call_id")
def show(session: Session, call_id: str) -> None:
    """Show all that is kept of a call: its item, its history, who holds its media, its events."""
    try:
        found = call_report.of_call(session.deps, call_id)
    except UnknownCall:
        raise Failure(f"no call {call_id}", NOT_FOUND) from None
    if session.as_json:
        session.json(found)
        return
    history = found["call"].pop("history", [])
    session.one({**found["call"], "media": found["media"]})
    click.echo("history")
    session.rows(history, ("version", "state", "at", "end_reason"), "none")
    click.echo("events")
    session.rows(found["events"], ("sequence", "at", "type", "event_id"), "none")


def _shown(call: Call) -> dict[str, Any]:
    return call.model_dump(mode="json", exclude={"history", "metadata", "agent_url"})
