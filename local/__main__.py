"""`make run`: run the whole system in the foreground, until Ctrl-C or until a part of it ends.

This module imports next to nothing: Ctrl-C is to be heard before the rest has been loaded, which
takes a second.
"""

from __future__ import annotations

import os
import signal
import sys

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopping:
    """The handler of Ctrl-C, SIGTERM and SIGHUP. They end the process at once while nothing runs
    yet; later it looks at `requested` wherever it can stop in order.

    An exception would be raised anywhere, for example between a process's start and the note of it.
    """

    def __init__(self) -> None:
        self.requested = False
        self.loading = True
        for number in _ASKING:
            # Explicitly: a shell script's `&` starts us with SIGINT ignored.
            signal.signal(number, self._signalled)
        # The Makefile holds Ctrl-C back until here: Python itself would print a traceback.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKING)

    def _signalled(self, *_: object) -> None:
        self.requested = True
        if self.loading:
            os._exit(0)


def main() -> int:
    """Run the stack; return 0 after Ctrl-C or SIGTERM, 1 if something went wrong."""
    stopping = Stopping()
    from local import supervisor

    stopping.loading = False
    return supervisor.run(lambda: stopping.requested)


if __name__ == "__main__":
    sys.exit(main())
