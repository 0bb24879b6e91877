"""The installation, the output and the exit codes, as all commands share them.

0  done                      3  no such thing
1  failed, or not all well   5  not possible as things stand
2  wrong usage or input      7  a part does not answer

As the command `chamade` has them (client/chamade/cli/failures.py). Results go to standard output,
all else to standard error; secrets are printed by the one command that makes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click

from chalicelib.services.dependencies import Dependencies
from operations.installation import STACK_FILE, Installation, find

FAILED, USAGE, NOT_FOUND, CONFLICT, UNREACHABLE = 1, 2, 3, 5, 7
INTERRUPTED = 130
"""The exit code after Ctrl-C, as in shells."""

Command = TypeVar("Command", bound=Callable[..., Any])


class Failure(Exception):
    """The command cannot be carried out; holds a sentence for people, and the exit code."""

    def __init__(self, what: str, code: int = FAILED) -> None:
        super().__init__(what)
        self.code = code


class Session:
    """A run of the command line."""

    def __init__(self) -> None:
        self.as_json = False
        self.function: str | None = None
        self.stack: Path = STACK_FILE

    @cached_property
    def installation(self) -> Installation:
        """Return the installation to use. Raises NoInstallation."""
        return find(self.function, self.stack)

    @property
    def deps(self) -> Dependencies:
        """Return the application's stores and providers. Raises NoInstallation or BadConfig."""
        return self.installation.deps

    def json(self, shown: Any) -> None:
        """Print JSON on one line."""
        click.echo(json.dumps(shown, ensure_ascii=False, default=str))

    def one(self, thing: Mapping[str, Any]) -> None:
        """Print a thing, with a line for each member."""
        if self.as_json:
            self.json(thing)
            return
        width = max(map(len, thing), default=0)
        for name, value in thing.items():
            click.echo(f"{name:<{width}}  {_text(value)}")

    def rows(self, things: Iterable[Mapping[str, Any]], columns: Sequence[str], none: str) -> None:
        """Print several things: a JSON array, or lines of fields with tabs between them."""
        found = list(things)
        if self.as_json:
            self.json(found)
        elif not found:
            click.echo(none, err=True)
        else:
            click.echo("\t".join(columns))
            for thing in found:
                click.echo("\t".join(_text(thing.get(column)) for column in columns))

    def done(self, line: str, **facts: Any) -> None:
        """Print that the command is done: `line` for people, or `facts` for programs."""
        if self.as_json:
            self.json(facts)
        else:
            click.echo(line)

    def say(self, line: str) -> None:
        """Print progress, for people."""
        click.echo(line, err=True)


def _want_json(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.ensure_object(Session).as_json = True


json_option = click.option(
    "--json", is_flag=True, expose_value=False, callback=_want_json, help="Print JSON."
)


def verb(group: click.Group, name: str) -> Callable[[Command], click.Command]:
    """Add a command to a group, as `NOUN VERB`; its first argument is the session."""

    def declare(function: Command) -> click.Command:
        return group.command(name)(json_option(click.pass_obj(function)))

    return declare


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    # Callers choose their own names: replace characters that would move a terminal's cursor.
    return "".join(each if each.isprintable() else "?" for each in text)
