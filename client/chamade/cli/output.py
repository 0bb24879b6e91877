"""What commands print: JSON for programs, lines and tables for people.

Standard output has results and nothing else. Secrets are printed only by the command that is shown
them, once, by the API.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from chamade.models import Shown

Column = tuple[str, Callable[[Any], object]]


def without_secrets(shown: Any) -> Any:
    """An answer as it may be printed: a call's audio token opens the call to anybody."""
    if isinstance(shown, Mapping):
        audio_token = {"token"} if "frame_bytes" in shown else set()
        return {
            name: without_secrets(value) for name, value in shown.items() if name not in audio_token
        }
    return [without_secrets(one) for one in shown] if isinstance(shown, list) else shown


class Output:
    """Prints results, in the way that was asked for."""

    def __init__(self) -> None:
        self.as_json = False

    def one(self, thing: Shown, *lines: str) -> None:
        """A thing: its lines, or all that is known of it as JSON."""
        if self.as_json:
            self.json(thing.raw)
        else:
            for line in lines:
                click.echo(line)

    def all(self, thing: Shown) -> None:
        """A thing, with a line for each member."""
        if self.as_json:
            self.json(thing.raw)
            return
        members: dict[str, Any] = without_secrets(thing.raw)
        width = max(map(len, members), default=0)
        for name, value in members.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            click.echo(f"{name:<{width}}  {_safe(text)}")

    def rows(self, things: Sequence[Shown], columns: Sequence[Column], none: str) -> None:
        """Several things: a JSON array, or a table; `none` is what to say if there are none."""
        if self.as_json:
            self.json([thing.raw for thing in things])
            return
        cells = [[text(value(thing)) for _, value in columns] for thing in things]
        names = [name for name, _ in columns]
        if not cells:
            click.echo(none, err=True)
        elif sys.stdout.isatty():
            Console().print(table(names, cells))
        else:
            for row in [names, *cells]:
                click.echo("\t".join(row))

    def done(self, line: str) -> None:
        """It is done, and there is nothing to show."""
        if self.as_json:
            self.json({})
        else:
            click.echo(line)

    def json(self, shown: Any) -> None:
        """JSON on one line."""
        click.echo(json.dumps(without_secrets(shown), ensure_ascii=False))


def table(names: Sequence[str], cells: Sequence[Sequence[str]]) -> Table:
    """A table for a terminal."""
    made = Table(*names, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in cells:
        made.add_row(*[_escaped(one) for one in row])
    return made


def text(value: object) -> str:
    """A cell."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return _safe(str(value))


def say(line: str) -> None:
    """Progress, for people: on standard error."""
    click.echo(line, err=True)


def _safe(text: str) -> str:
    """Without what would move a terminal's cursor: callers write their own names."""
    return "".join(one if one.isprintable() else "?" for one in text)


def _escaped(cell: str) -> str:
    return cell.replace("[", "\\[")
