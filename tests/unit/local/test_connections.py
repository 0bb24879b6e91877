"""Tests of the local HTTP server beyond each of its bounds: only the client that exceeds one is
refused.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from chalice import Chalice

from local.api_server import server_of
from local.connections import Bounds
from local.layout import HOST

SMALL = Bounds(
    connections=8, api_requests=2, signed_requests=2, wait_s=0.1, head_bytes=2048,
    body_bytes=4096, small_body_bytes=1024, large_bodies=1, idle_s=30, head_s=30, body_s=30,
    send_s=30,
)  # fmt: skip


class Running:
    """A server, and an application whose slow requests end when they are let go."""

    def __init__(self, bounds: Bounds) -> None:
        app = Chalice(app_name="tested")
        self.release, self.slow = threading.Event(), threading.Semaphore(0)

        def wait():
            self.slow.release()
            self.release.wait(20)
            return {"waited": True}

        app.route("/api/events", methods=["GET"])(wait)
        app.route("/webhooks/slow", methods=["POST"])(wait)
        app.route("/webhooks/voice", methods=["POST"])(lambda: {"rings": True})
        app.route("/api/echo", methods=["POST"])(
            lambda: {"size": len(app.current_request.raw_body)}
        )
        app.route("/large", methods=["GET"])(lambda: {"large": "x" * 32_000_000})
        local = server_of(app, 0, bounds)
        self.server = local.server
        self.address = (HOST, self.server.server_port)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=10)

    def begin(self, method: str, path: str, body: bytes = b"") -> socket.socket:
        """Send a request; its answer is read later."""
        link = self.connect()
        link.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        return link

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, object]]:
        with contextlib.closing(self.begin(method, path, body)) as link:
            return answer(link)

    def close(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


def answer(link: socket.socket) -> tuple[int, dict[str, object]]:
    """Status and decoded body of the next answer."""
    with link.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        length = 0
        while line := stream.readline().strip():
            name, _, value = line.lower().partition(b":")
            length = int(value) if name == b"content-length" else length
        return status, json.loads(stream.read(length) or b"{}")


def closed(link: socket.socket) -> bool:
    """Wait until the server closes; False after ten seconds."""
    try:
        while link.recv(65536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.fixture
def running() -> Iterator[Running]:
    server = Running(SMALL)
    yield server
    server.close()


@contextlib.contextmanager
def with_bounds(**changed: float) -> Iterator[Running]:
    server = Running(replace(SMALL, **changed))
    try:
        yield server
    finally:
        server.close()


def test_long_polls_beyond_their_limit_are_refused_while_webhooks_are_answered(running):
    polls = [running.begin("GET", "/api/events") for _ in range(SMALL.api_requests)]
    for _ in polls:
        assert running.slow.acquire(timeout=10)
    status, problem = running.ask("GET", "/api/events")
    assert (status, problem["code"]) == (503, "unavailable")
    for _ in range(5):
        assert running.ask("POST", "/webhooks/voice") == (200, {"rings": True})
    running.release.set()
    assert [answer(link) for link in polls] == [(200, {"waited": True})] * len(polls)
    assert running.ask("GET", "/api/events")[0] == 200


def test_webhooks_beyond_their_limit_wait_and_are_then_refused(running):
    held = [running.begin("POST", "/webhooks/slow") for _ in range(SMALL.signed_requests)]
    for _ in held:
        assert running.slow.acquire(timeout=10)
    assert running.ask("POST", "/webhooks/voice")[0] == 503
    assert running.ask("POST", "/api/echo", b"{}")[0] == 200
    running.release.set()
    assert [answer(link)[0] for link in held] == [200] * len(held)


def test_the_oldest_silent_connections_are_closed_for_new_ones(running):
    silent = [running.connect() for _ in range(3 * SMALL.connections)]
    assert running.ask("POST", "/webhooks/voice") == (200, {"rings": True})
    assert all(closed(link) for link in silent[: 2 * SMALL.connections])
    assert len(running.server.connections) <= SMALL.connections


def test_connections_with_half_a_request_are_closed_like_silent_ones(running):
    for beginning in (b"POST /webhooks/voice HTTP/1.1\r\nHost: x\r\nX: ",
                  b"POST /webhooks/voice HTTP/1.1\r\nContent-Length: 900\r\n\r\n{"):  # fmt: skip
        links = [running.connect() for _ in range(2 * SMALL.connections)]
        for link in links:
            with contextlib.suppress(OSError):  # it may have made way by now
                link.sendall(beginning)
        assert running.ask("POST", "/webhooks/voice") == (200, {"rings": True})


def test_a_provider_s_connection_is_kept_whatever_strangers_do(running):
    kept = running.begin("POST", "/webhooks/voice")
    assert answer(kept)[0] == 200
    strangers = [running.begin("POST", "/api/echo", b"{}") for _ in range(2 * SMALL.connections)]
    assert answer(strangers[-1])[0] == 200
    kept.sendall(b"POST /webhooks/voice HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    assert answer(kept)[0] == 200


def test_a_request_being_answered_is_never_closed_for_another(running):
    poll = running.begin("GET", "/api/events")
    assert running.slow.acquire(timeout=10)
    for _ in range(3 * SMALL.connections):
        running.connect()
    assert running.ask("POST", "/webhooks/voice")[0] == 200
    running.release.set()
    assert answer(poll) == (200, {"waited": True})


def test_a_connection_without_a_request_is_closed_in_time():
    with with_bounds(idle_s=0.2) as running:
        assert closed(running.connect())


def test_a_head_sent_byte_by_byte_is_cut_off_in_time():
    with with_bounds(head_s=0.3) as running:
        link = running.connect()
        link.settimeout(0.02)
        link.sendall(b"GET ")
        assert send_slowly(link, b"x") < 1000


def test_a_body_sent_byte_by_byte_is_cut_off_in_time():
    with with_bounds(body_s=0.3) as running:
        link = running.connect()
        link.settimeout(0.02)
        link.sendall(b"POST /webhooks/voice HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert send_slowly(link, b"x") < 1000


def send_slowly(link: socket.socket, piece: bytes) -> int:
    """Send a piece whenever nothing came for the socket's time-out; how many until it closed."""
    for count in range(1000):
        try:
            if not link.recv(1):
                return count
        except TimeoutError:
            with contextlib.suppress(ConnectionError):
                link.sendall(piece)
        except ConnectionError:
            return count
    return 1000


