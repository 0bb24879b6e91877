"""What the gateway is told of trunks, and what it tells."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.domain.trunk import TrunkStatus
from chalicelib.services import trunks
from chalicelib.services.trunks import UnknownTrunk
from tests.support.world import NotedProvider, World
from tests.unit.services.trunks import FAILED, REGISTERED, events_of, report


def test_the_gateway_lists_its_trunks_in_pages_and_no_others(empty_table, monkeypatch):
    monkeypatch.setattr(trunks, "PAGE", 2)
    world = World(empty_table)
    providers = {"gateway": world.provider, "twilio": NotedProvider("twilio")}
    world.ports = replace(world.ports, providers=providers, twilio_sip_domain="d")
    ids = {world.new_trunk(world.new_account()[0]).trunk_id for _ in range(5)}
    world.new_trunk(world.new_account()[0], provider="twilio")
    listed, after, pages = [], None, 0
    while True:
        page, after = trunks.list_for_gateway(world.ports, after)
        listed += [trunk.trunk_id for trunk in page]
        pages += 1
        if after is None:
            break
    assert sorted(ids) == listed
    assert pages == 3


def test_a_report_sets_the_status_and_tells_the_owner_once(world):
    trunk = world.new_trunk()
    world.clock.advance(1)
    assert report(world, trunk, FAILED, 401, "Wrong username or password: set them anew.") == 1
    failed = world.ports.trunks.of_account(world.account_id)
    assert (failed.status, failed.sip_code, failed.status_at) == (FAILED, 401, world.clock())
    assert "set them anew" in failed.detail
    world.clock.advance(60)
    for status in (TrunkStatus.REGISTERING, FAILED, TrunkStatus.REGISTERING):
        report(world, trunk, status, 401, "Wrong username or password: set them anew.")
    assert world.ports.trunks.of_account(world.account_id) == failed
    report(world, trunk, FAILED, 503, "The carrier is down.")
    assert world.ports.trunks.of_account(world.account_id).sip_code == 503
    report(world, trunk, REGISTERED, 200)
    report(world, trunk, REGISTERED, 200)
    told = [event for event in events_of(world) if event.type.startswith("trunk.")]
    assert [event.type for event in told] == ["trunk.connected", "trunk.failed", "trunk.registered"]
    assert told[1].data["trunk"]["sip_code"] == 401
    assert "set them anew" in told[1].data["trunk"]["detail"]


def test_a_report_about_an_old_revision_changes_nothing(world):
    old = world.new_trunk()
    new = world.new_trunk(password="other")
    assert report(world, old, FAILED, 401, "Wrong password.") == 2
    assert world.ports.trunks.of_account(world.account_id) == new
    assert report(world, new, REGISTERED, 200, revision=9) == 2
    assert world.ports.trunks.of_account(world.account_id) == new
    assert "trunk.failed" not in world.events()


def test_a_report_and_new_settings_at_once_leave_the_new_settings_status(world, monkeypatch):
    old = world.new_trunk()
    real = world.ports.trunks.report

    def overtaken(*args):
        monkeypatch.setattr(world.ports.trunks, "report", real)
        world.new_trunk(password="other")
        return real(*args)

    monkeypatch.setattr(world.ports.trunks, "report", overtaken)
    assert report(world, old, FAILED, 401, "Wrong password.") == 2
    assert world.ports.trunks.of_account(world.account_id).status is TrunkStatus.REGISTERING
    assert "trunk.failed" not in world.events()


def test_reports_that_come_at_once_tell_the_owner_once(world):
    trunk = world.new_trunk()
    with ThreadPoolExecutor(6) as crowd:
        list(crowd.map(lambda _: report(world, trunk, REGISTERED, 200), range(6)))
    assert world.events().count("trunk.registered") == 1


@pytest.mark.parametrize("trunk_id", ["", "trunk_x", "trunk_" + "a" * 26, "x" * 3000])
def test_a_trunk_that_is_not_there_can_be_neither_fetched_nor_reported(world, trunk_id):
    with pytest.raises(UnknownTrunk):
        trunks.fetch_for_gateway(world.ports, trunk_id)
    with pytest.raises(UnknownTrunk):
        trunks.report(world.ports, trunk_id, revision=1, status=REGISTERED, sip_code=200)


def test_a_trunk_of_another_provider_is_none_of_the_gateways(both):
    trunk = both.new_trunk(provider="twilio")
    with pytest.raises(UnknownTrunk):
        trunks.fetch_for_gateway(both.ports, trunk.trunk_id)
    with pytest.raises(UnknownTrunk):
        report(both, trunk, REGISTERED, 200)
    assert both.trunk_host.told == []


def test_a_trunk_that_moves_away_from_the_gateway_is_told_of(both):
    trunk = both.new_trunk()
    both.new_trunk(provider="twilio")
    both.new_trunk()
    assert both.trunk_host.told == [trunk.trunk_id] * 3
