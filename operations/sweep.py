"""`chamade-admin sweep`: run once, now, the sweep that a schedule runs every few minutes."""

from __future__ import annotations

import click

from chalicelib.services.sweep import sweep as put_right
from chalicelib.services.sweep import sweep_deliveries
from operations.shell import FAILED, Session, json_option

_WORDS = {
    "missed": "calls that had rung too long, missed now",
    "unanswered": "calls that were dialled and not answered, ended now",
    "failed": "calls that the provider no longer has, ended now",
    "given_back": "calls whose transfer had no outcome, given back to their agents or ended now",
    "timed": "calls whose deadline was started again",
    "alone": "calls that need nothing",
    "errors": "calls that could not be checked",
    "made": "webhooks that had not been made, sent now",
    "revived": "webhooks that had stopped, sent again",
}
"""Words for what was done, by the name that programs get."""


@click.command("sweep")
@json_option
@click.pass_obj
def sweep(session: Session) -> None:
    """Put right what a restart, a restore or a lost message left: calls and deliveries."""
    done = {**put_right(session.deps), **sweep_deliveries(session.deps)}
    told = [f"{_WORDS.get(what, what)}: {count}" for what, count in done.items()]
    session.done("\n".join(told) or "There was nothing to put right.", **done)
    if done.get("errors"):
        raise click.exceptions.Exit(FAILED)
