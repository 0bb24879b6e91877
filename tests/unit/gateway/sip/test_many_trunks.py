"""Tests of as many trunks as a gateway is sized for: registered once each, spread out, and
steady.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import os
import signal
import time
from pathlib import Path

import pytest
from gateway.legs.sip.child.pace import PER_SECOND

from gateway.config import Config
from gateway.legs.sip.bounds import TRUNKS_PER_CHILD
from tests.sip.peers.registrar import Registrar
from tests.support.thorough import often
from tests.unit.gateway.sip.conftest import has_agents, trunk

CHILDREN = Config.__dataclass_fields__["sip_children"].default
SOME = 160
"""Half of what a child took for too many when each trunk had two agents."""

OWN = 2
"""Agents of a child that belong to no trunk."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def crowd(count, port):
    ids = itertools.islice(itertools.product(_LETTERS, repeat=4), count)
    for nth, letters in enumerate(ids):
        trunk_id = "trunk_" + "a" * 22 + "".join(letters)
        yield dataclasses.replace(trunk(trunk_id, port), username=f"acct{nth}")


async def all_registered(pool, wanted, within_s):
    standing = {}
    async with asyncio.timeout(within_s):
        while sum(status == "registered" for status in standing.values()) < len(wanted):
            trunk_id, _, status, *_ = await pool.statuses.get()
            standing[trunk_id] = status


def used_kb(child):
    status = Path(f"/proc/{child.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.deep
@pytest.mark.parametrize("pool", [1], indirect=True)
async def test_a_child_registers_many_trunks_one_by_one_without_stutter(pool):
    [child] = pool.children
    pid = child.pid
    async with Registrar() as registrar:
        wanted = list(crowd(SOME, registrar.port))
        for each in wanted:
            pool.apply(each)
        await all_registered(pool, wanted, within_s=30)
        took = registrar.began[-1] - registrar.began[0]
        assert took > 0.9 * (SOME - 1) / PER_SECOND
        await has_agents(child, OWN + SOME)
        assert (child.pid, child.restarts) == (pid, 0)
        assert len(registrar.began) == SOME

        os.kill(pid, signal.SIGKILL)
        await all_registered(pool, wanted, within_s=30)
        assert child.restarts == 1
        again = registrar.began[SOME:]
        assert again[-1] - again[0] > 0.9 * (SOME - 1) / PER_SECOND
        for each in wanted:
            pool.drop(each.trunk_id)
        await has_agents(child, OWN)


@pytest.mark.deep
@pytest.mark.parametrize("pool", [1], indirect=True)
async def test_a_trunk_too_many_fails_until_another_is_dropped(pool):
    async with Registrar(challenges=False) as registrar:
        wanted = list(crowd(TRUNKS_PER_CHILD + 1, registrar.port))
        for each in wanted:
            pool.apply(each)
        last = wanted[-1].trunk_id
        async with asyncio.timeout(10):
            while (status := await pool.statuses.get())[0] != last:
                pass
        assert status[2:] == ("failed", None, "this gateway has as many trunks as it can carry")
        for each in wanted[:TRUNKS_PER_CHILD]:
            pool.drop(each.trunk_id)
        await all_registered(pool, wanted[-1:], within_s=10)


THOUSANDS = often(0, 2000)


@pytest.mark.deep
@pytest.mark.skipif(not THOUSANDS, reason="two minutes: make fuzz")
@pytest.mark.parametrize("pool", [CHILDREN], indirect=True)
async def test_two_thousand_trunks_register_and_stay_registered(pool):
    pids = [child.pid for child in pool.children]
    empty = [used_kb(child) for child in pool.children]
    async with Registrar(expires=60) as registrar:
        wanted = list(crowd(THOUSANDS, registrar.port))
        began = time.monotonic()
        for each in wanted:
            pool.apply(each)
        await all_registered(pool, wanted, within_s=120)
        took, before = time.monotonic() - began, dict(registrar.requests)
        full = [used_kb(child) for child in pool.children]
        cpu = sum(_cpu_s(child) for child in pool.children)
        await asyncio.sleep(90)  # each has been refreshed at least once
        spent = sum(_cpu_s(child) for child in pool.children) - cpu
        later = [used_kb(child) for child in pool.children]
        print(
            f"\n{THOUSANDS} trunks registered in {took:.1f} s; children have "
            f"{empty} KB empty, {full} KB then, {later} KB after 90 s;"
            f" CPU {cpu:.1f} s to register, {spent / 90:.1%} of a core to refresh;"
            f" requests {before}, then {dict(registrar.requests)}"
        )
        assert [child.pid for child in pool.children] == pids
        assert [child.restarts for child in pool.children] == [0] * len(pids)
        assert registrar.registered == THOUSANDS
        assert registrar.requests["REGISTER"] >= before["REGISTER"] + THOUSANDS
        assert sum(child.agents for child in pool.children) == THOUSANDS + OWN * len(pids)


def _cpu_s(child):
    fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
