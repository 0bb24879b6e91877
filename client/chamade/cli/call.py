"""`chamade call …`: see, dial, answer and hang up calls; hear and speak on them."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import click

from chamade.cli import talk
from chamade.cli.common import Session, verb
from chamade.cli.output import Column
from chamade.errors import CallGone
from chamade.models import Call

group = click.Group("call", help="Calls.")

COLUMNS: list[Column] = [
    ("call", lambda call: call.call_id),
    ("state", lambda call: call.state),
    ("why", lambda call: call.end_reason),
    ("direction", lambda call: call.direction),
    ("from", lambda call: call.from_),
    ("to", lambda call: call.to),
    ("created", lambda call: call.created_at),
]
record_option = click.option(
    "--record",
    type=click.Path(path_type=Path, dir_okay=False),
    help="WAV to write: what is heard.",
)


def _object(_: click.Context, __: click.Parameter, given: str | None) -> dict[str, Any] | None:
    """A JSON object; a usage error if it is none."""
    if given is None:
        return None
    try:
        value = json.loads(given)
    except ValueError as wrong:
        raise click.BadParameter(f"not JSON: {wrong}") from None
    if not isinstance(value, dict):
        raise click.BadParameter("a JSON object is wanted")
    return value


@verb(group, "list")
@click.option("--state", help="Only those in this state, such as ringing.")
@click.option("--direction", type=click.Choice(["inbound", "outbound"]))
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
def list_calls(session: Session, state: str | None, direction: str | None, limit: int) -> None:
    """Your calls, newest first."""
    calls = session.client.calls.list(state=state, direction=direction, page_size=min(limit, 100))
    session.out.rows(list(islice(calls, limit)), COLUMNS, "No calls.")


@verb(group, "show")
@click.argument("call_id")
def show(session: Session, call_id: str) -> None:
    """One call as it is."""
    session.out.all(session.client.calls.get(call_id))


@verb(group, "dial")
@click.argument("sip_uri")
@click.option("--caller-id", metavar="E164", help="The number to call as.")
@click.option("--ring-timeout", "ring_timeout_s", type=int, metavar="S")
@click.option("--max-duration", "max_duration_s", type=int, metavar="S")
@click.option(
    "--metadata", callback=_object, metavar="JSON", help="A JSON object to go with the call."
)
@click.option("--agent-url", metavar="URL", help="ws:// or wss:// of your agent.")
def dial(session: Session, sip_uri: str, **wishes: Any) -> None:
    """Dial out through your trunk: sip:+33199001234@sip.carrier.example"""
    session.out.one(call := session.client.calls.dial(sip_uri, **wishes), _line(call))


@verb(group, "accept")
@click.argument("call_id", required=False)
def accept(session: Session, call_id: str | None) -> None:
    """Answer a call; without CALL_ID the one that has rung longest."""
    call = session.client.calls.accept(call_id or _ringing(session))
    session.out.one(call, _line(call))


@verb(group, "refuse")
@click.argument("call_id", required=False)
def refuse(session: Session, call_id: str | None) -> None:
    """Decline a call; without CALL_ID the one that has rung longest."""
    call = session.client.calls.refuse(call_id or _ringing(session))
    session.out.one(call, _line(call))


@verb(group, "leave")
@click.argument("call_id")
def leave(session: Session, call_id: str) -> None:
    """Hang up, whatever the call is doing."""
    session.out.one(call := session.client.calls.leave(call_id), _line(call))


@verb(group, "listen")
@click.argument("call_id")
@record_option
@click.option("--raw", is_flag=True, help="Write 16 bit PCM at 16 kHz to standard output.")
def listen(session: Session, call_id: str, record: Path | None, raw: bool) -> None:
    """Be on the line and hear, until the call is over; Ctrl-C hangs up.

    Whoever is on the line already is put off: a call has one agent.
    """
    talk.run(session, call_id, talk.Wishes(record=record, raw=raw))


@verb(group, "talk")
@click.argument("call_id")
@click.option(
    "--play",
    "clips",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="WAV to say; may be given several times.",
)
@click.option("--dtmf", help="Keys to press after that: 0-9*#ABCD, w for a pause.")
@click.option("--mic", is_flag=True, help="Talk by microphone and speakers (needs chamade[mic]).")
@click.option("--hang-up", is_flag=True, help="Hang up once all was said.")
@record_option
def talk_on(
    session: Session,
    call_id: str,
    clips: tuple[Path, ...],
    dtmf: str | None,
    mic: bool,
    hang_up: bool,
    record: Path | None,
) -> None:
    """Be on the line and speak, until the call is over; Ctrl-C hangs up.

    Whoever is on the line already is put off: a call has one agent.
    """
    if not (clips or dtmf or mic):
        raise click.UsageError("Nothing to say: give --play, --dtmf or --mic.")
    wishes = talk.Wishes(clips=clips, dtmf=dtmf, mic=mic, hang_up=hang_up, record=record)
    talk.run(session, call_id, wishes)


def _ringing(session: Session) -> str:
    ringing = list(session.client.calls.list(state="ringing", direction="inbound"))
    if not ringing:
        raise CallGone("", "no call is ringing")
    return ringing[-1].call_id


def _line(call: Call) -> str:
    why = f" ({call.end_reason})" if call.end_reason else ""
    return f"{call.call_id}  {call.state}{why}"
