"""The audio of a call as its dialog wants it: offers and answers as bytes, refusals with codes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.sip.errors import Refusal
from gateway.sip.session.agreement import Negotiated
from gateway.sip.session.audio_line import Direction, NotAcceptable
from gateway.sip.session.offer_answer import OfferAnswer, OfferOpen
from gateway.sip.session.sdp import SdpError, parse, serialise


class CallMedia:
    """Implements `dialog.media.Media` with an `OfferAnswer`. `host` names us in a Warning."""

    def __init__(self, exchanges: OfferAnswer, host: str) -> None:
        self._exchanges = exchanges
        self._host = host

    @property
    def negotiated(self) -> Negotiated | None:
        """Return what both sides agreed on; None as long as they have not."""
        return self._exchanges.negotiated

    def make_offer(self, direction: Direction) -> bytes:
        """Offer everything we can do."""
        with self._refusing():
            return serialise(self._exchanges.make_offer(direction))

    def repeat_offer(self, direction: Direction) -> bytes:
        """Offer what is in force, with that direction."""
        with self._refusing():
            return serialise(self._exchanges.repeat_offer(direction))

    def take_offer(self, offer: bytes) -> bytes:
        """Return the answer to an offer."""
        with self._refusing():
            return serialise(self._exchanges.take_offer(parse(offer)))

    def take_answer(self, answer: bytes) -> None:
        """Take the answer to our offer."""
        with self._refusing():
            self._exchanges.take_answer(parse(answer))

    def rollback(self) -> None:
        """Forget our offer."""
        self._exchanges.rollback()

    def fork(self) -> CallMedia:
        """Return a copy; what is agreed on by one is not by the other."""
        return CallMedia(copy.copy(self._exchanges), self._host)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except SdpError as error:
            raise Refusal(400, f"The session description cannot be read: {error}") from None
        except NotAcceptable as error:
            raise Refusal(488, error.reason, Warning=error.warning(self._host)) from None
        except OfferOpen as error:
            raise Refusal(491, str(error)) from None
