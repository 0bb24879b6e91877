"""The root of the command line, and its end: exit codes."""

from __future__ import annotations

import os
import sys

import click
from click.shell_completion import get_completion_class

from chamade.cli import account, call, event, number, trunk, webhook
from chamade.cli.common import Session, json_option
from chamade.cli.failures import FAILED, INTERRUPTED, USAGE, complain, exit_code
from chamade.errors import ChamadeError
from chamade.version import VERSION

EPILOG = (
    "CHAMADE_API_URL and CHAMADE_API_KEY say where and who. Exit codes: 0 done, 1 failed, 2 wrong "
    "usage or input, 3 no such thing, 4 not allowed, 5 not possible as things stand, 6 too much or "
    "too often, 7 the API does not answer."
)


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@json_option
@click.version_option(VERSION, prog_name="chamade")
def root() -> None:
    """Calls for AI agents."""


for _group in (
    call.group,
    number.group,
    trunk.group,
    trunk.dids,
    event.group,
    webhook.group,
    account.keys,
    account.group,
):
    root.add_command(_group)


@root.command("mcp")
def mcp() -> None:
    """Serve MCP on standard input and output, for agents that start their tools."""
    from chamade.mcp import main as serve

    serve()


@root.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands: eval "$(chamade completion bash)"."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(root, {}, "chamade", "_CHAMADE_COMPLETE").source())


def main(args: list[str] | None = None) -> int:
    """Runs a command; the exit code."""
    session = Session()
    try:
        root.main(args, prog_name="chamade", standalone_mode=False, obj=session)
    except click.ClickException as error:
        error.show()
        return USAGE if isinstance(error, click.UsageError) else FAILED
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except ChamadeError as error:
        complain(error, as_json=session.out.as_json)
        return exit_code(error)
    except BrokenPipeError:
        # Whoever read our output has had enough; Python must not complain of it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        session.close()
    return 0
