"""Tests of strangers' TCP and TLS connections: how many an address has, and for how long."""

import contextlib
import re
import shutil
import socket
import time

import pytest

from gateway.edge.connections import MOST, MOST_OF_A_PEER, Watch, incoming
from tests.sip.edge.talk import is_closed, register
from tests.sip.edge_messages import request, sdp
from tests.sip.edge_support import own_kb
from tests.sip.edge_talkers import PEER

needs_kamailio = pytest.mark.skipif(
    not shutil.which("kamailio"), reason="kamailio is not installed"
)


def open_of(connections, within_s=5.0, wanted=None):
    """Return how many are left, once it is as many as wanted or the time is over."""
    until = time.monotonic() + within_s
    while True:
        left = [each for each in connections if not is_closed(each, 0.005)]
        if len(left) == wanted or time.monotonic() > until:
            return len(left)


def options(edge, connection):
    """A request by this connection."""

    class By:
        at = "{}:{}".format(*connection.getsockname())
        ip, user, domain = connection.getsockname()[0], "x", "x.example"

    return request("OPTIONS", edge.uri("x"), By).replace("SIP/2.0/UDP", "SIP/2.0/TCP").encode()


@needs_kamailio
@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_connections_of_one_address_are_bounded(edges, connected, kind):
    edge = edges(connections_per_source=5)
    port = edge.port if kind == "tcp" else edge.tls_port
    first = connected(edge, "127.0.0.80", 2, port)
    assert open_of(first, 1.0) == 2  # and the edge has seen them
    greedy = first + connected(edge, "127.0.0.80", 40, port)
    assert open_of(greedy, wanted=5) == 5
    assert open_of(first, 0.1) == 2  # the oldest stay
    other = connected(edge, "127.0.0.81", 3)
    other[-1].sendall(options(edge, other[-1]))
    assert other[-1].recv(65536).startswith(b"SIP/2.0 200")
    assert open_of(other, 1.0) == 3


@needs_kamailio
def test_a_listed_peer_has_as_many_connections_as_it_needs(edges, connected):
    edge = edges(connections_per_source=2)
    calls = connected(edge, PEER, 10)
    assert open_of(calls, 2.0) == 10
    for each in calls:
        each.sendall(options(edge, each))
        assert each.recv(65536).startswith(b"SIP/2.0 200")


@needs_kamailio
def test_a_stranger_that_trickles_a_message_is_closed_and_a_call_is_not(
    edges, connected, child, talkers
):
    edge = edges(stranger_connection_s=2)
    carrier = talkers("127.0.0.82")
    seen, _ = register(edge, child, carrier)
    contact = re.search("<(.*?)>", seen["Contact"])[1]
    trickling, calling = connected(edge, "127.0.0.83", 2)
    invite = request("INVITE", contact, carrier, body=sdp(carrier.ip))
    calling.sendall(invite.replace("SIP/2.0/UDP", "SIP/2.0/TCP").encode())
    child.expect("INVITE")
    began = time.monotonic()
    for byte in options(edge, trickling):
        if is_closed(trickling, 0.05):
            break
        trickling.sendall(bytes([byte]))
    assert 1.0 < time.monotonic() - began < 8.0
    calling.recv(65536)
    assert not is_closed(calling, 2.5)


@needs_kamailio
@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_data_that_is_neither_sip_nor_tls_is_not_logged(edges, connected, kind):
    edge = edges()
    before = len(edge.text().splitlines())
    port = edge.port if kind == "tcp" else edge.tls_port
    for _ in range(50):
        (browser,) = connected(edge, "127.0.0.86", 1, port)
        browser.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        browser.close()
    (last,) = connected(edge, "127.0.0.87", 1)
    last.sendall(options(edge, last))
    assert last.recv(65536)
    assert len(edge.text().splitlines()) - before <= 2


@needs_kamailio
def test_a_message_that_never_ends_is_cut_off(edges, connected):
    edge = edges()
    (endless,) = connected(edge, "127.0.0.84", 1)
    endless.sendall(b"OPTIONS sip:x@y SIP/2.0\r\n")
    try:
        for _ in range(100):
            endless.sendall(b"X-Filler: " + b"x" * 1000 + b"\r\n")
            time.sleep(0.005)
    except ConnectionError:
        return
    assert is_closed(endless, 3)


@needs_kamailio
def test_a_stranger_that_never_reads_is_banned_and_closed(edges, connected):
    edge = edges(requests_per_s=20)
    (deaf,) = connected(edge, "127.0.0.85", 1)
    deaf.settimeout(3)
    try:
        for _ in range(2000):
            deaf.sendall(options(edge, deaf))
    except OSError:
        pass
    edge.wait_logged("banned for")
    deaf.settimeout(3)
    while True:
        try:
            if not deaf.recv(65536):
                break
        except ConnectionError:
            break


@needs_kamailio
def test_a_peer_that_never_reads_is_closed(edges, connected):
    edge = edges()
    (deaf,) = connected(edge, PEER, 1)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.settimeout(2)
    text = options(edge, deaf)
    sent = 0
    with contextlib.suppress(OSError):  # reset, or nothing more is taken
        while sent < 60_000:
            deaf.sendall(text)
            sent += 1
    assert sent < 60_000
    fresh, *_ = connected(edge, PEER, 1)
    fresh.sendall(options(edge, fresh))
    assert fresh.recv(65536).startswith(b"SIP/2.0 200")
    assert own_kb(edge.pids()) < 200_000


# ---- what is decided ----


def remotes(address, count):
    return [(address, 1000 + number) for number in range(count)]


def test_an_address_with_too_many_connections_loses_its_newest():
    watch = Watch(per_source=2)
    watch.look(0.0, remotes("192.0.2.1", 2))
    closed = watch.look(1.0, [*remotes("192.0.2.1", 4), *remotes("192.0.2.2", 2)])
    assert {each.remote for each in closed} == {("192.0.2.1", 1002), ("192.0.2.1", 1003)}
    assert all(each.anyhow for each in closed)


def test_a_peer_has_its_own_bound_of_connections():
    watch = Watch(per_source=2, peers=["192.0.2.0/24"])
    closed = watch.look(1.0, remotes("192.0.2.1", MOST_OF_A_PEER + 3))
    assert len(closed) == 3
    assert all(each.anyhow for each in closed)


def test_an_old_connection_is_checked_every_thirty_seconds():
    watch = Watch(per_source=2, strangers_s=30.0)
    connections = remotes("192.0.2.1", 1)
    probed = [now for now in range(100) if watch.look(float(now), connections)]
    assert probed == [31, 61, 91]
    assert not watch.look(200.0, [])


def test_too_many_connections_in_all_close_the_oldest():
    watch = Watch(per_source=16, most=4)
    old = [(f"192.0.2.{n}", 1000) for n in range(4)]
    watch.look(0.0, old)
    closed = watch.look(1.0, [*old, ("198.51.100.1", 1), ("198.51.100.1", 2)])
    assert len(closed) == 2
    assert {each.remote for each in closed} < set(old)
    assert not any(each.anyhow for each in closed)
    assert MOST == 768


def test_connections_are_read_from_the_kernels_list():
    table = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0200007F:13C4 0A00007F:A1B2 01 00000000:00000000 00:00000000 00000000     0
   1: 0200007F:13C4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   2: 0200007F:13C4 0B00007F:0001 06 00000000:00000000 00:00000000 00000000     0
   3: 0200007F:9999 0C00007F:13C4 01 00000000:00000000 00:00000000 00000000     0
"""
    assert incoming(table, [("127.0.0.2", 5060)]) == [("127.0.0.10", 0xA1B2)]
