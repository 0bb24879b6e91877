"""Two children, the edge before them, and who talks to it."""

import pytest

from tests.sip.edge_support import Edge
from tests.sip.edge_talkers import PEER, Talker


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
