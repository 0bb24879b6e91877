"""`chamade event tail`: follow the account's events."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import islice

import click

from chamade.cli.common import Session, verb
from chamade.cli.output import on_terminal, text
from chamade.cli.tables import flowed, heading, terminal_width
from chamade.models import Event

group = click.Group("event", help="What happens to your calls, numbers and trunk.")

NAMES = ("at", "event", "call", "from", "to", "why")
_WIDTHS = (19, 18, 31, 14, 14, 0)
"""Usual widths of the cells; what is longer is printed whole all the same."""


@verb(group, "tail")
@click.option(
    "--after",
    default="latest",
    show_default=True,
    help="latest, oldest (seven days are kept), or a cursor of the API.",
)
@click.option("--type", "patterns", multiple=True, help="Only these: call.ringing, call.*")
@click.option("--count", type=click.IntRange(min=1), help="End after so many.")
def tail(session: Session, after: str, patterns: tuple[str, ...], count: int | None) -> None:
    """Follow the events until Ctrl-C, the newest at the bottom.

    --quiet prints the ids of the events' calls.
    """
    events = session.client.events(None if after == "oldest" else after)
    wanted = (event for event in events if _wanted(event, patterns))
    if not (session.out.as_json or session.out.quiet):
        head = _line(NAMES)
        click.echo(heading(head) if on_terminal() else head)
    for event in islice(wanted, count):
        if session.out.as_json:
            session.out.json(event.raw)
        else:
            click.echo(text(event.call_id) if session.out.quiet else _line(_cells(event)))


def _line(cells: Sequence[str]) -> str:
    # Printed once and left to scroll: a table drawn anew for each event shows its top only, once it
    # is higher than the terminal.
    return flowed(cells, _WIDTHS, terminal_width()) if on_terminal() else "\t".join(cells)


def _wanted(event: Event, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(event.type, pattern) for pattern in patterns)


def _cells(event: Event) -> list[str]:
    call, data = event.call, event.data
    if call is not None:
        details: tuple[object, ...] = (call.from_, call.to, call.end_reason)
    else:
        trunk, number = data.get("trunk") or {}, data.get("number") or {}
        details = (
            data.get("from"),
            data.get("to") or number.get("e164") or trunk.get("host"),
            data.get("detail") or trunk.get("detail") or data.get("digits"),
        )
    return [text(one) for one in (event.at, event.type, event.call_id, *details)]
