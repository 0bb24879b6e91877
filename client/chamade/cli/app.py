"""The root of the command line, and its exit codes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import click
from click.shell_completion import get_completion_class

from chamade.cli import account, did, event, number, transfer, trunk, voice, webhook
from chamade.cli.common import Session, json_option, pass_session, quiet_option
from chamade.cli.failures import FAILED, INTERRUPTED, USAGE, complain, exit_code
from chamade.errors import ChamadeError
from chamade.version import VERSION

EPILOG = """
CHAMADE_API_URL and CHAMADE_API_KEY say where and who.

On a terminal, results fit its width. Into a pipe or file they are lines of columns with tabs
between them, whole and without colours; the first line of a list names the columns. --json prints
JSON. --quiet prints ids alone: CALL=$(chamade call accept -q)

Exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 no such thing, 4 not allowed, 5 not possible
as things stand, 6 too much or too often, 7 the API does not answer, 130 interrupted.
"""


class ReaderGone(Exception):
    """The reader of standard output has ended, as in `| head -1`."""


class Root(click.Group):
    """The root group. Raises ReaderGone where click would end the program with exit code 1."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the arguments; prints the help if that is asked for."""
        with _noticing_readers_end():
            return super().make_context(*args, **extra)

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        with _noticing_readers_end():
            return super().invoke(context)


@contextlib.contextmanager
def _noticing_readers_end() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None


@click.group(cls=Root, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@json_option
@quiet_option
@click.version_option(VERSION, prog_name="chamade")
def root() -> None:
    """Make and take calls for AI agents."""


for _group in (
    transfer.group,  # that of `call`, with these verbs and those of `speech` added
    number.group,
    trunk.group,
    did.group,
    voice.group,
    event.group,
    webhook.group,
    account.keys,
    account.group,
):
    root.add_command(_group)


@root.command("mcp", short_help="Serve MCP on standard input and output.")
@pass_session
def mcp(session: Session) -> None:
    """Serve MCP on standard input and output, for agents that start their tools."""
    from chamade.mcp import main as serve

    session.need_key()
    serve()


@root.command("completion", short_help="Print completions for a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands: eval "$(chamade completion bash)"."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(root, {}, "chamade", "_CHAMADE_COMPLETE").source())


def main(args: list[str] | None = None) -> int:
    """Run a command; return the exit code."""
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
    except ReaderGone:
        _drop_output()
    except OSError as error:
        _drop_output()
        click.echo(f"error: {error.strerror or error}", err=True)
        return FAILED
    finally:
        session.close()
    return 0


def _drop_output() -> None:
    """Let what is left of the output go nowhere, so that Python's flush at its end cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
