"""`chamade did …`: the numbers of your trunks."""

from __future__ import annotations

from typing import Any

import click

from chamade.cli.common import Session, only_some, verb
from chamade.cli.number import agent_url_option, auto_answer_option, label_option
from chamade.cli.tables import Column
from chamade.cli.voice import voice_options
from chamade.operations.trunks import MAIN

group = click.Group("did", help="The numbers of your trunks.")

COLUMNS = [
    Column("number", lambda one: one.e164),
    Column("auto-answer", lambda one: one.auto_answer, 2),
    Column("label", lambda one: one.label, 1),
    Column("voice", lambda one: one.voice, 4),
    Column("first called", lambda one: one.called_at, 3),
]
trunk_option = click.option(
    "--trunk", default=MAIN, show_default=True, metavar="NAME", help="Which trunk."
)


@verb(group, "list")
@trunk_option
def list_dids(session: Session, trunk: str) -> None:
    """List a trunk's numbers."""
    dids = session.client.trunks.dids.list(trunk=trunk)
    session.out.rows(dids, COLUMNS, "The trunk has no numbers.")


@verb(group, "add")
@click.argument("e164")
@trunk_option
@auto_answer_option
@label_option
@agent_url_option
@voice_options
def add(session: Session, e164: str, trunk: str, **options: Any) -> None:
    """Add a number of a trunk: calls to E164 ring here from now on."""
    did = session.client.trunks.dids.add(e164, trunk=trunk, **options)
    session.out.one(did, did.e164)


@verb(group, "change")
@click.argument("e164")
@trunk_option
@auto_answer_option
@label_option
@agent_url_option
@voice_options
def change(session: Session, e164: str, trunk: str, **options: Any) -> None:
    """Change what happens when somebody calls it. Settings of its voice are replaced together."""
    changed = session.client.trunks.dids.change(e164, trunk=trunk, **only_some(**options))
    session.out.all(changed, e164)


@verb(group, "remove")
@click.argument("e164")
@trunk_option
def remove(session: Session, e164: str, trunk: str) -> None:
    """Remove a number: calls to E164 are rejected from now on."""
    session.client.trunks.dids.remove(e164, trunk=trunk)
    session.out.done(f"{e164} removed")
