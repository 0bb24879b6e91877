"""`chamade-admin call …`: what is known of calls, whoever's they are."""

from __future__ import annotations

from typing import Any

import click

from chalicelib.domain.call import Call
from chalicelib.services import story
from chalicelib.services.transition import UnknownCall
from operations.shell import NOT_FOUND, Failure, Session, verb

group = click.Group("call", help="Calls, whoever's they are.")

COLUMNS = ("call_id", "state", "direction", "account_id", "from", "to", "created_at")


@verb(group, "live")
def live(session: Session) -> None:
    """Every call that is not over."""
    session.rows(map(_shown, session.ports.calls.live()), COLUMNS, "No calls are up.")


@verb(group, "show")
@click.argument("call_id")
def show(session: Session, call_id: str) -> None:
    """All that is kept of a call: its item, its history, who holds its media, its events."""
    try:
        found = story.of_call(session.ports, call_id)
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
