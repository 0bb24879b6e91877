"""`chamade trunk …`: SIP trunks of your own. Their numbers are in `did.py`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import click

from chamade.cli.common import Command, Session, verb
from chamade.cli.tables import Column
from chamade.errors import ChamadeError
from chamade.models import Trunk, TrunkPreset
from chamade.operations.trunks import MAIN

group = click.Group("trunk", help="SIP trunks of your own.")

PASSWORD = "CHAMADE_TRUNK_PASSWORD"  # noqa: S105 - the name of a variable
_REGISTERS_WITHIN_S = 40.0
COLUMNS = [
    Column("trunk", lambda one: one.name),
    Column("host", lambda one: one.host, 1),
    Column("status", lambda one: one.status),
    Column("caller id", lambda one: one.caller_id, 2),
    Column("numbers", lambda one: len(one.dids), 3),
]
PRESET_COLUMNS = [
    Column("preset", lambda one: one.preset),
    Column("title", lambda one: one.title, 1),
    Column("kind", lambda one: one.kind, 2),
    Column("asks for", lambda one: ", ".join(one.ask), 2),
    Column("checked by", lambda one: one.checked, 3),
]
name_option = click.option("--name", default=MAIN, show_default=True, help="Which trunk.")


def _choice(option: str, *values: str) -> Callable[[Command], Command]:
    return click.option(option, type=click.Choice(values))


@verb(group, "list")
def list_trunks(session: Session) -> None:
    """List your trunks."""
    session.out.rows(session.client.trunks.list(), COLUMNS, "No trunks. `chamade trunk connect`.")


@verb(group, "presets")
def presets(session: Session) -> None:
    """List carriers and PBXs whose settings are known: for `trunk connect --preset`."""
    session.out.rows(session.client.trunks.presets(), PRESET_COLUMNS, "No presets.")


@verb(group, "show")
@name_option
def show(session: Session, name: str) -> None:
    """Show a trunk."""
    trunk = session.client.trunks.get(name=name)
    session.out.all(trunk, trunk.trunk_id)


@verb(group, "connect")
@click.argument("host", required=False)
@name_option
@click.option("--preset", metavar="PRESET", help="Settings of a carrier: `chamade trunk presets`.")
@click.option("--username", help="Of your account; --auth ip needs none.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--port", type=click.IntRange(1, 65535), help="Found by DNS if it is not given.")
@_choice("--transport", "udp", "tcp", "tls")
@click.option("--realm", help="What stands behind the @ of your account, if not HOST.")
@click.option("--caller-id", metavar="E164", help="The number to call as.")
@click.option(
    "--allow", "allowed_countries", multiple=True, metavar="XX", help="A country to dial, too."
)
@_choice("--auth", "register", "ip", "both")
@click.option(
    "--network", "networks", multiple=True, metavar="CIDR", help="Where its calls come from."
)
@_choice("--srtp", "off", "offered", "required")
@click.option("--outbound-proxy", metavar="HOST[:PORT]")
@click.option("--user-phone/--no-user-phone", default=None, help=";user=phone in URIs.")
@_choice("--number-format", "e164", "plain", "00", "national")
@click.option("--dial-prefix", metavar="DIGITS", help="Dialled before the number called.")
@click.option("--country", metavar="XX", help="Of national numbers.")
@_choice("--caller-id-in", "auto", "from", "pai", "ppi", "rpid")
@_choice("--keep-alive", "none", "crlf", "options")
@click.option("--fallback", multiple=True, metavar="NAME", help="A trunk to try after this one.")
@_choice("--provider", "gateway", "twilio")
@click.option("--wait", is_flag=True, help="Wait until it can be used; exit code 1 if it fails.")
def connect(
    session: Session,
    host: str | None,
    name: str,
    preset: str | None,
    password_stdin: bool,
    wait: bool,
    **options: Any,
) -> None:
    """Connect the trunk at HOST, or replace all its settings.

    The password comes from CHAMADE_TRUNK_PASSWORD, from standard input with --password-stdin, or is
    asked for; never from the command line, which other users of a machine can read.
    """
    settings = dict(_preset(session, preset).settings) if preset else {}
    settings |= {each: value for each, value in {"host": host, **options}.items() if value}
    settings |= {"user_phone": options["user_phone"]} if options["user_phone"] is False else {}
    if "host" not in settings:
        raise click.UsageError("Missing argument 'HOST'.")
    if "username" in settings:
        settings["password"] = _password(password_stdin)
    elif settings.get("auth") != "ip":
        raise click.UsageError("Missing option '--username'; only --auth ip needs none.")
    trunk = session.client.trunks.connect(settings.pop("host"), name=name, **settings)
    session.out.all(_settled(session, trunk) if wait else trunk, trunk.trunk_id)


@verb(group, "disconnect")
@name_option
def disconnect(session: Session, name: str) -> None:
    """Forget a trunk and its numbers. Calls that are up go on."""
    session.client.trunks.disconnect(name=name)
    session.out.done("trunk disconnected")


def _preset(session: Session, wanted: str) -> TrunkPreset:
    presets: list[TrunkPreset] = session.client.trunks.presets()
    known = {each.preset: each for each in presets}
    if wanted not in known:
        raise click.UsageError(f"There is no preset {wanted}: {', '.join(known)}.")
    for note in known[wanted].notes:
        session.out.progress(note)
    return known[wanted]


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
        trunk = session.client.trunks.get(name=trunk.name)
    if trunk.status not in ("registered", "ready", "unregistered"):
        raise ChamadeError(_why_not(trunk))
    return trunk


def _why_not(trunk: Trunk) -> str:
    if trunk.status == "registering":
        return f"{trunk.host} has not answered for {_REGISTERS_WITHIN_S:.0f} s; it is tried again"
    if trunk.auth == "ip":
        return f"{trunk.host} does not answer: {trunk.detail or 'no reason given'}"
    return f"registration at {trunk.host} failed: {trunk.detail or 'no reason given'}"
