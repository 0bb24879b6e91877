"""The local HTTP server: many requests at once, and framing that no proxy reads differently."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit


def test_many_requests_at_once_do_not_mix(live, stranger):
    def patch(turn):
        owner = (live, stranger)[turn % 2]
        label = f"{turn} of {owner.number}"
        told = owner.rest.now("PATCH", f"/api/number/{owner.number}", {"label": label})
        return told["e164"] == owner.number and told["label"].endswith(owner.number)

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


def test_a_chunked_body_is_refused_and_never_taken_for_a_request(live):
    inner = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = raw(
        live,
        b"POST /api/number HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + f"{len(inner):x}\r\n".encode() + inner + b"\r\n0\r\n\r\n",
    )  # fmt: skip
    assert answer.startswith(b"HTTP/1.1 411")
    assert answer.count(b"HTTP/1.1") == 1


def test_odd_content_lengths_are_refused(live):
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
