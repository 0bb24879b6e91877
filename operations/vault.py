"""`chamade-admin rotate-vault`: all sealed secrets, sealed anew with the vault's first key."""

from __future__ import annotations

import click

from chalicelib.services import reseal
from operations.shell import FAILED, Failure, Session, json_option


@click.command("rotate-vault")
@json_option
@click.pass_obj
def rotate_vault(session: Session) -> None:
    """Seal trunks' passwords and webhooks' secrets anew, with the key that comes first. After it
    the former key can be taken away. Calls and deliveries go on meanwhile.
    """
    if session.ports.vault is None:
        raise Failure("there is no vault: CHAMADE_KMS_KEY_ID or CHAMADE_KEY_FILE", FAILED)
    done = reseal.everything(session.ports)
    session.done(
        f"{done.sealed} sealed anew, {done.lost} open with none of the keys",
        sealed=done.sealed, lost=done.lost,
    )  # fmt: skip
    if done.lost:
        raise click.exceptions.Exit(FAILED)
