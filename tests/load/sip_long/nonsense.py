"""Session descriptions that a gateway must refuse."""

from __future__ import annotations

import random

from gateway.sip.errors import Refusal


class Nonsense:
    """Audio whose offers and answers are of no use."""

    def __init__(self, description: str) -> None:
        self._text = description.replace("\n", "\r\n").encode()

    def make_offer(self, direction: object) -> bytes:
        return self._text

    repeat_offer = take_offer = make_offer

    def take_answer(self, answer: bytes) -> None:
        raise Refusal(488, "no answer suits")

    def rollback(self) -> None:
        pass

    def fork(self) -> Nonsense:
        return self


_HEAD = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
WRONG = (
    _HEAD + "m=audio 4000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\n",
    _HEAD + "m=video 4000 RTP/AVP 31\n",
    _HEAD + "m=audio 4000 RTP/SAVP 0\n",
    "v=0\no=- 1 1 IN IP6 ::1\ns=-\nc=IN IP6 ::1\nt=0 0\nm=audio 4000 RTP/AVP 0\n",
    "this is no session description\n",
)


def nonsense() -> Nonsense:
    """Return audio with one of them."""
    return Nonsense(random.choice(WRONG))
