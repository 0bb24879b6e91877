"""Tests of the look-ups of trunks' host names: repeated until they succeed, and independent of each
other.
"""

from __future__ import annotations

import asyncio

import pytest

from gateway.config import Config
from gateway.legs.sip import trunk_lines
from gateway.sip.network.locate import Target
from tests.unit.gateway.sip.conftest import TRUNK_A, TRUNK_B, trunk

WITHIN_S = 5.0


class Line:
    """Stands in for a trunk's line: notes where it leads."""

    opened: asyncio.Queue
    registration = None

    def __init__(self, trunk, targets, kit):
        self.trunk, self.target = trunk, targets[0]
        self.opened.put_nowait((trunk.trunk_id, self.target.address))

    def end(self):
        pass


class Names:
    """Stands in for the name servers: no answer, until `found` has the name."""

    def __init__(self):
        self.found, self.lookups, self.silent = {}, [], set()

    async def of(self, trunk, **_):
        self.lookups.append(trunk.trunk_id)
        if trunk.trunk_id in self.silent:
            await asyncio.Event().wait()
        addresses = self.found.get(trunk.trunk_id, [])
        return [Target("udp", address, trunk.port, trunk.host) for address in addresses]


@pytest.fixture
def names(monkeypatch):
    monkeypatch.setattr(trunk_lines, "_LOOK_AGAIN", 0.01)
    return Names()


@pytest.fixture
def opened(monkeypatch):
    monkeypatch.setattr(trunk_lines, "TrunkLine", Line)
    Line.opened = asyncio.Queue()
    return Line.opened


@pytest.fixture
def statuses():
    return asyncio.Queue()


@pytest.fixture
def trunks(names, opened, statuses):
    config = Config(
        account_sid="AC" + "0" * 32,
        auth_token="t",
        voice_url="http://127.0.0.1:1/",
        allow_private_trunks=True,
    )
    return trunk_lines.TrunkLines(
        config,
        None,
        lambda trunk_id, _, status, *__: statuses.put_nowait((trunk_id, status)),
        names,
    )


async def test_a_host_name_that_is_not_found_is_looked_up_again_soon(
    names, trunks, opened, statuses
):
    trunks.apply(trunk(TRUNK_A, 5060))
    async with asyncio.timeout(WITHIN_S):
        for _ in range(3):
            assert await statuses.get() == (TRUNK_A, "failed")
        names.found[TRUNK_A] = ["192.0.2.1"]
        assert await opened.get() == (TRUNK_A, "192.0.2.1")


async def test_the_host_of_a_dropped_trunk_is_no_longer_looked_up(names, trunks, statuses):
    trunks.apply(trunk(TRUNK_A, 5060))
    async with asyncio.timeout(WITHIN_S):
        await statuses.get()
    trunks.drop(TRUNK_A)
    await asyncio.sleep(0)
    assert trunks._looking == {}


async def test_a_changed_address_is_followed_while_another_name_gets_no_answer(
    names, trunks, opened, monkeypatch
):
    names.found = {TRUNK_A: ["192.0.2.1"], TRUNK_B: ["192.0.2.2"]}
    for each in (TRUNK_A, TRUNK_B):
        trunks.apply(trunk(each, 5060))
        async with asyncio.timeout(WITHIN_S):
            await opened.get()
    names.silent, names.found[TRUNK_B] = {TRUNK_A}, ["192.0.2.3"]
    monkeypatch.setattr(trunk_lines, "_LOOK_EVERY", 0.01)
    following = asyncio.create_task(trunks.keep_looking())
    async with asyncio.timeout(WITHIN_S):
        assert await opened.get() == (TRUNK_B, "192.0.2.3")
    following.cancel()
