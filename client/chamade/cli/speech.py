"""`chamade call say`, `transcript`, `dtmf` and `clear`: speak and hear by text."""

from __future__ import annotations

import sys
from typing import Any

import click

from chamade.cli import call
from chamade.cli.common import Session, verb
from chamade.cli.output import on_terminal, text
from chamade.cli.tables import flowed, heading, terminal_width
from chamade.speech_models import Said

group = call.group

NAMES = ("at", "speaker", "said")
_WIDTHS = (7, 7, 0)
"""Usual widths of the cells; what is longer is printed whole all the same."""


@verb(group, "say")
@click.argument("call_id")
@click.argument("words", metavar="TEXT")
@click.option("--interrupt", is_flag=True, help="At once, in place of what is spoken.")
@click.option("--barge-in/--no-barge-in", default=None, help="The caller's voice stops it; usual.")
@click.option("--language", metavar="TAG", help="Of this text, as en-US.")
@click.option("--voice-name", "name", metavar="NAME", help="As `chamade voice list` shows it.")
@click.option("--speed", type=click.FloatRange(0.5, 2.0))
@click.option("--wait", is_flag=True, help="Until it was heard, or cut short.")
@click.option(
    "--reply",
    "wait_for_reply_s",
    type=click.FloatRange(0, 20),
    metavar="S",
    help="Wait up to S seconds for the caller's reply.",
)
def say(session: Session, call_id: str, words: str, **options: Any) -> None:
    """Have TEXT spoken in a call with a hosted voice; - reads it from standard input.

    Prints the utterance's id, its state, what was heard of it, and the reply.
    """
    spoken = sys.stdin.read().strip() if words == "-" else words
    given = {name: value for name, value in options.items() if value not in (None, False)}
    if options["barge_in"] is False:
        given["barge_in"] = False
    said = session.client.calls.say(call_id, spoken, **given)
    reply = said.reply.text if said.reply else None
    cells = (said.state, text(said.heard_text), text(reply))
    session.out.one(said, said.utterance_id, *cells)


@verb(group, "transcript")
@click.argument("call_id")
@click.option("--follow", "-f", is_flag=True, help="Go on until the call is over, or Ctrl-C.")
@click.option("--after", type=int, metavar="N", help="Only what came after that entry.")
@click.option("--delete", is_flag=True, help="Delete what was kept, instead of showing it.")
def transcript(
    session: Session, call_id: str, follow: bool, after: int | None, delete: bool
) -> None:
    """Show what was said in a call with a hosted voice, the newest at the bottom.

    --quiet prints the words alone.
    """
    if delete:
        session.client.calls.delete_transcript(call_id)
        session.out.done(f"transcript of {call_id} deleted")
        return
    if not (session.out.as_json or session.out.quiet):
        head = _line(NAMES)
        click.echo(heading(head) if on_terminal() else head)
    for said in session.client.transcript(call_id, after, follow=follow):
        if session.out.as_json:
            session.out.json(said.raw)
        else:
            click.echo(text(said.text) if session.out.quiet else _line(_cells(said)))


@verb(group, "dtmf")
@click.argument("call_id")
@click.argument("digits", metavar="KEYS")
def dtmf(session: Session, call_id: str, digits: str) -> None:
    """Press KEYS in a call: 0-9*#ABCD, w for a pause."""
    session.client.calls.dtmf(call_id, digits)
    session.out.done(f"{call_id}: pressed {digits}")


@verb(group, "clear")
@click.argument("call_id")
def clear(session: Session, call_id: str) -> None:
    """Stop what is spoken in a call, and drop what waits to be."""
    session.client.calls.clear(call_id)
    session.out.done(f"{call_id}: cleared")


def _line(cells: tuple[str, ...]) -> str:
    return flowed(cells, _WIDTHS, terminal_width()) if on_terminal() else "\t".join(cells)


def _cells(said: Said) -> tuple[str, ...]:
    return (_clock(said.started_ms), text(said.speaker), text(said.text))


def _clock(ms: int | None) -> str:
    if ms is None:
        return "-"
    minutes, seconds = divmod(ms // 1000, 60)
    return f"{minutes}:{seconds:02}"
