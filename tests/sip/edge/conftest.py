"""Fixtures of the edge: two children behind it, and peers in front of it."""

import socket

import pytest

from tests.sip.edge_support import Edge
from tests.sip.edge_talkers import PEER, PUBLIC, Talker


@pytest.fixture(scope="module")
def children():
    pair = [Talker("127.0.0.1", answers_options=True, user="alice") for _ in range(2)]
    yield pair
    for child in pair:
        child.close()


@pytest.fixture(scope="module")
def edge(children, tmp_path_factory):
    found = Edge([c.at for c in children], tmp_path_factory.mktemp("edge") / "log")
    yield found
    found.stop()


@pytest.fixture
def talkers(children):
    made = []

    def make(ip, **options):
        made.append(Talker(ip, **options))
        return made[-1]

    for child in children:
        child.forget()
    yield make
    for talker in made:
        talker.close()


@pytest.fixture
def child(children, talkers):
    return children[0]


@pytest.fixture
def peer(talkers):
    return talkers(PEER)


@pytest.fixture
def edges(children, tmp_path):
    made = []

    def make(**settings):
        made.append(Edge([c.at for c in children], tmp_path / "log", **settings))
        return made[-1]

    for child in children:
        child.forget()
        child.everything.clear()
    yield make
    for edge in made:
        edge.stop()


@pytest.fixture
def connected():
    """`sockets = connected(edge, from_, count)`."""
    made = []

    def connect(edge, from_, count, port=None, from_port=0):
        new = [
            socket.create_connection((PUBLIC, port or edge.port), 5, (from_, from_port))
            for _ in range(count)
        ]
        made.extend(new)
        return new

    yield connect
    for each in made:
        each.close()