def test_a_client_that_never_reads_is_disconnected_in_time():
    with with_bounds(send_s=0.3) as running:
        link = running.connect()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        gone = threading.Event()
        remove = running.server.connections.remove
        running.server.connections.remove = lambda each: (remove(each), gone.set())
        assert gone.wait(10)
        assert len(running.server.connections) == 0


@pytest.mark.parametrize("line", [b"X-Long: " + b"x" * 4096, b"X: y\r\n" * 400])
def test_a_head_that_is_too_long_is_refused(running, line):
    link = running.connect()
    link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + line)
    assert answer(link)[0] == 431
    assert closed(link)


def test_a_body_that_is_too_long_is_refused_before_it_is_read(running):
    for length in (SMALL.body_bytes + 1, 10**9, 10**30):
        link = running.connect()
        link.sendall(
            f"POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        assert answer(link)[0] == 413
        assert closed(link)


def test_large_bodies_beyond_their_limit_are_refused_and_small_ones_accepted(running):
    held = running.connect()
    held.sendall(b"POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 b"Expect: 100-continue\r\nContent-Length: 4000\r\n\r\n")  # fmt: skip
    assert held.recv(100).startswith(b"HTTP/1.1 100")  # so its headers are read
    held.sendall(b"x" * 100)
    wait_until(lambda: running.ask("POST", "/api/echo", b"x" * 2000)[0] == 503)
    assert running.ask("POST", "/api/echo", b"x" * 1000) == (200, {"size": 1000})
    held.sendall(b"x" * 3900)
    assert answer(held)[1] == {"size": 4000}
    wait_until(lambda: running.ask("POST", "/api/echo", b"x" * 2000)[0] == 200)


def wait_until(is_so) -> None:
    """Wait until another thread has got there."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_body_that_breaks_off_is_not_answered(running):
    link = running.connect()
    link.sendall(b"POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    link.shutdown(socket.SHUT_WR)
    assert link.recv(100) == b""


def test_two_different_content_lengths_are_refused(running):
    link = running.connect()
    link.sendall(
        b"POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}"
    )
    assert answer(link)[0] == 411
