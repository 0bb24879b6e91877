"""The leg of a call to a trunk that cannot be used."""

from __future__ import annotations

from gateway.calls.leg import LegEvents, Release


class UnreachableLeg:
    """The leg to a trunk that cannot be used now. Implements `Leg`."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._events: LegEvents | None = None

    def attach(self, events: LegEvents, call_sid: str) -> None:  # noqa: ARG002
        """Set the receiver of the events."""
        self._events = events

    def ring(self) -> None:
        """Fail at once."""
        if self._events is not None:
            self._events.on_hangup(503, self._reason)

    async def answer(self) -> None:
        """Do nothing: the call is never answered."""

    def reject(self, release: Release) -> None:
        """Do nothing: there is no caller."""

    def hangup(self, release: Release) -> None:
        """Do nothing: there is no far end."""

    def play(self, frame: bytes) -> None:
        """Do nothing: there is no far end."""

    def press(self, digit: str) -> None:
        """Do nothing: there is no far end."""
