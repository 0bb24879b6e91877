"""The audio of a call, as far as signalling sees it: offers and answers as bytes."""

from __future__ import annotations

from typing import Protocol

from gateway.sip.session.audio_line import Direction


class Media(Protocol):
    """Makes and takes one call's offers and answers (RFC 3264), as `gateway.sip.session` does.

    Methods that take what the far end wrote raise `Refusal` (488 with a Warning, or 400) and leave
    everything as it was.
    """

    def make_offer(self, direction: Direction) -> bytes:
        """Return an offer; it is out until an answer is taken or it is rolled back."""

    def repeat_offer(self, direction: Direction) -> bytes:
        """Return an offer of what is in force already, with that direction: a hold, a refresh."""

    def take_offer(self, offer: bytes) -> bytes:
        """Return the answer to an offer of the far end; both are in force now."""

    def take_answer(self, answer: bytes) -> None:
        """Take the far end's answer to the offer that is out."""

    def rollback(self) -> None:
        """Forget the offer that is out."""

    def fork(self) -> Media:
        """Return a copy with the same offer out, for another called party of a forked INVITE."""
