"""Tests of as many trunks as a gateway is sized for: registered once each, spread out, and
steady.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import time
from pathlib import Path

import pytest

from gateway.legs.sip import trunk_lines
from gateway.legs.sip.pace import PER_SECOND
from tests.sip.peers.registrar import Registrar
from tests.support.thorough import often
from tests.unit.gateway.sip.conftest import trunk

SOME = 160
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def crowd(count, port):
    ids = itertools.islice(itertools.product(_LETTERS, repeat=4), count)
    for nth, letters in enumerate(ids):
        trunk_id = "trunk_" + "a" * 22 + "".join(letters)
        yield dataclasses.replace(trunk(trunk_id, port), username=f"acct{nth}")


async def all_registered(legs, wanted, within_s):
    standing = {}
    async with asyncio.timeout(within_s):
        while sum(status == "registered" for status in standing.values()) < len(wanted):
            trunk_id, _, status, *_ = await legs.statuses.get()
            standing[trunk_id] = status


def used_kb():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.deep
async def test_many_trunks_are_registered_one_by_one(legs):
    async with Registrar() as registrar:
        wanted = list(crowd(SOME, registrar.port))
        for each in wanted:
            legs.apply(each)
        await all_registered(legs, wanted, within_s=30)
        took = registrar.began[-1] - registrar.began[0]
        assert took > 0.9 * (SOME - 1) / PER_SECOND
        assert len(registrar.began) == SOME
        for each in wanted:
            legs.drop(each.trunk_id)
        await registrar.until(lambda: not registrar.registered)


async def test_a_trunk_too_many_fails_until_another_is_dropped(legs, monkeypatch):
    monkeypatch.setattr(trunk_lines, "MAX_TRUNKS", 3)
    async with Registrar() as registrar:
        first, *others, last = crowd(4, registrar.port)
        for each in (first, *others, last):
            legs.apply(each)
        async with asyncio.timeout(10):
            while (status := await legs.statuses.get())[0] != last.trunk_id:
                pass
        assert status[2:] == ("failed", None, "this gateway has as many trunks as it can carry")
        legs.drop(first.trunk_id)
        await all_registered(legs, [last], within_s=10)
        await registrar.until(lambda: registrar.registered == 3)


THOUSANDS = often(0, 2000)


@pytest.mark.deep
@pytest.mark.skipif(not THOUSANDS, reason="two minutes: make fuzz")
async def test_two_thousand_trunks_register_and_stay_registered(legs):
    empty = used_kb()
    async with Registrar(expires=60) as registrar:
        wanted = list(crowd(THOUSANDS, registrar.port))
        began = time.monotonic()
        for each in wanted:
            legs.apply(each)
        await all_registered(legs, wanted, within_s=120)
        took, before = time.monotonic() - began, dict(registrar.requests)
        full, cpu = used_kb(), time.process_time()
        await asyncio.sleep(90)  # each has been refreshed at least once
        spent = time.process_time() - cpu
        print(
            f"\n{THOUSANDS} trunks registered in {took:.1f} s; with the registrar this process has "
            f"{empty} KB before, {full} KB then, {used_kb()} KB after 90 s, and spends "
            f"{spent / 90:.1%} of a core on refreshes;"
            f" requests {before}, then {dict(registrar.requests)}"
        )
        assert registrar.registered == THOUSANDS
        assert registrar.requests["REGISTER"] >= before["REGISTER"] + THOUSANDS
