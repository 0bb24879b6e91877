"""Streams cut into messages (RFC 3261 18.3, RFC 5626 3.5.1)."""

from __future__ import annotations

import pytest

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.framing import Framer, KeepAlive
from gateway.sip.syntax.message import MAX_MESSAGE, Request, Response

OPTIONS = b"OPTIONS sip:a@h SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 4\r\n\r\nbody"
OK = b"SIP/2.0 200 OK\r\nCall-ID: 2\r\nl: 0\r\n\r\n"
PING = b"\r\n\r\n"


def told(pieces) -> list[str]:
    return [
        ("pong" if piece.answer else "ping") if isinstance(piece, KeepAlive) else piece.call_id
        for piece in pieces
    ]


def bodies(pieces) -> list[bytes]:
    return [piece.body for piece in pieces if isinstance(piece, Request | Response)]


def test_a_message_comes_when_its_last_byte_has_come():
    framer = Framer()
    for at in range(len(OPTIONS) - 1):
        assert framer.feed(OPTIONS[at : at + 1]) == []
    (message,) = framer.feed(OPTIONS[-1:])
    assert isinstance(message, Request)
    assert (message.body, message.truncated) == (b"body", False)


@pytest.mark.parametrize("cut", range(len(OPTIONS) + len(OK) + 4))
def test_two_messages_and_a_ping_may_be_cut_anywhere(cut):
    data = OPTIONS + PING + OK
    framer = Framer()
    found = framer.feed(data[:cut]) + framer.feed(data[cut:])
    assert told(found) == ["1", "ping", "2"]
    assert bodies(found) == [b"body", b""]


def test_lines_may_end_with_lf_alone():
    framer = Framer()
    assert told(framer.feed((OPTIONS + OK).replace(b"\r\n", b"\n"))) == ["1", "2"]


def test_pings_are_told_and_single_line_ends_skipped():
    framer = Framer()
    assert told(framer.feed(b"\r\n" + OK + PING + PING + b"\n" + OPTIONS)) == [
        *("2", "ping", "ping", "1"),
    ]
    assert told(framer.feed(b"\r")) == []
    assert told(framer.feed(b"\n\r\n")) == ["ping"]


def test_an_answer_to_our_ping_is_not_taken_for_a_ping():
    framer = Framer()
    framer.expect_answer()
    framer.expect_answer()
    assert told(framer.feed(b"\r\n")) == ["pong"]
    assert told(framer.feed(b"\r\n" + OK)) == ["pong", "2"]
    assert told(framer.feed(PING)) == ["ping"]


def test_the_next_message_begins_where_the_body_ends():
    body = b"\r\n\r\nOPTIONS sip:x@h SIP/2.0\r\n\r\n"
    data = OPTIONS.replace(b"4\r\n\r\nbody", f"{len(body)}\r\n\r\n".encode() + body)
    assert bodies(Framer().feed(data + OK)) == [body, b""]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (OPTIONS.replace(b"Content-Length: 4\r\n", b""), "no Content-Length"),
        (OPTIONS.replace(b": 4", b": "), "Content-Length"),
        (OPTIONS.replace(b": 4", b": -4"), "Content-Length"),
        (OPTIONS.replace(b": 4", b": four"), "Content-Length"),
        (OPTIONS.replace(b": 4", b": 4\r\nl: 5"), "Content-Length"),
        (OPTIONS.replace(b": 4", f": {MAX_MESSAGE}".encode()), "longer"),
        (b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "request line"),
        (b"\x16\x03\x01\n\n", "request line"),
        (b"x" * (MAX_MESSAGE + 1), "longer"),
    ],
)
def test_a_stream_that_cannot_be_cut_any_more_says_why(data, why):
    framer = Framer()
    with pytest.raises(SipSyntaxError, match=why):
        framer.feed(data)


def test_what_was_whole_before_the_garbage_is_not_lost():
    framer = Framer()
    assert told(framer.feed(OPTIONS + b"garbage\r\n\r\n")) == ["1"]
    with pytest.raises(SipSyntaxError):
        framer.feed(b"")


def test_a_message_may_be_as_long_as_a_datagram():
    head = b"OPTIONS sip:a@h SIP/2.0\r\nContent-Length: 65000\r\n\r\n"
    assert len(bodies(Framer().feed(head + b"x" * 65_000))[0]) == 65_000
