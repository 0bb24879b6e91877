"""Tests that each scenario makes the requests to AWS and to a provider that `expected.json` lists.

A count that grows fails: something has become dearer, and docs/cost.md with it. One that shrinks
fails as well, until the table says so: `CHAMADE_COUNTS=write pytest tests/counts`, then
`python -m tools.cost --write` for the doc.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from chalicelib import bootstrap
from chalicelib.domain.endpoint import NewEndpoint
from chalicelib.domain.line import LineChanges
from chalicelib.services import inbox
from chalicelib.services.delivery import endpoints
from chalicelib.services.line import numbers
from tests.counts.edge import Edge
from tests.counts.meter import Meter
from tests.counts.scenarios import SCENARIOS
from tests.support.engine import make_table
from tests.support.engine_inside import client_inside
from tests.support.http import serving
from tests.support.world import World, with_settings

TABLE = Path(__file__).with_name("expected.json")
EXPECTED = json.loads(TABLE.read_text()) if TABLE.exists() else {}
WRITE = os.environ.get("CHAMADE_COUNTS") == "write"


@pytest.fixture
def edge(request, monkeypatch):
    """The outside of an account that is in use: it has had a call, and its key's use is noted."""
    scenario = request.getfixturevalue("scenario")
    world = World(make_table(client_inside(), f"counts-{scenario}"))
    monkeypatch.setattr(inbox, "time", Waiting())
    with serving(world, monkeypatch) as api:
        # Ports keep their vault and poster as they are in production, but for the network.
        deps = with_settings(bootstrap.dependencies(), private_webhooks=True)
        monkeypatch.setattr(bootstrap, "dependencies", lambda: deps)
        if scenario.endswith("_webhook"):
            endpoint = NewEndpoint(url="https://agent.example/chamade")
            endpoints.create(deps, world.account_id, endpoint)
        if scenario.startswith("auto_"):
            numbers.change(deps, world.account_id, world.number, LineChanges(auto_answer=True))
        if scenario.startswith("dialled_"):
            world.register_trunk()
        used = Edge(api, world, Meter(world.table, client_inside()))
        used.ring(1)
        used.read()
        world.clock.advance(600)
        used.deadlines()
        used.read()
        used.meter.close()
        fresh = Edge(api, world, Meter(world.table, client_inside()))
        fresh.skip_past(used)
        yield fresh
        fresh.meter.close()


class Waiting:
    """Time for the long poll: it goes by when it is slept."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_scenario_makes_the_requests_in_expected_json(scenario, edge):
    SCENARIOS[scenario](edge)
    counted = edge.counted()
    print(scenario, edge.effort.summary())  # with -s
    if WRITE:
        _write(scenario, counted)
        return
    expected = EXPECTED[scenario]
    change = {name: counted.get(name, 0) - expected.get(name, 0) for name in {*counted, *expected}}
    grown = {name: by for name, by in change.items() if by > 0}
    shrunk = {name: by for name, by in change.items() if by < 0}
    assert not grown, f"{scenario} costs more than it did, by {grown}"
    assert not shrunk, f"{scenario} costs less, by {shrunk}: update the table"


def test_expected_json_lists_exactly_the_scenarios():
    assert WRITE or list(EXPECTED) == list(SCENARIOS)


def _write(scenario, counted):
    table = {**(json.loads(TABLE.read_text()) if TABLE.exists() else {}), scenario: counted}
    ordered = {name: table[name] for name in SCENARIOS if name in table}
    TABLE.write_text(json.dumps(ordered, indent=1) + "\n")
