"""`chamade call hold`, `resume` and `transfer`."""

from __future__ import annotations

from typing import Any

import click

from chamade.cli import speech
from chamade.cli.common import Session, verb
from chamade.models import Call

group = speech.group


@verb(group, "hold")
@click.argument("call_id")
@click.option("--silence", is_flag=True, help="Instead of music.")
def hold(session: Session, call_id: str, silence: bool) -> None:
    """Put a call on hold: the other side hears music."""
    held = session.client.calls.hold(call_id, music=False if silence else None)
    session.out.one(held, held.call_id, f"{held.state}, on hold")


@verb(group, "resume")
@click.argument("call_id")
def resume(session: Session, call_id: str) -> None:
    """Take a call off hold."""
    resumed = session.client.calls.resume(call_id)
    session.out.one(resumed, resumed.call_id, resumed.state)


@verb(group, "transfer")
@click.argument("call_id")
@click.argument("to", metavar="NUMBER|SIP_URI", required=False)
@click.option("--warm", "mode", flag_value="warm", help="The agent talks to them first.")
@click.option("--refer", "mode", flag_value="refer", help="The caller's network takes it over.")
@click.option("--trunk", metavar="NAME", help="The trunk to dial through, if not the call's.")
@click.option("--caller-id", metavar="E164", help="The number to call as.")
@click.option("--timeout", "timeout_s", type=click.IntRange(5, 120), metavar="S")
@click.option("--hang-up", is_flag=True, help="If they are not reached, end the call.")
@click.option("--complete", is_flag=True, help="Complete a warm transfer that is under way.")
@click.option("--cancel", is_flag=True, help="Give up the transfer that is under way.")
def transfer(
    session: Session,
    call_id: str,
    to: str | None,
    hang_up: bool,
    complete: bool,
    cancel: bool,
    **options: Any,
) -> None:
    """Transfer a call to a third party, who is joined with the caller on answering."""
    if sum((to is not None, complete, cancel)) != 1:
        raise click.UsageError("Give whom to call, or --complete, or --cancel.")
    calls = session.client.calls
    if complete:
        _print(session, calls.complete_transfer(call_id))
    elif cancel:
        _print(session, calls.cancel_transfer(call_id))
    else:
        mode = options.pop("mode") or "cold"
        on_failure = "hang_up" if hang_up else None
        _print(session, calls.transfer(call_id, to or "", mode, on_failure=on_failure, **options))


def _print(session: Session, transferred: Call) -> None:
    state = transferred.transfer.state if transferred.transfer else transferred.state
    other = transferred.transfer.call_id if transferred.transfer else None
    session.out.one(transferred, transferred.call_id, state, other or "-")
