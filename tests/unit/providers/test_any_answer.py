"""Tests that every answer of a stranger's server is an outcome, in bounded time and memory."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.providers.outgoing_http import (
    MAX_ANSWER,
    MAX_RECEIVED,
    MAX_RETRY_AFTER,
    GuardedPoster,
)
from tests.support.thorough import often

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WORDS = {
    "timeout", "connection_lost", "bad_answer", "connect_failed", "unresolvable", "tls_failed",
    "plain_http", "private_address",
}  # fmt: skip
"""The errors that docs/events.md lists."""


def answered(*parts, timeout_s=2.0):
    """Post to a server that sends these parts and hangs up; return the outcome."""
    ours, theirs = socket.socketpair()

    def say():
        with contextlib.suppress(OSError):
            for part in parts:
                theirs.sendall(part)
            theirs.shutdown(socket.SHUT_WR)

    saying = threading.Thread(target=say, daemon=True)
    saying.start()
    poster = GuardedPoster(private=True, timeout_s=timeout_s, resolver=lambda *_: ["127.0.0.1"])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket, "create_connection", lambda *_: ours)
        answer = poster.post("http://receiver.test/", {"webhook-id": "evt_x"}, b"{}")
    theirs.close()
    saying.join(5)
    return answer


def check(answer):
    assert (answer.status is None) == (answer.error is not None)
    assert answer.error is None or answer.error.split(":")[0] in WORDS
    assert len(answer.text) <= MAX_ANSWER
    assert len(answer.retry_after or "") <= MAX_RETRY_AFTER
    answer.text.encode()


HEADERS = st.sampled_from(
    [
        b"Content-Length: 5", b"Content-Length: -5", b"Content-Length: 99999999999999999999",
        b"Content-Length: " + b"9" * 5000, b"Content-Length: 5, 7", b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked", b"Content-Encoding: gzip", b"Retry-After: -1",
        b"Retry-After: " + b"9" * 4000, b"Retry-After: \xff\xfe", b"Connection: keep-alive",
        b"Location: file:///etc/passwd", b" folded", b"no colon", b": no name", b"A: \x00",
    ]
)  # fmt: skip
STATUS = st.one_of(
    st.integers(-5, 100_000).map(lambda code: b"HTTP/1.1 %d OK" % code),
    st.sampled_from(
        [b"HTTP/1.1 200", b"HTTP/1.1", b"HTTP/0.9 200 OK", b"HTTP/9.9 200 OK", b"HTTP/1.1 +20 x",
         b"HTTP/1.1 0x1 x", b"ICY 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.1 101 Switching"]
    ),
    st.binary(max_size=30),
)  # fmt: skip
SIZES = st.one_of(
    st.integers(-(2**70), 2**70).map(lambda size: b"%x" % size),
    st.sampled_from([b"", b"-5", b"-1", b"+5", b"0x5", b"5_0", b"5;ext=1", b"f" * 5000, b" 5 "]),
)
END = st.sampled_from([b"\r\n", b"\n", b"", b"0\r\n\r\n"])
CHUNK = st.builds(b"%b\r\n%b%b".__mod__, st.tuples(SIZES, st.binary(max_size=40), END))


@given(
    STATUS, st.lists(HEADERS, max_size=5),
    st.one_of(st.binary(max_size=300), st.lists(CHUNK, max_size=5).map(b"".join),
              st.binary(max_size=300).map(gzip.compress)),
)  # fmt: skip
@example(b"HTTP/1.1 200 OK", [b"Transfer-Encoding: chunked"], b"-5\r\nhello\r\n0\r\n\r\n")
@example(b"HTTP/1.1 200 OK", [b"Transfer-Encoding: chunked"], b"-1\r\nhello\r\n0\r\n\r\n")
def test_every_answer_is_an_outcome(status, headers, body):
    check(answered(b"\r\n".join([status, *headers]) + b"\r\n\r\n" + body))


@given(st.binary(max_size=2000))
def test_arbitrary_bytes_are_an_outcome(data):
    check(answered(data))


@pytest.mark.parametrize("size", [b"-5", b"-1", b"-ffffffffffffffffffff"])
def test_a_chunk_of_negative_size_is_no_answer(size):
    got = answered(CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n")
    assert got.status is None
    assert got.error.split(":")[0] in ("bad_answer", "connection_lost")


@pytest.mark.parametrize(
    ("beginning", "over_and_over"),
    [
        (CHUNKED + b"-1\r\n", b"x" * 65536),
        (b"", b"HTTP/1.1 100 Continue\r\nA: " + b"b" * 60_000 + b"\r\n\r\n"),
        (CHUNKED + b"0\r\n", b"Trailer: " + b"t" * 60_000 + b"\r\n"),
        (CHUNKED, b"1;" + b"e" * 60_000 + b"\r\nx\r\n"),
    ],
    ids=["a chunk without end", "interim answers", "trailers", "chunk extensions"],
)
def test_only_a_bounded_part_of_an_answer_is_read(beginning, over_and_over):
    repeats = often(200, 2000)
    tracemalloc.start()
    got = answered(beginning, *[over_and_over] * repeats, timeout_s=10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert got.error.split(":")[0] == "bad_answer"
    assert peak < 4 * MAX_RECEIVED
