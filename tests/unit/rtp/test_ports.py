"""Tests of the port range: pairs are bound, given back, and not taken again at once."""

from __future__ import annotations

import contextlib
import errno
import socket

import pytest

from gateway.rtp.ports import MAX_TRIES, NoPortError, Ports
from tests.unit.rtp.sockets import free_range, has_ipv6


def test_a_pair_is_an_even_port_and_the_next():
    ports = Ports("127.0.0.1", free_range(3))
    pair = ports.take()
    assert pair.port % 2 == 0
    assert pair.rtp.getsockname() == ("127.0.0.1", pair.port)
    assert pair.rtcp.getsockname() == ("127.0.0.1", pair.port + 1)
    assert not pair.rtp.getblocking()
    assert pair.rtp.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0xB8
    ports.give_back(pair)


def test_when_all_pairs_are_taken_the_next_is_refused_until_one_is_given_back():
    ports = Ports("127.0.0.1", free_range(2))
    one, two = ports.take(), ports.take()
    with pytest.raises(NoPortError, match="all 2 pairs"):
        ports.take()
    ports.give_back(one)
    assert ports.free == 1
    ports.give_back(ports.take())
    ports.give_back(two)


def test_a_pair_that_is_given_back_is_taken_last_again():
    ports = Ports("127.0.0.1", free_range(3))
    first = ports.take()
    ports.give_back(first)
    others = [ports.take() for _ in range(3)]
    assert [each.port == first.port for each in others] == [False, False, True]
    for each in others:
        ports.give_back(each)


def test_a_range_whose_begin_others_have_gives_a_pair(monkeypatch):
    ports = Ports("127.0.0.1", range(10000, 20000))
    bound = ports._socket

    def occupied_at_the_begin(port):
        if port < 10000 + 3 * MAX_TRIES:
            raise OSError(errno.EADDRINUSE, "in use")
        return bound(port)

    monkeypatch.setattr(ports, "_socket", occupied_at_the_begin)
    pair = ports.take()
    assert pair.port >= 10000 + 3 * MAX_TRIES
    ports.give_back(pair)


def test_ports_of_other_programs_are_passed_over():
    taken = free_range(2)
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as other:
        other.bind(("127.0.0.1", taken.start + 1))
        ports = Ports("127.0.0.1", taken)
        pair = ports.take()
        assert pair.port == taken.start + 2
        with pytest.raises(NoPortError, match="other programs"):
            ports.take()
    ports.give_back(ports.take())
    ports.give_back(pair)


def test_no_more_ports_are_tried_for_one_call_than_the_bound(monkeypatch):
    ports = Ports("127.0.0.1", range(10000, 20000))
    tried = []

    def occupied(port):
        tried.append(port)
        raise OSError(errno.EADDRINUSE, "in use")

    monkeypatch.setattr(ports, "_socket", occupied)
    with pytest.raises(NoPortError):
        ports.take()
    assert len(tried) == MAX_TRIES


def test_a_process_out_of_files_is_told_so_at_once(monkeypatch):
    ports = Ports("127.0.0.1", range(10000, 20000))
    tried = []

    def out_of_files(port):
        tried.append(port)
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(ports, "_socket", out_of_files)
    with pytest.raises(NoPortError, match="ulimit"):
        ports.take()
    assert len(tried) == 1
    assert ports.free == 5000


def test_an_address_of_another_machine_is_told_so():
    with pytest.raises(NoPortError, match=r"198\.51\.100\.1: "):
        Ports("198.51.100.1", range(10000, 20000)).take()


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on loopback")
def test_ipv6_is_bound_alone():
    ports = Ports("::1", free_range(1))
    pair = ports.take()
    assert pair.rtp.getsockname()[:2] == ("::1", pair.port)
    assert pair.rtp.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    ports.give_back(pair)


@pytest.mark.parametrize(
    ("host", "ports"),
    [("localhost", range(10000, 10010)), ("127.0.0.1", range(10001, 10003)), ("", range(2))],
)
def test_a_name_and_a_range_without_a_pair_are_refused(host, ports):
    with pytest.raises(ValueError, match=r"\w"):
        Ports(host, ports)
