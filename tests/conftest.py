"""Fixtures of all tests: the engine, a table, an application on it."""

from __future__ import annotations

import fcntl
import itertools
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.engine import client, make_table, ministack
from tests.support.world import World

# A machine that is new, or busy with other tests, is slow to make up inputs.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

_tables = itertools.count(1)
_turn = pytest.StashKey()


def pytest_sessionstart(session):
    """Wait, if the Makefile says that these tests are in real time, until no others are: with two
    runs at once, telephones would stutter. The lock goes with the process.
    """
    if "CHAMADE_TESTS_IN_TURN" in os.environ and not hasattr(session.config, "workerinput"):
        lock = Path(tempfile.gettempdir()) / f"chamade-tests-{os.getuid()}"
        session.config.stash[_turn] = lock.open("a")
        fcntl.flock(session.config.stash[_turn], fcntl.LOCK_EX)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Group the tests of a file for one worker, unless they have a group of their own; put those
    with the mark `last` behind all others.
    """
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            last = item.get_closest_marker("last") is not None
            group = item.nodeid if last else item.nodeid.partition("::")[0]
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    """URL of an AWS engine on this machine."""
    with ministack(tmp_path_factory.mktemp("engine") / "log") as url:
        yield url


@pytest.fixture(scope="session")
def dynamodb(engine):
    """Return the client that makes tables."""
    return client(engine, "dynamodb")


@pytest.fixture(scope="module")
def table(dynamodb):
    return make_table(dynamodb, f"test-{next(_tables)}")


@pytest.fixture
def empty_table(dynamodb):
    return make_table(dynamodb, f"test-{next(_tables)}")


@pytest.fixture
def world(table):
    """An application with an account and a number of its own."""
    return World(table)
