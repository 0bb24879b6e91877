"""What all commands share: the client, the output, `--json`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import click

from chamade.cli.output import Output
from chamade.client import Client

Command = TypeVar("Command", bound=Callable[..., Any])


class Session:
    """One run of the command line."""

    def __init__(self) -> None:
        self.out = Output()

    @cached_property
    def client(self) -> Client:
        """The client, with the environment's credentials."""
        return Client()

    def close(self) -> None:
        """Gives back what was used."""
        if "client" in self.__dict__:
            self.client.close()


pass_session = click.make_pass_decorator(Session)


def _want_json(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.ensure_object(Session).out.as_json = True


json_option = click.option(
    "--json", is_flag=True, expose_value=False, callback=_want_json, help="Print JSON."
)


def verb(group: click.Group, name: str) -> Callable[[Command], click.Command]:
    """A command of a group, `NOUN VERB`; it is handed the session first."""

    def declare(function: Command) -> click.Command:
        return group.command(name)(json_option(pass_session(function)))

    return declare


def only_some(**changes: Any) -> dict[str, Any]:
    """The options that were given. A usage error if there are none."""
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        raise click.UsageError("Nothing to change: give an option.")
    return given
