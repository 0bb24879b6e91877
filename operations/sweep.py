"""`chamade-admin sweep`: run once, now, the sweep that a schedule runs every few minutes."""

from __future__ import annotations

import click

from chalicelib.services.sweep import sweep as put_right
from chalicelib.services.sweep import sweep_deliveries
from operations.shell import FAILED, Session, json_option


@click.command("sweep")
@json_option
@click.pass_obj
def sweep(session: Session) -> None:
    """Put right what a restart, a restore or a lost message left: calls and deliveries."""
    done = {**put_right(session.deps), **sweep_deliveries(session.deps)}
    session.done(", ".join(f"{count} {what}" for what, count in done.items()) or "nothing", **done)
    if done.get("errors"):
        raise click.exceptions.Exit(FAILED)
