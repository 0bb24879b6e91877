"""What every leg offers to a call, and what it tells it. No technology here.

Written so that SIP fits: `ring` is 180 (or the INVITE, going out), `answer` is 200, `reject` a
final response, `hangup` CANCEL or BYE. Audio is mu-law, 8 kHz, in frames of 160 bytes (20 ms).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Release:
    """How a call is over: its status in Twilio's words, the SIP code, a sentence for people."""

    status: str
    sip_code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Whom an outbound call shall reach, as whom, and through which trunk."""

    to: str
    from_: str
    trunk_id: str | None = None
    sip_username: str | None = None
    sip_password: str | None = field(default=None, repr=False)


class LegEvents(Protocol):
    """What a leg tells its call. All are plain calls and must be quick."""

    def on_ringing(self) -> None:
        """Outbound: the far end rings."""

    def on_answered(self) -> None:
        """Outbound: the far end answered."""

    def on_audio(self, frame: bytes) -> None:
        """160 bytes of mu-law from the far end."""

    def on_dtmf(self, digit: str) -> None:
        """The far end pressed one of `0-9*#ABCD`."""

    def on_hangup(self, sip_code: int, reason: str) -> None:
        """The far end is gone, or never came: 200 normal, 486 busy, 603 declined, 404 unknown …"""

    def on_broken(self, reason: str) -> None:
        """The leg is lost through no doing of the far end."""


class Leg(Protocol):
    """One party of a call."""

    def attach(self, events: LegEvents, call_sid: str) -> None:
        """Tells the leg which call it belongs to and whom to report to; before anything else."""

    def ring(self) -> None:
        """Inbound: tell the caller that it rings. Outbound: start ringing the called party."""

    async def answer(self) -> None:
        """Inbound: pick up; returns when audio may flow.

        May be cancelled midway (a REST update) and called again: must be idempotent.
        """

    def reject(self, release: Release) -> None:
        """Inbound and not answered: turn the caller away."""

    def hangup(self, release: Release) -> None:
        """End the leg in any other state."""

    def play(self, frame: bytes) -> None:
        """160 bytes of mu-law to the far end. Never blocks; drops when the far end is too slow."""

    def press(self, digit: str) -> None:
        """One of `0-9*#ABCD` to the far end, out of band."""


class Dialler(Protocol):
    """A technology that can reach called parties."""

    def route(self, destination: Destination) -> Leg | None:
        """A leg to that party, not ringing yet; None if this technology does not reach it."""
        ...
