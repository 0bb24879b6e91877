"""Session descriptions of a peer, and the side that answers them."""

from __future__ import annotations

import itertools

import pytest

from gateway.sip.session import sdp
from gateway.sip.session.offer_answer import NotAcceptable, OfferAnswer

HEAD = "v=0\no=- 77 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"
EVENTS = "a=rtpmap:101 telephone-event/8000"


def described(*lines, head=HEAD):
    return sdp.parse((head + "\n".join(lines)).encode())


def bytes_in_turn():
    """Return a source of bytes that never gives the same twice."""
    turn = itertools.count(1)
    return lambda n: next(turn).to_bytes(n)


def side(**options):
    return OfferAnswer("198.51.100.5", 20000, bytes_in_turn(), **options)


def audio_of(session):
    return next(line for line in session.media if line.port)


def lines_of(session):
    return [f"{m.kind} {m.port} {m.protocol} {' '.join(m.formats)}" for m in session.media]


def reason(refused, *words):
    with pytest.raises(NotAcceptable) as info:
        refused()
    assert all(word in info.value.reason for word in words), info.value.reason
    return info.value.code
