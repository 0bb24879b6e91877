"""The leg of a call that cannot even be tried."""

from __future__ import annotations

from gateway.legs.base import LegEvents, Release


class UnreachableLeg:
    """The leg to a trunk that cannot be used now. Implements `Leg`."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._events: LegEvents | None = None

    def attach(self, events: LegEvents, call_sid: str) -> None:  # noqa: ARG002
        """Whom to report to."""
        self._events = events

    def ring(self) -> None:
        """Fails at once."""
        if self._events is not None:
            self._events.on_hangup(503, self._reason)

    async def answer(self) -> None:
        """Never comes to that."""

    def reject(self, release: Release) -> None:
        """There is nobody to tell."""

    def hangup(self, release: Release) -> None:
        """There is nobody to tell."""

    def play(self, frame: bytes) -> None:
        """There is nobody to hear it."""

    def press(self, digit: str) -> None:
        """There is nobody to hear it."""
