"""`chamade call …`: see, dial, answer and hang up calls; hear and speak on them."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import click

from chamade.cli import talk
from chamade.cli.common import Session, verb
from chamade.cli.tables import Column
from chamade.cli.voice import voice_options
from chamade.errors import CallGone
from chamade.models import Call
from chamade.operations.trunks import MAIN

group = click.Group("call", help="Calls.")

COLUMNS = [
    Column("call", lambda call: call.call_id),
    Column("state", lambda call: call.state),
    Column("why", lambda call: call.end_reason, 4),
    Column("direction", lambda call: call.direction, 3),
    Column("from", lambda call: call.from_),
    Column("to", lambda call: call.to, 1),
    Column("created", lambda call: call.created_at, 2),
]
RECORDING_COLUMNS = [
    Column("recording", lambda recording: recording.recording_id),
    Column("state", lambda recording: recording.state),
    Column("ms", lambda recording: recording.duration_ms, 2),
    Column("gaps", lambda recording: recording.gaps, 3),
    Column("url", lambda recording: recording.url, 1),
]
record_option = click.option(
    "--record",
    type=click.Path(path_type=Path, dir_okay=False),
    help="WAV to write: what is heard.",
)


def _metadata(
    _: click.Context, __: click.Parameter, given: tuple[str, ...]
) -> dict[str, Any] | None:
    """Join what is given, each time a JSON object or NAME=VALUE; anything else is a usage error."""
    joined: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if name and equals and not each.lstrip().startswith("{"):
            joined[name] = value
        else:
            joined |= _object(each)
    return joined if given else None


def _headers(
    _: click.Context, __: click.Parameter, given: tuple[str, ...]
) -> dict[str, str] | None:
    """Read headers, each NAME=VALUE; anything else is a usage error."""
    pairs = [each.partition("=") for each in given]
    if not all(name and equals for name, equals, _value in pairs):
        raise click.BadParameter("a header is NAME=VALUE")
    return {name: value for name, _equals, value in pairs} or None


def _object(given: str) -> dict[str, Any]:
    try:
        value = json.loads(given)
    except ValueError as wrong:
        raise click.BadParameter(f"neither NAME=VALUE nor JSON: {wrong}") from None
    if not isinstance(value, dict):
        raise click.BadParameter("a JSON object is wanted, or NAME=VALUE")
    return value


@verb(group, "list")
@click.option("--state", help="Only those in this state, such as ringing.")
@click.option("--direction", type=click.Choice(["inbound", "outbound"]))
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
def list_calls(session: Session, state: str | None, direction: str | None, limit: int) -> None:
    """List your calls, newest first."""
    calls = session.client.calls.list(state=state, direction=direction, page_size=min(limit, 100))
    session.out.rows(list(islice(calls, limit)), COLUMNS, "No calls.")


@verb(group, "show")
@click.argument("call_id")
def show(session: Session, call_id: str) -> None:
    """Show a call as it is."""
    call = session.client.calls.get(call_id)
    session.out.all(call, call.call_id)


@verb(group, "dial")
@click.argument("to", metavar="NUMBER|SIP_URI")
@click.option("--trunk", metavar="NAME", help="The trunk to dial through, if not main.")
@click.option("--caller-id", metavar="E164", help="The number to call as.")
@click.option("--caller-name", metavar="NAME", help="The name to show beside the number.")
@click.option(
    "--header",
    "sip_headers",
    multiple=True,
    callback=_headers,
    metavar="NAME=VALUE",
    help="A header of the INVITE, X-… or User-to-User; may be given several times.",
)
@click.option(
    "--detect-answer",
    type=click.Choice(["off", "on", "greeting_end"]),
    help="Find out who answers, and when a machine's greeting ends.",
)
@click.option("--ring-timeout", "ring_timeout_s", type=int, metavar="S")
@click.option("--max-duration", "max_duration_s", type=int, metavar="S")
@click.option(
    "--metadata",
    multiple=True,
    callback=_metadata,
    metavar="NAME=VALUE|JSON",
    help="To go with the call: a text, or a JSON object; may be given several times.",
)
@click.option("--agent-url", metavar="URL", help="ws:// or wss:// of your agent.")
@voice_options
def dial(session: Session, to: str, **options: Any) -> None:
    """Dial out through a trunk: +33199001234, or sip:+33199001234@sip.carrier.example"""
    if to.startswith("+"):
        to = session.client.trunks.get(name=options["trunk"] or MAIN).sip_uri(to)
    _print(session, session.client.calls.dial(to, **options))


@verb(group, "accept")
@click.argument("call_id", required=False)
@voice_options
def accept(session: Session, call_id: str | None, **options: Any) -> None:
    """Answer a call; without CALL_ID the one that has rung longest."""
    _print(session, session.client.calls.accept(call_id or _ringing(session), **options))


@verb(group, "refuse")
@click.argument("call_id", required=False)
def refuse(session: Session, call_id: str | None) -> None:
    """Decline a call; without CALL_ID the one that has rung longest."""
    _print(session, session.client.calls.refuse(call_id or _ringing(session)))


@verb(group, "leave")
@click.argument("call_id")
def leave(session: Session, call_id: str) -> None:
    """Hang up, whatever the call is doing."""
    _print(session, session.client.calls.leave(call_id))


@verb(group, "record")
@click.argument("call_id")
@click.argument("action", type=click.Choice(["start", "pause", "resume", "stop"]))
@click.option("--announce", type=click.Choice(["beep", "none"]), help="Heard when it starts.")
def record(session: Session, call_id: str, action: str, announce: str | None) -> None:
    """Start, pause, resume or stop the recording of a call."""
    call = session.client.recordings.change(call_id, action, announce=announce)
    current = call.recording
    said = "not recorded" if current is None else f"{current.recording_id} {current.state}"
    session.out.one(call, call.call_id, said)


@verb(group, "recordings")
@click.argument("call_id")
@click.option("--delete", is_flag=True, help="Delete those that are over, for good.")
def list_recordings(session: Session, call_id: str, delete: bool) -> None:
    """List the recordings of a call, with the URLs of their files, good for 15 minutes."""
    recordings = session.client.recordings
    found = [recordings.get(each.recording_id) for each in recordings.of_call(call_id)]
    for each in found if delete else ():
        if each.state in ("ready", "failed"):
            recordings.delete(each.recording_id)
    left = recordings.of_call(call_id) if delete else found
    session.out.rows(left, RECORDING_COLUMNS, "No recordings.")


@verb(group, "listen")
@click.argument("call_id")
@record_option
@click.option("--raw", is_flag=True, help="Write 16 bit PCM at 16 kHz to standard output.")
def listen(session: Session, call_id: str, record: Path | None, raw: bool) -> None:
    """Listen on a call until it is over; Ctrl-C hangs up.

    A call has one agent: the connection of another agent is closed.
    """
    talk.run(session, call_id, talk.LineOptions(record=record, raw=raw))


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
    """Speak on a call until it is over; Ctrl-C hangs up.

    A call has one agent: the connection of another agent is closed.
    """
    if not (clips or dtmf or mic):
        raise click.UsageError("Nothing to say: give --play, --dtmf or --mic.")
    options = talk.LineOptions(clips=clips, dtmf=dtmf, mic=mic, hang_up=hang_up, record=record)
    talk.run(session, call_id, options)


def _ringing(session: Session) -> str:
    ringing = list(session.client.calls.list(state="ringing", direction="inbound"))
    if not ringing:
        raise CallGone("", "no call is ringing; an agent may have taken it")
    return ringing[-1].call_id


def _print(session: Session, call: Call) -> None:
    why = f" ({call.end_reason})" if call.end_reason else ""
    session.out.one(call, call.call_id, f"{call.state}{why}")
