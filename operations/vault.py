"""`chamade-admin rotate-vault`: seal all sealed secrets again, with the vault's first key."""

from __future__ import annotations

import click

from chalicelib.services.operator import reseal
from operations.shell import FAILED, Failure, Session, json_option


@click.command("rotate-vault")
@json_option
@click.pass_obj
def rotate_vault(session: Session) -> None:
    """Seal trunks' passwords and webhooks' secrets again, with the first key. After that the former
    key can be removed. Calls and deliveries go on meanwhile.
    """
    if session.deps.vault is None:
        raise Failure("there is no vault: CHAMADE_KMS_KEY_ID or CHAMADE_KEY_FILE", FAILED)
    done = reseal.everything(session.deps)
    session.done(
        f"{done.sealed} sealed anew, {done.lost} open with none of the keys",
        sealed=done.sealed, lost=done.lost,
    )  # fmt: skip
    if done.lost:
        raise click.exceptions.Exit(FAILED)
