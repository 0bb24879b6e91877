"""Tests of the exchange with the gateway about trunks: lists, reports, notifications."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.domain.trunk import TrunkStatus
from chalicelib.services.line import gateway_trunks
from chalicelib.services.line.trunks import UnknownTrunk
from tests.support.world import RecordingProvider, World, with_settings
from tests.unit.services.trunks import FAILED, REGISTERED, events_of, report


def test_the_gateway_lists_its_trunks_in_pages_and_no_others(empty_table, monkeypatch):
    monkeypatch.setattr(gateway_trunks, "PAGE", 2)
    world = World(empty_table)
    providers = {"gateway": world.provider, "twilio": RecordingProvider("twilio")}
    world.deps = with_settings(replace(world.deps, providers=providers), twilio_sip_domain="d")
    ids = {world.new_trunk(world.new_account()[0]).trunk_id for _ in range(5)}
    world.new_trunk(world.new_account()[0], provider="twilio")
    listed, after, pages = [], None, 0
    while True:
        page, after = gateway_trunks.list_trunks(world.deps, after)
        listed += [trunk.trunk_id for trunk in page]
        pages += 1
        if after is None:
            break
    assert sorted(ids) == listed
    assert pages == 3


def test_a_report_sets_the_status_with_one_event(world):
    trunk = world.new_trunk()
    world.clock.advance(1)
    assert report(world, trunk, FAILED, 401, "Wrong username or password: set them anew.") == 1
    failed = world.stores.trunks.of_account(world.account_id)
    assert (failed.status, failed.sip_code, failed.status_at) == (FAILED, 401, world.clock())
    assert "set them anew" in failed.detail
    world.clock.advance(60)
    for status in (TrunkStatus.REGISTERING, FAILED, TrunkStatus.REGISTERING):
        report(world, trunk, status, 401, "Wrong username or password: set them anew.")
    assert world.stores.trunks.of_account(world.account_id) == failed
    report(world, trunk, FAILED, 503, "The carrier is down.")
    assert world.stores.trunks.of_account(world.account_id).sip_code == 503
    report(world, trunk, REGISTERED, 200)
    report(world, trunk, REGISTERED, 200)
    trunk_events = [event for event in events_of(world) if event.type.startswith("trunk.")]
    assert [event.type for event in trunk_events] == [
        "trunk.connected",
        "trunk.failed",
        "trunk.registered",
    ]
    assert trunk_events[1].data["trunk"]["sip_code"] == 401
    assert "set them anew" in trunk_events[1].data["trunk"]["detail"]


def test_a_report_about_an_old_revision_changes_nothing(world):
    old = world.new_trunk()
    new = world.new_trunk(password="other")
    assert report(world, old, FAILED, 401, "Wrong password.") == 2
    assert world.stores.trunks.of_account(world.account_id) == new
    assert report(world, new, REGISTERED, 200, revision=9) == 2
    assert world.stores.trunks.of_account(world.account_id) == new
    assert "trunk.failed" not in world.events()


def test_a_report_and_new_settings_at_once_leave_the_new_settings_status(world, monkeypatch):
    old = world.new_trunk()
    real = world.stores.trunks.report

    def overtaken(*args):
        monkeypatch.setattr(world.stores.trunks, "report", real)
        world.new_trunk(password="other")
        return real(*args)

    monkeypatch.setattr(world.stores.trunks, "report", overtaken)
    assert report(world, old, FAILED, 401, "Wrong password.") == 2
    assert world.stores.trunks.of_account(world.account_id).status is TrunkStatus.REGISTERING
    assert "trunk.failed" not in world.events()


def test_concurrent_reports_give_one_event(world):
    trunk = world.new_trunk()
    with ThreadPoolExecutor(6) as crowd:
        list(crowd.map(lambda _: report(world, trunk, REGISTERED, 200), range(6)))
    assert world.events().count("trunk.registered") == 1


@pytest.mark.parametrize("trunk_id", ["", "trunk_x", "trunk_" + "a" * 26, "x" * 3000])
def test_an_unknown_trunk_can_be_neither_fetched_nor_reported(world, trunk_id):
    with pytest.raises(UnknownTrunk):
        gateway_trunks.fetch(world.deps, trunk_id)
    with pytest.raises(UnknownTrunk):
        gateway_trunks.report(world.deps, trunk_id, revision=1, status=REGISTERED, sip_code=200)


def test_a_trunk_of_another_provider_is_unknown_to_the_gateway(both):
    trunk = both.new_trunk(provider="twilio")
    with pytest.raises(UnknownTrunk):
        gateway_trunks.fetch(both.deps, trunk.trunk_id)
    with pytest.raises(UnknownTrunk):
        report(both, trunk, REGISTERED, 200)
    assert both.trunk_host.notified == []


def test_the_gateway_is_notified_when_a_trunk_leaves_it(both):
    trunk = both.new_trunk()
    both.new_trunk(provider="twilio")
    both.new_trunk()
    assert both.trunk_host.notified == [trunk.trunk_id] * 3
