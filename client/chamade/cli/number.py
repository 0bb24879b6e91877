"""`chamade number …`: routing numbers."""

from __future__ import annotations

from typing import Any

import click

from chamade.cli.common import Session, only_some, verb
from chamade.cli.tables import Column
from chamade.cli.voice import voice_options

group = click.Group("number", help="Routing numbers from the pool.")

COLUMNS = [
    Column("number", lambda one: one.e164),
    Column("country", lambda one: one.country, 3),
    Column("auto-answer", lambda one: one.auto_answer, 2),
    Column("label", lambda one: one.label, 1),
    Column("voice", lambda one: one.voice, 4),
]
auto_answer_option = click.option(
    "--auto-answer/--no-auto-answer", default=None, help="Pick up at once, or let it ring."
)
label_option = click.option("--label")
agent_url_option = click.option(
    "--agent-url", metavar="URL", help='ws:// or wss:// of your agent; "" for none.'
)


@verb(group, "list")
def list_numbers(session: Session) -> None:
    """List your numbers."""
    numbers = session.client.numbers.list()
    session.out.rows(numbers, COLUMNS, "No numbers. `chamade number activate` gets one.")


@verb(group, "activate")
@click.option("--country", metavar="XX", help="ISO code; the API's default is US.")
def activate(session: Session, country: str | None) -> None:
    """Get a number."""
    number = session.client.numbers.activate(country)
    session.out.one(number, number.e164)


@verb(group, "change")
@click.argument("e164")
@auto_answer_option
@label_option
@agent_url_option
@voice_options
def change(session: Session, e164: str, **options: Any) -> None:
    """Change what happens when somebody calls it. Settings of its voice are replaced together."""
    session.out.all(session.client.numbers.change(e164, **only_some(**options)), e164)


@verb(group, "release")
@click.argument("e164")
def release(session: Session, e164: str) -> None:
    """Give a number back. Calls to it are rejected from then on."""
    session.client.numbers.release(e164)
    session.out.done(f"{e164} released")
