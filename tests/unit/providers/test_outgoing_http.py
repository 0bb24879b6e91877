"""Tests of the guarded poster against receivers that are slow, broken, or at forbidden
addresses.
"""

from __future__ import annotations

import socket
import threading
import time

import pytest

from chalicelib.providers.outgoing_http import MAX_ANSWER
from tests.support.ports import free_port
from tests.unit.providers.http_server import BODY, make_poster


def post(server, path="/hook", **settings):
    url = f"http://127.0.0.1:{server.port}{path}"
    return make_poster(**settings).post(url, {"webhook-id": "evt_x"}, BODY)


def test_the_request_is_sent_as_given_and_the_answer_returned(serve):
    server = serve(b"HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nb\xc3\xa4!")
    answer = post(server, "/hook?x=1%20y")
    assert (answer.status, answer.text, answer.retry_after, answer.error) == (503, "bä!", "7", None)
    assert answer.latency_ms < 1000
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook?x=1%20y HTTP/1.1"
    assert {
        f"Host: 127.0.0.1:{server.port}", "Content-Type: application/json", "webhook-id: evt_x",
        f"Content-Length: {len(BODY)}", "Connection: close",
    } <= set(lines)  # fmt: skip
    assert body == BODY


def test_chunked_answers_and_answers_without_a_length_are_read(serve):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    assert post(serve(chunked)).text == "ok"
    assert post(serve(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")).text == "until the end"
    assert post(serve(b"HTTP/1.1 204 No Content\r\n\r\n")).status == 204


def test_redirects_are_not_followed(serve):
    other = serve()
    where = f"http://127.0.0.1:{other.port}/".encode()
    for code in (301, 302, 303, 307, 308):
        moved = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (code, where)
        assert post(serve(moved)).status == code
    assert other.connections == 0


def test_proxies_of_the_environment_are_ignored(serve, monkeypatch):
    proxy = serve()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert post(serve()).status == 200
    assert proxy.connections == 0


def test_only_the_beginning_of_an_endless_answer_is_read(serve):
    def endless(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    answer = post(serve(endless))
    assert (answer.status, answer.error, len(answer.text)) == (200, None, MAX_ANSWER)


def answer_slowly(beginning, drop):
    """An answer that never stops to come, a little at a time."""

    def answer(connection):
        connection.sendall(beginning)
        while True:
            time.sleep(0.05)
            connection.sendall(drop)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection: time.sleep(5),
        answer_slowly(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", b"x"),
        answer_slowly(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
        answer_slowly(b"HTT", b"P"),
        answer_slowly(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        answer_slowly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silent", "body", "headers", "status", "chunks", "continue"],
)
def test_one_deadline_covers_the_whole_request(serve, answer):
    began = time.monotonic()
    got = post(serve(answer), timeout_s=0.6)
    assert got.error == "timeout: no answer within 0.6 s"
    assert not got.taken
    assert 0.5 < time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "connection_lost"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "bad_answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "connection_lost"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", "connection_lost"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", "bad_answer"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000 + b"\r\n\r\n", "bad_answer"),
    ],
)
def test_an_incomplete_answer_is_a_failure(serve, answer, error):
    got = post(serve(answer))
    assert got.error.split(":")[0] == error
    assert not got.taken


def test_a_refused_connection_is_reported():
    got = make_poster().post(f"http://127.0.0.1:{free_port()}/", {}, BODY)
    assert got.error == "connect_failed: Connection refused"


# Where a name leads.


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"], ["10.0.0.7"], ["169.254.169.254"], ["::1"], ["fd00::1"],
        ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["0.0.0.0"], ["168.63.129.16"],
        ["100.64.0.1"], ["224.0.0.1"],
        ["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"],
    ],
)  # fmt: skip
def test_a_name_with_a_private_address_is_not_connected_to(serve, addresses):
    """One forbidden address is enough: the resolver's order is the stranger's."""
    server = serve()
    guarded = make_poster(private=False, resolver=lambda host, port: addresses)
    got = guarded.post(f"https://evil.example:{server.port}/", {}, BODY)
    assert got.error == "private_address: the host is not on the public Internet"
    assert server.connections == 0


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "[::ffff:7f00:1]", "0"])
def test_other_spellings_of_loopback_are_recognised(serve, host):
    server = serve()
    got = make_poster(private=False).post(f"https://{host}:{server.port}/", {}, BODY)
    assert got.error.split(":")[0] in ("private_address", "unresolvable")
    assert server.connections == 0


def test_a_name_is_resolved_once_and_the_checked_address_connected_to(monkeypatch):
    """DNS rebinding: public when it is looked at, private a moment later."""
    resolved, connected = [], []

    def rebinding(host, port):
        resolved.append(host)
        return ["93.184.216.34"] if len(resolved) == 1 else ["127.0.0.1"]

    def connect(address, timeout):
        connected.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", connect)
    got = make_poster(private=False, resolver=rebinding).post("https://evil.example/", {}, BODY)
    assert (resolved, connected) == (["evil.example"], [("93.184.216.34", 443)])
    assert got.error == "connect_failed: Connection refused"


def test_plain_http_is_refused_unless_the_operator_allows_it(serve):
    server = serve()
    got = post(server, private=False)
    assert got.error == "plain_http: an https:// URL is needed"
    assert server.connections == 0


def test_a_silent_name_server_does_not_delay_beyond_the_deadline():
    held = threading.Event()
    slow = make_poster(timeout_s=0.3, resolver=lambda *_: held.wait(10) and [])
    began = time.monotonic()
    assert slow.post("https://slow.example/", {}, BODY).error.startswith("timeout")
    assert time.monotonic() - began < 1
    held.set()


def test_an_unknown_name_is_reported_as_such():
    def unknown(*_):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    got = make_poster(resolver=unknown).post("https://nobody.example/", {}, BODY)
    assert got.error == "unresolvable: Name or service not known"
    assert make_poster(resolver=lambda *_: []).post("https://x.example/", {}, BODY).error == (
        "unresolvable: no address"
    )


def test_the_next_address_is_tried_if_one_is_down(serve):
    server = serve()
    both = make_poster(resolver=lambda *_: ["127.0.0.2", "127.0.0.1"])
    assert both.post(f"http://two.example:{server.port}/", {}, BODY).status == 200
    assert b"Host: two.example" in server.requests[0]


# TLS.
