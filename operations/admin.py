"""`chamade-admin`, or `python -m operations.admin`: the root of the operator's command line."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import click

from chalicelib.config import BadConfig
from chalicelib.domain.version import VERSION
from chalicelib.store.table import TableUnavailable
from operations import accounts, backup, calls, drain, keys, numbers, sweep, vault
from operations.doctor.command import doctor
from operations.installation import STACK_FILE, NoInstallation
from operations.shell import FAILED, INTERRUPTED, UNREACHABLE, USAGE, Failure, Session, json_option

EPILOG = (
    "Exit codes: 0 done, 1 failed or not all well, 2 wrong usage or input, 3 no such thing, 5 not "
    "possible as things stand, 7 a part does not answer."
)


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@json_option
@click.option("--function", metavar="NAME", help="A Lambda function of the installation in AWS.")
@click.option(
    "--stack", type=click.Path(path_type=Path), default=STACK_FILE, show_default=True,
    help="The stack on this machine.",
)  # fmt: skip
@click.version_option(VERSION, prog_name="chamade-admin")
@click.pass_obj
def root(session: Session, function: str | None, stack: Path) -> None:
    """Operate an installation."""
    session.function, session.stack = function, stack


for _command in (
    doctor,
    accounts.group,
    keys.group,
    numbers.group,
    calls.group,
    drain.group,
    backup.backup,
    backup.restore,
    vault.rotate_vault,
    sweep.sweep,
):
    root.add_command(_command)


def main(args: list[str] | None = None) -> int:
    """Run a command; return the exit code."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    session = Session()
    try:
        # For a command that ends early (`Exit`), click returns the exit code.
        ended = root.main(args, prog_name="chamade-admin", standalone_mode=False, obj=session)
        return ended if isinstance(ended, int) else 0
    except click.ClickException as error:
        error.show()
        return USAGE if isinstance(error, click.UsageError) else FAILED
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except (NoInstallation, BadConfig, Failure, TableUnavailable) as error:
        return _complain(session, error)


def _complain(session: Session, error: Exception) -> int:
    what, code = str(error), USAGE
    if isinstance(error, Failure):
        code = error.code
    elif isinstance(error, TableUnavailable):
        what, code = f"the table does not answer: {what}", UNREACHABLE
    shown = json.dumps({"error": what, "exit_code": code}) if session.as_json else f"error: {what}"
    click.echo(shown, err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
