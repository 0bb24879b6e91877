"""Run the stack in the foreground, until it is asked to stop or until a part of it ends."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable

from local.credentials import Credentials
from local.environment import CARRIER_USERNAME
from local.layout import ABROAD, DID, HOST, ROOT, BadSetting, Layout
from local.ports import PortTaken
from local.processes import DidNotStart, Interrupted
from local.stack import AlreadyRunning, Stack, exclusive
from local.voice_hosts import wanted

_WATCH_S = 0.1


def run(stopping: Callable[[], bool]) -> int:
    """Run the stack until `stopping()`; return 0 then, 1 if something went wrong."""
    try:
        layout = Layout.from_environment(voice_hosts=wanted())
        with exclusive(layout, stopping) as lock:
            return _run(Stack(layout, Credentials.load(layout.state_dir), lock), stopping)
    except Interrupted:
        return 0
    except (BadSetting, AlreadyRunning) as error:
        return _complain(str(error))


def _run(stack: Stack, stopping: Callable[[], bool]) -> int:
    _forget(stack)
    started = time.monotonic()
    code = 0
    try:
        stack.start(_say, stopping)
        _say(welcome(stack, time.monotonic() - started))
        code = _watch(stack, stopping)
    except Interrupted:
        pass
    except (PortTaken, DidNotStart) as error:
        code = _complain(str(error))
    finally:
        _forget(stack)
        if stack.parts and not code:
            _say(
                "Stopping: the data is kept for the next time"
            )  # the engine saves its state first, which may take seconds
        killed = stack.stop()
        if killed:
            code = _complain(
                f"these parts did not stop when asked, and were killed: {', '.join(killed)}"
            )
    if stack.parts:
        _say("Stopped")
    return code


def _watch(stack: Stack, stopping: Callable[[], bool]) -> int:
    while not stopping():
        time.sleep(_WATCH_S)
        part = stack.dead_part()
        if part is not None:
            return _complain(
                f"{part.name} ended (exit code {part.process.returncode}); stopping the rest. "
                f"The end of {part.log}:\n{part.log_tail()}"
            )
    return 0


def welcome(stack: Stack, seconds: float) -> str:
    """Return what a user is told as soon as the stack is up."""
    layout = stack.layout
    # A path may have a blank in it, and these are pasted.
    stack_file, shell_file, logs = (
        shlex.quote(str(path))
        for path in (layout.stack_file, layout.shell_file, layout.state_dir / "logs")
    )
    lines = [
        f"ready in {seconds:.1f} s. Ctrl-C stops it.",
        f"  the dashboard         {layout.dashboard_url}",
        f"  addresses and keys    {stack_file}",
        f"  for your shell        . {shell_file}",
        f"  what each part says   {logs}",
        "to dial out, through the carrier that runs here (docs/quickstart.md#dial-out); "
        "`trunk connect` replaces the trunk that you have, if any:",
        *(f"  {command}" for command in _to_dial_out(layout)),
    ]
    return "\n".join(lines)


def _to_dial_out(layout: Layout) -> list[str]:
    """Return the commands that connect the carrier as a trunk, start a phone behind it, and dial
    that phone."""
    stack = f" --stack {shlex.quote(str(layout.stack_file))}"
    if layout.state_dir == ROOT / ".local":
        stack = ""  # it is the default
    return [
        f". {shlex.quote(str(layout.shell_file))}; PATH=$PWD/.venv/bin:$PATH",
        f"CHAMADE_TRUNK_PASSWORD=$CHAMADE_CARRIER_PASSWORD chamade trunk connect {HOST}"
        f" --port $CHAMADE_CARRIER_PORT --username {CARRIER_USERNAME} --caller-id {DID} --wait",
        f"chamade did add {DID}",
        f"python -m gateway.callee{stack} --number {ABROAD} --record heard.wav & sleep 2",
        f"chamade call talk $(chamade call dial {ABROAD} -q) --play examples/audio/greeting.wav"
        " --hang-up",
    ]


def _forget(stack: Stack) -> None:
    """Remove the files that say that the stack is up."""
    stack.layout.stack_file.unlink(missing_ok=True)
    stack.layout.shell_file.unlink(missing_ok=True)


def _say(line: str) -> None:
    print(line, flush=True)


def _complain(line: str) -> int:
    print(f"error: {line}", file=sys.stderr, flush=True)
    return 1
