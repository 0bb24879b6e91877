"""Tests of what several gateways are told: each which trunks are its."""

from __future__ import annotations

import pytest

from chalicelib import bootstrap
from chalicelib.domain.gateway_lease import LEASE_MS, MAX_GATEWAYS, SETTLE_MS, holder
from chalicelib.services.line import gateway_leases
from tests.support.http import GATEWAY_CONTROL_SECRET, problem
from tests.support.world import with_settings

URLS = {name: f"http://{name}.test:8703" for name in ("a", "b")}


def serve(world, monkeypatch, *, many):
    deps = with_settings(bootstrap.dependencies(), many_gateways=many)
    world.deps = with_settings(world.deps, many_gateways=many)
    monkeypatch.setattr(bootstrap, "dependencies", lambda: deps)


@pytest.fixture
def many(api, world, connected, monkeypatch):
    """Two gateways may come; nobody has a lease yet. The trunk's id."""
    serve(world, monkeypatch, many=True)
    for each in world.stores.gateway_leases.all():
        world.stores.gateway_leases.release(each.name, each.url)
    return connected["trunk_id"]


def post(api, verb, name, **body):
    given = {"gateway": f"{name}-1", "machine": name, **body}
    return api.control(f"/gateway/trunks/{verb}", given, GATEWAY_CONTROL_SECRET)


def renew(api, name, **more):
    return post(api, "lease", name, url=URLS.get(name, f"http://{name}"), **more)


def ours(api, name, trunk_id):
    after, found = None, {}
    while True:
        page = post(api, "list", name, after=after).json_body
        found |= {each["trunk_id"]: each["ours"] for each in page["trunks"]}
        after = page["next"]
        if after is None:
            break
    assert post(api, "fetch", name, trunk_id=trunk_id).json_body["ours"] is found[trunk_id]
    return found[trunk_id]


def both(api, world):
    for name in URLS:
        assert renew(api, name).status_code == 200
    world.clock.advance(SETTLE_MS / 1000)


def report(api, world, name, trunk_id, status):
    post(api, "report", name, trunk_id=trunk_id, revision=1, status=status, sip_code=200)
    return world.stores.trunks.get(trunk_id).status


def test_each_trunk_is_one_gateway_s_and_that_one_s_reports_count(api, world, many):
    both(api, world)
    mine = holder(many, gateway_leases.present(world.deps)).name
    other = next(name for name in URLS if name != mine)
    assert (ours(api, mine, many), ours(api, other, many)) == (True, False)
    assert report(api, world, other, many, "failed") == "registering"
    assert report(api, world, mine, many, "registered") == "registered"


def test_a_gateway_that_stops_renewing_is_taken_over(api, world, many):
    both(api, world)
    lost = holder(many, gateway_leases.present(world.deps)).name
    other = next(name for name in URLS if name != lost)
    world.clock.advance((LEASE_MS - SETTLE_MS) / 1000 - 1)
    before = renew(api, other).json_body
    assert before["again_ms"] < 2000
    world.clock.advance(before["again_ms"] / 1000)
    assert renew(api, other).json_body["division"] != before["division"]
    assert ours(api, other, many)


def test_the_others_are_told_when_a_gateway_comes_drains_or_leaves(api, world, many):
    told = world.trunk_host.divided_at
    both(api, world)
    assert told[-1] == [URLS["a"]]
    count = len(told)
    renew(api, "b")
    assert len(told) == count
    renew(api, "b", draining=True)
    assert told[count:] == [[URLS["a"]]]
    assert renew(api, "b", leaving=True).status_code == 200
    assert told[count + 1 :] == [[URLS["a"]]]
    assert [each.name for each in gateway_leases.present(world.deps)] == ["a"]


def test_two_gateways_of_one_name_are_refused_with_the_remedy(api, world, many):
    renew(api, "a")
    refused = post(api, "lease", "a", url="http://elsewhere:8703")
    assert problem(refused) == (409, "gateway_refused")
    assert "GATEWAY_ID of its own" in refused.json_body["detail"]


def test_gateways_are_bounded(api, world, many):
    for number in range(MAX_GATEWAYS):
        assert renew(api, f"g{number}").status_code == 200
    assert problem(renew(api, "one-more")) == (409, "gateway_refused")
    assert renew(api, "g0").status_code == 200


def test_an_installation_with_one_gateway_gives_no_leases_and_says_nothing_of_them(
    api, world, many, monkeypatch
):
    serve(world, monkeypatch, many=False)
    assert problem(renew(api, "a")) == (409, "one_gateway")
    assert "ours" not in post(api, "fetch", "a", trunk_id=many).json_body


@pytest.mark.parametrize(
    "change", [{"url": "ftp://x"}, {"url": "http://x/path"}, {"machine": "a b"}, {"url": None}]
)
def test_an_invalid_lease_is_422(api, many, change):
    assert problem(post(api, "lease", "a", **{"url": "http://x", **change})) == (422, "invalid")
