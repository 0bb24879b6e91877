"""Tests of the local HTTP server: many requests at once, and framing that no proxy reads
differently.
"""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import urlsplit

from local.agent import Refused

HELD_S = 5
"""Time in which the caller's webhook must have been answered though everything else is taken."""


def test_concurrent_requests_get_their_own_answers(live, stranger):
    def patch(turn):
        owner = (live, stranger)[turn % 2]
        label = f"{turn} of {owner.number}"
        answer = owner.rest.now("PATCH", f"/api/number/{owner.number}", {"label": label})
        return answer["e164"] == owner.number and answer["label"].endswith(owner.number)

    with ThreadPoolExecutor(16) as crowd:
        assert all(crowd.map(patch, range(200)))


def raw(live, request: bytes) -> bytes:
    """All that the server answers to these bytes until it closes."""
    where = urlsplit(live.stack["api_url"])
    with socket.create_connection((where.hostname, where.port), timeout=10) as link:
        link.sendall(request)
        link.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := link.recv(65536):
            answer += chunk
        return answer


def test_a_chunked_body_is_refused_and_not_read_as_a_second_request(live):
    inner = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = raw(
        live,
        b"POST /api/number HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + f"{len(inner):x}\r\n".encode() + inner + b"\r\n0\r\n\r\n",
    )  # fmt: skip
    assert answer.startswith(b"HTTP/1.1 411")
    assert answer.count(b"HTTP/1.1") == 1


def test_malformed_content_lengths_are_refused(live):
    for length in ("\u00b2".encode("latin-1"), b"-1", b"1e3", b"99999999999"):
        answer = raw(
            live, b"POST /api/number HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n"
        )
        assert answer.split()[1] in (b"411", b"413"), length


def test_head_answers_without_a_body(live):
    answer = raw(
        live, b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    _, _, rest = answer.partition(b"\r\n\r\n")
    assert rest.startswith(b"HTTP/1.1 200")


def silent(live) -> socket.socket:
    where = urlsplit(live.stack["api_url"])
    return socket.create_connection((where.hostname, where.port), timeout=10)


async def test_a_call_rings_while_one_client_holds_hundreds_of_connections_and_polls(
    live, stranger
):
    """More polls than the server answers at a time, and connections that say nothing."""
    news = (await stranger.rest("GET", "/api/events"))["cursor"]
    poll = (
        f"GET /api/events?wait=10&after={news} HTTP/1.1\r\nHost: x\r\n"
        f"X-API-Key: {stranger.rest.key}\r\n\r\n"
    )
    held = [silent(live) for _ in range(600)]
    for link in held[:300]:
        link.sendall(poll.encode())
    try:
        call = await live.phone().place_call(live.number, from_="+33612345678")
        unsigned = b"POST /webhooks/gateway/status HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        held_until = time.monotonic() + HELD_S
        while (began := time.monotonic()) < held_until:
            assert (await asyncio.to_thread(raw, live, unsigned)).split()[1] in {b"403", b"415"}
            assert time.monotonic() - began < 10  # Twilio waits for 15
        await asyncio.wait_for(call.ringing.wait(), 15)
        let_go = datetime.now(UTC)
    finally:
        for link in held:
            link.close()
    call_id = await when_there_is_room(lambda: live.call_id("+33612345678"))
    answer = await live.rest("GET", f"/api/call/{call_id}")
    assert datetime.fromisoformat(answer["created_at"]) < let_go
    call.hangup()
    await asyncio.wait_for(call.ended.wait(), 5)


async def when_there_is_room(ask):
    """Ask again while the API is busy; the polls are over after ten seconds."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return await ask()
        except Refused as refused:
            if refused.status not in {429, 503} or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)
