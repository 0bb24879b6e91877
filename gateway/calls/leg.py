"""The interface between a call and its leg, for every technology.

It is made to fit SIP: `ring` is 180 (or the INVITE, going out), `answer` is 200, `reject` a final
response, `hangup` CANCEL or BYE. Audio is mu-law, 8 kHz, in frames of 160 bytes (20 ms).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from common.sip_headers import NO_INTRODUCTION, Introduction

Standing = Literal["trunk", "local", "peer", "carrier", "stranger"]
"""The source of an inbound call: a trunk; this machine or an account holder; a peer's address
(listed by the operator) for no trunk; an address in the networks of several trunks; any other."""


Quality = Literal["good", "poor"]
"""The quality of the audio from the far end."""


@dataclass(frozen=True, slots=True)
class Release:
    """The end of a call: its status in Twilio's words, the SIP code and a sentence for people."""

    status: str
    sip_code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Route:
    """A way to the called party: a trunk, and the numbers as its carrier wants them written."""

    trunk_id: str
    to: str
    from_: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The target of an outbound call: the called party, the caller ID and the trunks.

    The trunks are in `routes`, in the order to try them; none: no trunk is to be used.
    """

    to: str
    from_: str
    trunk_id: str | None = None
    routes: tuple[Route, ...] = ()
    introduction: Introduction = NO_INTRODUCTION
    """The caller's name and the headers that the INVITE shall have."""
    sip_username: str | None = None
    sip_password: str | None = field(default=None, repr=False)

    @property
    def ways(self) -> tuple[Route, ...]:
        """Return the routes; without any, the trunk alone if one is named."""
        if self.routes or self.trunk_id is None:
            return self.routes
        return (Route(self.trunk_id, self.to, self.from_),)


class LegEvents(Protocol):
    """The events that a leg reports to its call. All are synchronous and must be quick."""

    def on_trunk(self, trunk_id: str) -> None:
        """Note that an outbound call goes on by another trunk."""

    def on_ringing(self) -> None:
        """Note that the far end of an outbound call rings."""

    def on_answered(self) -> None:
        """Note that the far end of an outbound call has answered."""

    def on_audio(self, frame: bytes) -> None:
        """Take 160 bytes of mu-law from the far end."""

    def on_dtmf(self, digit: str) -> None:
        """Take a key that the far end pressed, one of `0-9*#ABCD`."""

    def on_hold(self, held: bool) -> None:
        """Note whether the far end has put the call on hold: it wants to hear nothing."""

    def on_refer(self, status: int) -> None:
        """Note how the call that the far end was asked to make has ended: its final SIP code. 202:
        the far end has agreed, and is gone without a word."""

    def on_quality(self, quality: Quality, mos: float) -> None:
        """Note that the audio from the far end has become poor, or is good again."""

    def on_media(self, facts: dict[str, str]) -> None:
        """Take the facts of the far end's audio, as webhooks have them, just before the end."""

    def on_hangup(self, sip_code: int, reason: str) -> None:
        """Note that the far end is gone, or did not take the call: 200 normal, 486 busy, 603
        declined, 404 unknown …"""

    def on_broken(self, reason: str) -> None:
        """Note that the leg is lost and the far end is not the cause."""


class Leg(Protocol):
    """A party of a call."""

    def attach(self, events: LegEvents, call_sid: str) -> None:
        """Connect the leg to its call, which gets its events. Must come before anything else."""

    def ring(self) -> None:
        """Inbound: tell the caller that it rings. Outbound: start ringing the called party."""

    async def answer(self) -> None:
        """Answer an inbound call; return when audio may flow.

        It may be cancelled midway (a REST update) and called again, so it must be idempotent.
        """

    def reject(self, release: Release) -> None:
        """Refuse an inbound call that is not answered."""

    def hangup(self, release: Release) -> None:
        """End the leg in any other state."""

    def play(self, frame: bytes) -> None:
        """Send 160 bytes of mu-law to the far end.

        Never block; drop them if the far end is too slow.
        """

    def press(self, digit: str) -> None:
        """Send one of `0-9*#ABCD` to the far end, out of band."""


@runtime_checkable
class Referable(Protocol):
    """A leg whose far end can be asked to call somebody else in our place."""

    def refer(self, target: str) -> bool:
        """Ask the far end to call a SIP URI or a number; `on_refer` tells the outcome.

        Return False if that is not possible now.
        """


class Dialler(Protocol):
    """A technology that can reach called parties."""

    def route(self, destination: Destination) -> Leg | None:
        """Return a leg to that party, not ringing yet; None if this technology does not reach
        it."""
        ...
