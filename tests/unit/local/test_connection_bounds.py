"""Tests of the local HTTP server's reader and its table of connections, each by itself."""

from __future__ import annotations

import contextlib
import io
import socket
from dataclasses import replace

import pytest

from local import connections
from local.connections import Bounds, Connections, HeadTooLong, TimedReader


def test_the_reader_s_clock_counts_from_the_first_byte():
    now = [0.0]
    mine, theirs = socket.socketpair()
    reader = TimedReader(mine, now=lambda: now[0])
    reader.expect_request(replace(Bounds(), idle_s=75, head_s=10))
    now[0] = 70.0
    theirs.sendall(b"G")
    assert reader.read(1) == b"G"
    now[0] = 79.0
    theirs.sendall(b"E")
    assert reader.read(1) == b"E"
    now[0] = 80.5
    theirs.sendall(b"T")
    with pytest.raises(TimeoutError):
        reader.read(1)


def test_the_reader_reads_no_more_than_the_head():
    mine, theirs = socket.socketpair()
    reader = TimedReader(mine)
    reader.expect_request(replace(Bounds(), head_bytes=100))
    theirs.sendall(b"x" * 200)
    with pytest.raises(HeadTooLong):
        io.BufferedReader(reader).readline()


def test_a_new_connection_is_refused_while_all_are_being_answered():
    counted = Connections(2)
    pairs = [socket.socketpair() for _ in range(3)]
    with contextlib.ExitStack() as stack:
        for mine, _ in pairs[:2]:
            assert counted.add(mine)
            stack.enter_context(counted.answering(mine))
        assert not counted.add(pairs[2][0])
    assert counted.add(pairs[2][0])


def test_requests_being_answered_never_take_all_connections():
    bounds = Bounds()
    assert bounds.api_requests + bounds.signed_requests < bounds.connections


def test_the_application_s_body_limit_is_lower_than_the_server_s():
    from chalicelib.http import MAX_BODY

    assert Bounds().body_bytes > MAX_BODY
    assert connections.SIGNED_PATHS == ("/webhooks/", "/media/", "/gateway/")
