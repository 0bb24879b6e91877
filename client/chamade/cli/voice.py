"""`chamade voice …`, and the options of a voice that calls and numbers have."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from chamade.cli.common import Session, verb
from chamade.cli.tables import Column

Command = TypeVar("Command", bound=Callable[..., Any])

group = click.Group("voice", help="Hosted voices, a closed beta.")

COLUMNS = [
    Column("voice", lambda one: one.name),
    Column("language", lambda one: one.language),
    Column("engine", lambda one: one.engine, 1),
]
_OPTIONS = [
    click.option(
        "--voice",
        type=click.Choice(["own", "hosted"]),
        help="Who speaks: an agent on the audio, or this service (closed beta).",
    ),
    click.option("--language", metavar="TAG", help="Of a hosted voice, as en-US."),
    click.option("--voice-name", "name", metavar="NAME", help="As `chamade voice list` shows it."),
    click.option("--speed", type=click.FloatRange(0.5, 2.0), help="Of speech; usually 1.0."),
    click.option(
        "--transcript/--no-transcript", default=None, help="Keep what is said; usually yes."
    ),
    click.option(
        "--partials/--no-partials", default=None, help="Events for partial texts; usually no."
    ),
]
_SETTINGS = ("language", "name", "speed", "transcript", "partials")


def voice_options(command: Command) -> Command:
    """Give a command the options of a voice. It gets them as `voice` and `voice_settings`, None if
    they are not given.
    """

    @wraps(command)
    def gathering(*args: Any, **options: Any) -> Any:
        given = {name: options.pop(name) for name in _SETTINGS}
        settings = {name: value for name, value in given.items() if value is not None}
        return command(*args, voice_settings=settings or None, **options)

    for option in reversed(_OPTIONS):
        gathering = option(gathering)
    return gathering  # type: ignore[return-value]


@verb(group, "list")
def list_voices(session: Session) -> None:
    """List the hosted voices that there are."""
    voices = session.client.voices()
    if session.out.as_json:
        session.out.json(voices.raw)
        return
    session.out.rows(voices.voices, COLUMNS, "No voices.")
    session.out.progress(f"Understood: {', '.join(voices.languages)}")
