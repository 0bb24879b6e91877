"""Tests that a tenant's calls keep their pace, whatever a stranger or another tenant does.

For each shared resource, an attacker takes all of it that it can get; the tenant's figures stay
within `FACTOR` of its figures in quiet.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

import pytest

from tests.load.machine import circumstances
from tests.neighbours import greedy
from tests.neighbours.attacker import ATTACKS, attacking
from tests.neighbours.pace import median, slower
from tests.support.engine import ROOT
from tests.support.running import Live, newcomers, stack_up
from tests.support.thorough import often

CALLS, TALK_S = often(3, 20), often(2, 5)
REPORT = ROOT / ".local" / "bench" / "neighbours.json"
LOOKS = 3
"""Measurements before a slowdown counts as the attack's: other programs can make a measurement
slower, but none can make it faster.
"""
WARM_UP_S = 3.0
"""Seconds that an attack goes on before anything is measured."""


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with stack_up(tmp_path_factory.mktemp("stack")) as process:
        yield process


@pytest.fixture(scope="module")
def live(process):
    return Live(process.read_stack_file())


@pytest.fixture(scope="module")
def neighbours(process):
    """Make an account for each greedy tenant, and one number for all strangers to call: all of them
    before an attack takes the rest of the pool.
    """
    stranger, *tenants = newcomers(process, 1 + len(greedy.ATTACKS))
    return dict.fromkeys(ATTACKS, stranger) | dict(zip(greedy.ATTACKS, tenants, strict=True))


@pytest.fixture(scope="module")
def quiet(live, neighbours):
    asyncio.run(median(live, 1, talk_s=1))  # the first call loads code, so it is not counted
    return asyncio.run(median(live, max(CALLS, 5), talk_s=TALK_S))


@pytest.fixture(scope="module")
def report(quiet):
    """Collect the figures by attack, in ms, and write them to `.local/bench/neighbours.json`."""
    figures = {"quiet": asdict(quiet)}
    yield figures
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps({**circumstances(), "ms": figures}, indent=1) + "\n")


@pytest.mark.parametrize("name", ATTACKS)
def test_a_call_keeps_its_pace_during(  # noqa: PLR0917 - fixtures
    name, live, quiet, neighbours, report, tmp_path
):
    with attacking(neighbours[name].stack, tmp_path, name):
        for _ in range(LOOKS):
            loud = asyncio.run(median(live, CALLS, talk_s=TALK_S, wait_s=WARM_UP_S))
            if not slower(quiet, loud):
                break
    report[name] = asdict(loud)
    assert not slower(quiet, loud)
