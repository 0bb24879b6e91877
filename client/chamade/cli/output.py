"""The output of commands: JSON, tab-separated lines for pipes, tables for terminals, or ids alone.

Standard output has only results. Only a command that gets a new secret from the API prints it,
once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from chamade.cli.tables import GAP, Column, aligned, chosen, heading, terminal_width
from chamade.decoding import Shown


def without_secrets(shown: Any) -> Any:
    """Return an answer as it may be printed: without the audio token, which opens the call to
    anybody.
    """
    if isinstance(shown, Mapping):
        audio_token = {"token"} if "frame_bytes" in shown else set()
        return {
            name: without_secrets(value) for name, value in shown.items() if name not in audio_token
        }
    return [without_secrets(one) for one in shown] if isinstance(shown, list) else shown


class Output:
    """Prints results: as JSON, else as ids alone (`quiet`), else for a terminal or a pipe."""

    def __init__(self) -> None:
        self.as_json = False
        self.quiet = False

    def one(self, thing: Shown, *cells: str) -> None:
        """Print a thing on a line, its id first."""
        if self.as_json:
            self.json(thing.raw)
        else:
            click.echo(cells[0] if self.quiet else _separator().join(cells))

    def made(self, thing: Shown, *members: tuple[str, str]) -> None:
        """Print a new thing, its secret last. Quiet output is the secret: it is shown this once."""
        if self.as_json:
            self.json(thing.raw)
        elif self.quiet:
            click.echo(members[-1][1])
        else:
            _print_members(members)

    def all(self, thing: Shown, its_id: str) -> None:
        """Print a thing, with a line for each member."""
        if self.as_json:
            self.json(thing.raw)
        elif self.quiet:
            click.echo(its_id)
        else:
            members: dict[str, Any] = without_secrets(thing.raw)
            _print_members([(name, _member(value)) for name, value in members.items()])

    def rows(self, things: Sequence[Shown], columns: Sequence[Column], none: str) -> None:
        """Print several things, their ids in the first column; `none` is said if there are none."""
        if self.as_json:
            self.json([thing.raw for thing in things])
            return
        rows = [[text(column.value(thing)) for column in columns] for thing in things]
        if self.quiet:
            for row in rows:
                click.echo(row[0])
        elif not rows:
            click.echo(none, err=True)
        elif on_terminal():
            _print_table(columns, rows)
        else:
            for row in [[column.name for column in columns], *rows]:
                click.echo("\t".join(row))

    def done(self, line: str) -> None:
        """Print that the command is done, where there is nothing else to show."""
        if self.as_json:
            self.json({})
        elif not self.quiet:
            click.echo(line)

    def progress(self, line: str) -> None:
        """Print progress on standard error, unless quiet."""
        if not self.quiet:
            say(line)

    def json(self, shown: Any) -> None:
        """Print JSON on one line."""
        click.echo(json.dumps(without_secrets(shown), ensure_ascii=False))


def on_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout.isatty()


def text(value: object) -> str:
    """Format a value as a table's cell."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return _safe(str(value))


def say(line: str) -> None:
    """Print progress for people, on standard error."""
    click.echo(line, err=True)


def _separator() -> str:
    return GAP if on_terminal() else "\t"


def _print_members(members: Sequence[tuple[str, str]]) -> None:
    for line in aligned(members) if on_terminal() else map("\t".join, members):
        click.echo(line)


def _print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print the columns that fit. If not even the most important do, print each row as a block."""
    places = chosen(columns, rows, terminal_width())
    names = [column.name for column in columns]
    if not places:
        for number, row in enumerate(rows):
            if number:
                click.echo()
            _print_members(list(zip(names, row, strict=True)))
        return
    head, *lines = aligned([[row[place] for place in places] for row in [names, *rows]])
    click.echo(heading(head))
    for line in lines:
        click.echo(line)
    hidden = [name for place, name in enumerate(names) if place not in places]
    if hidden:
        say(f"Too narrow for: {', '.join(hidden)}. --json prints everything.")


def _member(value: object) -> str:
    return _safe(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _safe(text: str) -> str:
    """Replace characters that would move a terminal's cursor: callers choose their own names."""
    return "".join(one if one.isprintable() else "?" for one in text)
