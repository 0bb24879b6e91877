"""`chamade trunk …` and `chamade did …`: your own SIP trunk and its numbers."""

from __future__ import annotations

import os
import sys
import time

import click

from chamade.cli.common import Session, only_some, verb
from chamade.cli.number import agent_url_option, auto_answer_option, label_option
from chamade.cli.output import Column, say
from chamade.errors import ChamadeError
from chamade.models import Trunk

group = click.Group("trunk", help="Your own SIP trunk.")
dids = click.Group("did", help="The numbers of your trunk.")

PASSWORD = "CHAMADE_TRUNK_PASSWORD"  # noqa: S105 - the name of a variable
_REGISTERS_WITHIN_S = 40.0
DID_COLUMNS: list[Column] = [
    ("number", lambda one: one.e164),
    ("auto-answer", lambda one: one.auto_answer),
    ("label", lambda one: one.label),
    ("first called", lambda one: one.called_at),
]


@verb(group, "show")
def show(session: Session) -> None:
    """The trunk, and how it is doing."""
    session.out.all(session.client.trunk.get())


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
    session.out.all(_settled(session, trunk) if wait else trunk)


@verb(group, "disconnect")
def disconnect(session: Session) -> None:
    """Forget the trunk and its numbers. Calls that are up go on."""
    session.client.trunk.disconnect()
    session.out.done("trunk disconnected")


@verb(dids, "list")
def list_dids(session: Session) -> None:
    """The trunk's numbers."""
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
    """From now on calls to E164 ring here."""
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
    session.out.all(session.client.trunk.dids.change(e164, **changes))


@verb(dids, "remove")
@click.argument("e164")
def remove(session: Session, e164: str) -> None:
    """Calls to E164 are rejected from now on."""
    session.client.trunk.dids.remove(e164)
    session.out.done(f"{e164} removed")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given: str = os.environ.get(PASSWORD) or click.prompt("Password", hide_input=True, err=True)
    return given


def _settled(session: Session, trunk: Trunk) -> Trunk:
    deadline = time.monotonic() + _REGISTERS_WITHIN_S
    say(f"{trunk.host}: {trunk.status}")
    while trunk.status == "registering" and time.monotonic() < deadline:
        time.sleep(0.5)
        trunk = session.client.trunk.get()
    if trunk.status not in ("registered", "unregistered"):
        raise ChamadeError(f"the trunk is {trunk.status}: {trunk.detail or 'no answer so far'}")
    return trunk
