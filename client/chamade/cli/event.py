"""`chamade event tail`: what happens, as it happens."""

from __future__ import annotations

import sys
from collections import deque
from fnmatch import fnmatchcase
from itertools import islice

import click
from rich.live import Live

from chamade.cli.common import Session, verb
from chamade.cli.output import table, text
from chamade.models import Event

group = click.Group("event", help="What happens to your calls, numbers and trunk.")

NAMES = ("at", "event", "call", "from", "to", "why")
_SHOWN = 20


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
    """Follow the events until Ctrl-C: a table on a terminal, else a line each."""
    events = session.client.events(None if after == "oldest" else after)
    wanted = (event for event in events if _wanted(event, patterns))
    found = islice(wanted, count)
    if session.out.as_json:
        for event in found:
            session.out.json(event.raw)
            sys.stdout.flush()
    elif sys.stdout.isatty():
        last: deque[list[str]] = deque(maxlen=_SHOWN)
        with Live(table(NAMES, last), auto_refresh=False) as live:
            for event in found:
                last.append(_cells(event))
                live.update(table(NAMES, last), refresh=True)
    else:
        for event in found:
            click.echo("\t".join(_cells(event)))
            sys.stdout.flush()


def _wanted(event: Event, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(event.type, pattern) for pattern in patterns)


def _cells(event: Event) -> list[str]:
    call, data = event.call, event.data
    if call is not None:
        told: tuple[object, ...] = (call.from_, call.to, call.end_reason)
    else:
        trunk, number = data.get("trunk") or {}, data.get("number") or {}
        told = (
            data.get("from"),
            data.get("to") or number.get("e164") or trunk.get("host"),
            data.get("detail") or trunk.get("detail") or data.get("digits"),
        )
    return [text(one) for one in (event.at, event.type, event.call_id, *told)]
