"""The leg of a call on SIP. Implements `Leg`; the INVITE itself is handled in a child process."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from gateway.calls.leg import LegEvents, Release
from gateway.telemetry import logs

REASONS = {
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    480: "Temporarily Unavailable",
    482: "Loop Detected",
    486: "Busy Here",
    487: "Request Terminated",
    500: "Server Internal Error",
    503: "Service Unavailable",
    603: "Decline",
}
"""Reason phrases (RFC 3261 21) for the codes with which callers are refused."""

_FALLBACK = 480
_CANCELLED = 487


class Link(Protocol):
    """The connection to the child that holds the call."""

    def command(self, **message: Any) -> None:
        """Send a command of `codec.py`."""

    def play(self, call: int, frame: bytes) -> None:
        """Send 160 bytes of mu-law."""


class SipLeg:
    """A call in a child. `dial` holds the fields of the `dial` command; None: the call came in.

    Two branches of one forked INVITE have the same trunk and the same Call-ID.
    """

    def __init__(
        self,
        link: Link,
        number: int,
        dial: dict[str, Any] | None = None,
        *,
        trunk_id: str | None = None,
        sip_call_id: str | None = None,
    ) -> None:
        self.trunk_id = trunk_id
        self.sip_call_id = sip_call_id
        self.placed = True
        """True if the leg holds one of its child's places; a refused call does not."""
        self._link = link
        self._number = number
        self._dial = dial
        self._events: LegEvents | None = None
        self._call_sid = ""
        self._asked_to_answer = False
        self._up = asyncio.Event()
        self._over = False

    @property
    def over(self) -> bool:
        """Return whether the call is over."""
        return self._over

    # Leg: commands of the call.

    def attach(self, events: LegEvents, call_sid: str) -> None:
        """Set the receiver of the events."""
        self._events, self._call_sid = events, call_sid

    def ring(self) -> None:
        """Outbound: send the INVITE. Inbound: do nothing, since the stack has sent 180 already."""
        if self._dial is not None:
            self._link.command(do="dial", call=self._number, call_sid=self._call_sid, **self._dial)

    async def answer(self) -> None:
        """Send 200 OK; return when the caller has acknowledged it, or is gone."""
        if not self._asked_to_answer:
            self._asked_to_answer = True
            self._link.command(do="answer", call=self._number)
        await self._up.wait()

    def reject(self, release: Release) -> None:
        """Send a final response: the release's own code if it is one that callers may get."""
        if self._over:
            return
        code = release.sip_code if release.sip_code in REASONS else _FALLBACK
        # 487 answers a CANCEL; it makes no sense as a refusal of ours.
        code = _FALLBACK if code == _CANCELLED else code
        self._end()
        if self._asked_to_answer:
            self._link.command(do="hangup", call=self._number)
            return
        self._link.command(do="reject", call=self._number, code=code, reason=REASONS[code])

    def hangup(self, release: Release) -> None:  # noqa: ARG002 - BYE and CANCEL give no reason
        """Send BYE, or CANCEL while it rings."""
        if not self._over:
            self._end()
            self._link.command(do="hangup", call=self._number)

    def play(self, frame: bytes) -> None:
        """Send a frame to the far end."""
        if not self._over:
            self._link.play(self._number, frame)

    def press(self, digit: str) -> None:
        """Send a telephone-event (RFC 4733)."""
        if not self._over:
            self._link.command(do="dtmf", call=self._number, digit=digit)

    # Events of the child.

    def heard(self, frame: bytes) -> None:
        """Take 160 bytes of mu-law from the far end."""
        if self._events is not None and not self._over:
            self._events.on_audio(frame)

    def happened(self, message: dict[str, Any]) -> None:
        """Handle an event of `codec.py` about this call."""
        events = self._events
        if events is None or self._over:
            return
        match message["on"]:
            case "ringing":
                events.on_ringing()
            case "answered":
                self._up.set()
                if self._dial is not None:
                    events.on_answered()
            case "dtmf":
                events.on_dtmf(message["digit"])
            case "ended":
                self._note_quality(message)
                self._gone(message["code"], message["reason"], broken=message["broken"])

    def lost(self, reason: str) -> None:
        """End the call, because its child is gone."""
        if self._events is not None and not self._over:
            self._gone(500, reason, broken=True)

    def _gone(self, code: int, reason: str, *, broken: bool) -> None:
        events, up = self._events, self._up.is_set()
        self._end()
        if events is None:
            return
        if broken:
            events.on_broken(reason)
        else:
            events.on_hangup(200 if up else code, reason or "hung up by the far end")

    def _end(self) -> None:
        self._over = True
        self._up.set()  # a task that waits for the answer then checks the state of the call

    def _note_quality(self, message: dict[str, Any]) -> None:
        if message["stats"]:
            log = logs.of_call(__name__, self._call_sid)
            log.info("audio of the SIP leg", extra=message["stats"])
