"""`chamade trunk …` and `chamade did …`: your own SIP trunk and its numbers."""

from __future__ import annotations

import os
import sys
import time

import click

from chamade.cli.common import Session, only_some, verb
from chamade.cli.number import agent_url_option, auto_answer_option, label_option
from chamade.cli.tables import Column
from chamade.errors import ChamadeError
from chamade.models import Trunk

group = click.Group("trunk", help="Your own SIP trunk.")
dids = click.Group("did", help="The numbers of your trunk.")

PASSWORD = "CHAMADE_TRUNK_PASSWORD"  # noqa: S105 - the name of a variable
_REGISTERS_WITHIN_S = 40.0
DID_COLUMNS = [
    Column("number", lambda one: one.e164),
    Column("auto-answer", lambda one: one.auto_answer, 2),
    Column("label", lambda one: one.label, 1),
    Column("first called", lambda one: one.called_at, 3),
]


@verb(group, "show")
def show(session: Session) -> None:
    """Show the trunk."""
    trunk = session.client.trunk.get()
    session.out.all(trunk, trunk.trunk_id)


@verb(group, "connect")
@click.argument("host")
@click.option("--username", required=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--port", type=click.IntRange(1, 65535))
@click.option("--transport", type=click.Choice(["udp", "tcp", "tls"]))
@click.option("--realm", help="What stands behind the @ of your account, if not HOST.")
@click.option("--caller-id", metavar="E164", help="The number to call as.")
@click.option("--allow", "allowed", multiple=True, metavar="XX", help="A country to dial, too.")
@click.option("--provider", type=click.Choice(["gateway", "twilio"]))
@click.option("--wait", is_flag=True, help="Wait until it is registered; exit code 1 if it fails.")
def connect(
    session: Session,
    host: str,
    username: str,
    password_stdin: bool,
    port: int | None,
    transport: str | None,
    realm: str | None,
    caller_id: str | None,
    allowed: tuple[str, ...],
    provider: str | None,
    wait: bool,
) -> None:
    """Connect the trunk at HOST, or replace all its settings.

    The password comes from CHAMADE_TRUNK_PASSWORD, from standard input with --password-stdin, or is
    asked for; never from the command line, which other users of a machine can read.
    """
    trunk = session.client.trunk.connect(
        host,
        username,
        _password(password_stdin),
        port=port,
        transport=transport,
        realm=realm,
        caller_id=caller_id,
        allowed_countries=allowed or None,
        provider=provider,
    )
    session.out.all(_settled(session, trunk) if wait else trunk, trunk.trunk_id)


@verb(group, "disconnect")
def disconnect(session: Session) -> None:
    """Forget the trunk and its numbers. Calls that are up go on."""
    session.client.trunk.disconnect()
    session.out.done("trunk disconnected")


@verb(dids, "list")
def list_dids(session: Session) -> None:
    """List the trunk's numbers."""
    session.out.rows(session.client.trunk.dids.list(), DID_COLUMNS, "The trunk has no numbers.")


@verb(dids, "add")
@click.argument("e164")
@auto_answer_option
@label_option
@agent_url_option
def add(
    session: Session,
    e164: str,
    auto_answer: bool | None,
    label: str | None,
    agent_url: str | None,
) -> None:
    """Add a number of the trunk: calls to E164 ring here from now on."""
    did = session.client.trunk.dids.add(
        e164, auto_answer=auto_answer, label=label, agent_url=agent_url
    )
    session.out.one(did, did.e164)


@verb(dids, "change")
@click.argument("e164")
@auto_answer_option
@label_option
@agent_url_option
def change(
    session: Session,
    e164: str,
    auto_answer: bool | None,
    label: str | None,
    agent_url: str | None,
) -> None:
    """Change what happens when somebody calls it."""
    changes = only_some(auto_answer=auto_answer, label=label, agent_url=agent_url)
    session.out.all(session.client.trunk.dids.change(e164, **changes), e164)


@verb(dids, "remove")
@click.argument("e164")
def remove(session: Session, e164: str) -> None:
    """Remove a number: calls to E164 are rejected from now on."""
    session.client.trunk.dids.remove(e164)
    session.out.done(f"{e164} removed")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given: str = os.environ.get(PASSWORD) or click.prompt("Password", hide_input=True, err=True)
    return given


def _settled(session: Session, trunk: Trunk) -> Trunk:
    deadline = time.monotonic() + _REGISTERS_WITHIN_S
    session.out.progress(f"{trunk.host}: {trunk.status}")
    while trunk.status == "registering" and time.monotonic() < deadline:
        time.sleep(0.5)
        trunk = session.client.trunk.get()
    if trunk.status not in ("registered", "unregistered"):
        raise ChamadeError(_why_not(trunk))
    return trunk


def _why_not(trunk: Trunk) -> str:
    if trunk.status == "registering":
        return f"{trunk.host} has not answered for {_REGISTERS_WITHIN_S:.0f} s; it is tried again"
    return f"registration at {trunk.host} failed: {trunk.detail or 'no reason given'}"
