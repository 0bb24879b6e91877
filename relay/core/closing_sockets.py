"""Sockets that were sent CLOSE and have a little time to answer it, so many at most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

GRACE_S = 2.0
"""Until a socket that does not answer CLOSE is disconnected."""
AT_ONCE = 256
"""Sockets that have that time; for each one more, the oldest is disconnected."""


class Socket(Protocol):
    """A socket that is being closed."""

    def disconnect(self) -> None:
        """Disconnect it at once."""
        ...


class Timer(Protocol):
    """A timer that is running."""

    def cancel(self) -> None:
        """Stop it."""
        ...


class ClosingSockets:
    """The sockets of one relay that are being closed."""

    def __init__(self, call_later: Callable[[float, Callable[[], None]], Timer]) -> None:
        """`call_later`: as an event loop's."""
        self.at_once: float = AT_ONCE
        self._call_later = call_later
        self._timers: dict[Socket, Timer] = {}

    def __len__(self) -> int:
        return len(self._timers)

    def add(self, socket: Socket) -> None:
        """Give `socket` its time, after which it is disconnected."""
        if socket in self._timers:
            return
        self._timers[socket] = self._call_later(GRACE_S, lambda: self._disconnect(socket))
        while len(self._timers) > self.at_once:
            self._disconnect(next(iter(self._timers)))

    def remove(self, socket: Socket) -> None:
        """Forget a socket that is disconnected."""
        timer = self._timers.pop(socket, None)
        if timer is not None:
            timer.cancel()

    def _disconnect(self, socket: Socket) -> None:
        self.remove(socket)
        socket.disconnect()
