"""The client, the output, `--json` and `--quiet`, as all commands share them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import click
import httpx

from chamade.cli.output import Output
from chamade.client import Client
from chamade.credentials import STACK_FILE, find
from chamade.errors import BadCredentials

Command = TypeVar("Command", bound=Callable[..., Any])


class Session:
    """One run of the command line."""

    def __init__(self) -> None:
        self.out = Output()

    @cached_property
    def client(self) -> Client:
        """Return the client, with the environment's credentials. Raises BadCredentials."""
        _check_address()
        return Client()

    def need_key(self) -> None:
        """Raise BadCredentials if the environment has no URL and key."""
        _check_address()
        find().key  # noqa: B018 - raises if there is none

    def close(self) -> None:
        """Close the client, if it was used."""
        if "client" in self.__dict__:
            self.client.close()


def _check_address() -> None:
    """Raise BadCredentials if no connection can be made to the URL, as with http://a..b"""
    url = os.environ.get("CHAMADE_API_URL", "")
    try:
        httpx.URL(url).host.encode("idna")
        find()
    except BadCredentials:
        return
    except (ValueError, httpx.InvalidURL):
        source = f"CHAMADE_API_URL is {url!r}" if url else f"{STACK_FILE} is broken"
        raise BadCredentials(f"{source}: no address of an API.") from None


pass_session = click.make_pass_decorator(Session)


def _want_json(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.ensure_object(Session).out.as_json = True


def _want_quiet(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.ensure_object(Session).out.quiet = True


json_option = click.option(
    "--json", is_flag=True, expose_value=False, callback=_want_json, help="Print JSON."
)
quiet_option = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_want_quiet,
    help="Print the id, number or new secret alone.",
)


def verb(group: click.Group, name: str) -> Callable[[Command], click.Command]:
    """Add a command to a group, as `NOUN VERB`; its first argument is the session."""

    def declare(function: Command) -> click.Command:
        return group.command(name)(json_option(quiet_option(pass_session(function))))

    return declare


def only_some(**changes: Any) -> dict[str, Any]:
    """Return the options that were given; none at all is a usage error."""
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        raise click.UsageError("Nothing to change: give an option.")
    return given
