"""`make run`: the whole system, in the foreground, until Ctrl-C or until a part of it dies."""

from __future__ import annotations

import signal
import sys
import threading
import time

from local.credentials import Credentials
from local.layout import BadSetting, Layout
from local.processes import DidNotStart, PortTaken
from local.stack import AlreadyRunning, Stack, exclusive

_WATCH_S = 0.25


class Interrupted(Exception):
    """Asked to stop before the stack was up."""


class Stopping:
    """Ctrl-C, SIGTERM and SIGHUP: interrupt the start, end the watch, never disturb the stop."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.starting = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._signalled)

    def _signalled(self, *_: object) -> None:
        self.asked.set()
        if self.starting:
            self.starting = False
            raise Interrupted


def main() -> int:
    """0 after Ctrl-C or SIGTERM, 1 if something went wrong."""
    stopping = Stopping()
    try:
        layout = Layout.from_environment()
        with exclusive(layout) as lock:
            return _run(Stack(layout, Credentials.load(layout.state_dir), lock), stopping)
    except (BadSetting, AlreadyRunning) as error:
        return _complain(str(error))


def _run(stack: Stack, stopping: Stopping) -> int:
    _forget(stack)
    started = time.monotonic()
    code = 0
    try:
        stopping.starting = True
        stack.start(_say)
        stopping.starting = False
        _say(_welcome(stack, time.monotonic() - started))
        code = _watch(stack, stopping)
    except Interrupted:
        _say("interrupted")
    except (PortTaken, DidNotStart) as error:
        code = _complain(str(error))
    finally:
        stopping.starting = False
        _forget(stack)
        killed = stack.stop()
        if killed:
            code = _complain(f"did not stop when asked, killed: {', '.join(killed)}")
    if stack.parts:
        _say("stopped")
    return code


def _watch(stack: Stack, stopping: Stopping) -> int:
    while not stopping.asked.wait(_WATCH_S):
        part = stack.dead_part()
        if part is not None:
            return _complain(
                f"{part.name} ended (exit code {part.process.returncode}); stopping the rest. "
                f"The end of {part.log}:\n{part.log_tail()}"
            )
    return 0


def _welcome(stack: Stack, seconds: float) -> str:
    layout = stack.layout
    return (
        f"ready in {seconds:.1f} s. Ctrl-C stops it.\n"
        f"  the dashboard         {layout.dashboard_url}\n"
        f"  where everything is   {layout.stack_file}\n"
        f"  for your shell        . {layout.shell_file}\n"
        f"  what each part says   {layout.state_dir / 'logs'}"
    )


def _forget(stack: Stack) -> None:
    """A stack that is not up must not look as if it were."""
    stack.layout.stack_file.unlink(missing_ok=True)
    stack.layout.shell_file.unlink(missing_ok=True)


def _say(line: str) -> None:
    print(line, flush=True)


def _complain(line: str) -> int:
    print(f"error: {line}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
