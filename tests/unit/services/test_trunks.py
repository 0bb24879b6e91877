"""Tests of trunks: connected, changed, disconnected; their passwords; how often."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.domain.did import did_event
from chalicelib.domain.event import EventType
from chalicelib.domain.trunk import TrunkStatus
from chalicelib.logs import formatter
from chalicelib.providers.base import Reject
from chalicelib.services.call import inbound
from chalicelib.services.line import dids, gateway_trunks, trunks
from chalicelib.services.line.trunk_checks import PrivateHost, ProviderNotConfigured
from chalicelib.services.line.trunks import (
    NoTrunk,
    TooManyConnects,
    UnknownTrunk,
    VaultMissing,
)
from chalicelib.store import contention
from chalicelib.store.table import Contention, put
from chalicelib.store.trunk_items import TrunkChanged, trunk_item
from chalicelib.store.trunk_limits import MAX_CONNECTS
from chalicelib.store.trunks import TrunkStore
from chalicelib.store.vault import BadSeal
from tests.support.engine import everything_in
from tests.support.world import RecordingProvider, World, with_settings
from tests.unit.services.trunks import (
    FAILED,
    PASSWORD,
    REGISTERED,
    did_of,
    events_of,
    report,
    settings,
    through,
)


def test_the_gateway_is_notified_after_a_connected_trunk_can_be_fetched(world):
    seen = []
    world.trunk_host.changed = lambda trunk_id: seen.append(
        gateway_trunks.fetch(world.deps, trunk_id)
    )
    trunk, first = trunks.connect(world.deps, world.account_id, settings(caller_id="+33187654321"))
    assert first
    assert (trunk.revision, trunk.status) == (1, TrunkStatus.REGISTERING)
    assert world.stores.trunks.of_account(world.account_id) == trunk
    assert world.stores.trunks.get(trunk.trunk_id) == trunk
    assert seen == [(trunk, PASSWORD)]
    assert trunks.credentials(world.deps, trunk) == PASSWORD
    assert world.events()[-1] == "trunk.connected"


def test_new_settings_replace_all_former_ones_and_keep_the_numbers(world, e164):
    first = world.new_trunk(realm="asterisk", allowed_countries=["FR"])
    world.new_did(e164, label="Desk")
    report(world, first, REGISTERED, 200)
    second, created = trunks.connect(world.deps, world.account_id, settings(password="other"))
    assert not created
    assert (second.trunk_id, second.revision) == (first.trunk_id, 2)
    assert (second.realm, second.allowed_countries) == (None, ())
    assert (second.status, second.sip_code) == (TrunkStatus.REGISTERING, None)
    assert trunks.credentials(world.deps, second) == "other"
    assert [did.label for did in world.stores.dids.of_trunk(second.trunk_id)] == ["Desk"]
    assert world.trunk_host.notified == [first.trunk_id, first.trunk_id]


def test_the_password_is_refused_for_an_outdated_trunk(world):
    """Else a password could meet the host that was set before it."""
    before = world.new_trunk()
    world.new_trunk(host="other.carrier.example", password="other")
    with pytest.raises(UnknownTrunk):
        trunks.credentials(world.deps, before)


def test_a_sealed_password_copied_to_another_trunk_does_not_open(world):
    mine = world.new_trunk()
    stranger, _ = world.new_account()
    theirs = world.new_trunk(stranger, password="theirs")
    record = world.stores.trunks.record(mine.trunk_id)
    stolen = world.stores.trunks.record(theirs.trunk_id).sealed_password
    item = {**trunk_item(record), "sealed_password": stolen}
    world.table.write(put(item))
    with pytest.raises(BadSeal):
        trunks.credentials(world.deps, mine)
    with pytest.raises(UnknownTrunk):
        gateway_trunks.fetch(world.deps, mine.trunk_id)
    seen = world.stores.trunks.of_account(world.account_id)
    assert seen.status is FAILED
    assert "connect the trunk again" in seen.detail


def test_the_password_is_stored_sealed_and_appears_in_no_log_event_or_repr(empty_table, caplog):
    world = World(empty_table)
    with caplog.at_level(logging.DEBUG):
        trunk = world.new_trunk()
        world.new_did("+33187654321")
        report(world, trunk, FAILED, 401, "Wrong password.")
        gateway_trunks.fetch(world.deps, trunk.trunk_id)
        trunks.disconnect(world.deps, world.account_id)
        world.new_trunk()
    logged = "\n".join(formatter().format(record) for record in caplog.records)
    assert "trunk connected" in logged
    record = world.stores.trunks.record_of_account(world.account_id)
    for text in (logged, repr(everything_in(empty_table)), repr(record), repr(world.deps)):
        assert PASSWORD not in text
    assert record.sealed_password not in repr(record)
    assert all(PASSWORD not in event.model_dump_json() for event in events_of(world))
    assert all("sealed" not in event.model_dump_json() for event in events_of(world))


@pytest.mark.parametrize("before", [0, 1])
def test_concurrent_connects_are_applied_one_after_the_other(world, before):
    for _ in range(before):
        world.new_trunk()
    wishes = [settings(host=f"sip{n}.carrier.example", password=f"pw-{n}") for n in range(6)]

    def connect(trunk_settings):
        return trunks.connect(world.deps, world.account_id, trunk_settings)

    with ThreadPoolExecutor(6) as crowd:
        made = list(crowd.map(connect, wishes))
    assert len({trunk.trunk_id for trunk, _ in made}) == 1
    assert sorted(trunk.revision for trunk, _ in made) == list(range(1 + before, 7 + before))
    assert [first for _, first in made].count(True) == 1 - before
    last = max((trunk for trunk, _ in made), key=lambda trunk: trunk.revision)
    assert world.stores.trunks.of_account(world.account_id) == last
    assert trunks.credentials(world.deps, last) == f"pw-{last.host[3]}"
    assert world.events().count("trunk.connected") == 6 + before


@pytest.mark.parametrize("act", ["connect", "disconnect", "add", "remove", "report"])
def test_too_many_collisions_on_a_trunk_are_reported_as_busy(world, monkeypatch, act, e164):
    monkeypatch.setattr(contention, "WAIT_S", 0)
    trunk = world.new_trunk()
    world.new_did(e164)

    def collide(*_):
        raise Contention

    for verb in ("change", "remove", "report"):
        monkeypatch.setattr(world.stores.trunks, verb, collide)
    for verb in ("add", "remove"):
        monkeypatch.setattr(world.stores.dids, verb, collide)
    acts = {
        "connect": world.new_trunk,
        "disconnect": lambda: trunks.disconnect(world.deps, world.account_id),
        "add": lambda: world.new_did("+33187654321"),
        "remove": lambda: dids.remove(world.deps, world.account_id, e164),
        "report": lambda: report(world, trunk, REGISTERED, 200),
    }
    with pytest.raises(Contention):
        acts[act]()


def test_a_change_between_read_and_write_is_detected(world):
    world.new_trunk()
    stale = world.stores.trunks.record_of_account(world.account_id)
    world.new_trunk(port=5080)
    event = did_event(EventType.NUMBER_ADDED, did_of(world, "+33187654321"), 0)
    with pytest.raises(TrunkChanged):
        world.stores.trunks.change(stale, stale.trunk, "sealed", event)
    with pytest.raises(TrunkChanged):
        world.stores.trunks.report(stale, stale.trunk, event)
    with pytest.raises(TrunkChanged):
        world.stores.trunks.remove(stale, event)
    assert world.stores.trunks.of_account(world.account_id).port == 5080


def test_connecting_without_a_vault_is_refused_and_leaves_nothing(empty_table):
    world = World(empty_table)
    world.deps = replace(world.deps, vault=None)
    before = everything_in(empty_table)
    with pytest.raises(VaultMissing):
        world.new_trunk()
    assert everything_in(empty_table) == before


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "pbx.internal", "10.0.0.1"])
def test_a_private_host_is_accepted_only_if_the_operator_allows_it(world, host):
    with pytest.raises(PrivateHost, match=host):
        world.new_trunk(host=host)
    world.deps = with_settings(world.deps, private_trunks=True)
    assert world.new_trunk(host=host).host == host


def test_a_provider_that_is_not_configured_is_reported(world):
    with pytest.raises(ProviderNotConfigured, match="twilio"):
        world.new_trunk(provider="twilio")
    world.deps = replace(world.deps, providers={"twilio": RecordingProvider("twilio")})
    with pytest.raises(ProviderNotConfigured, match="CHAMADE_TWILIO_SIP_DOMAIN"):
        world.new_trunk(provider="twilio")
    with pytest.raises(ProviderNotConfigured, match="gateway"):
        world.new_trunk()


def test_disconnecting_a_trunk_removes_it_completely(empty_table):
    world = World(empty_table)
    before = [item for item in everything_in(empty_table) if "#EVENTS" not in item["pk"]]
    trunk = world.new_trunk()
    world.new_did("+33187654321")
    world.clock.advance(1)  # events of one moment have no order
    trunks.disconnect(world.deps, world.account_id)
    with pytest.raises(NoTrunk):
        trunks.see(world.deps, world.account_id)
    with pytest.raises(NoTrunk):
        trunks.disconnect(world.deps, world.account_id)
    with pytest.raises(UnknownTrunk):
        gateway_trunks.fetch(world.deps, trunk.trunk_id)
    assert gateway_trunks.list_trunks(world.deps, None) == ([], None)
    assert inbound.receive(world.deps, through(world, trunk, "+33187654321")) == Reject()
    assert world.trunk_host.notified == [trunk.trunk_id] * 2
    assert world.events()[-1] == "trunk.disconnected"
    after = everything_in(empty_table)
    kept, counters = ("#EVENTS", "#OUTBOX"), ("EVENT_COUNTER", "CONNECTS#")
    rest = [i for i in after if not (i["pk"].endswith(kept) or i["sk"].startswith(counters))]
    gone = [i for i in before if not (i["pk"].endswith(kept) or i["sk"].startswith(counters))]
    assert sorted(rest, key=str) == sorted(gone, key=str)


def test_leftovers_of_an_interrupted_disconnect_are_unreachable_and_hold_no_number(
    both, monkeypatch
):
    trunk = both.new_trunk(provider="twilio")
    both.new_did("+33187650001")

    def crash(*_):
        raise RuntimeError("the process died")

    monkeypatch.setattr(TrunkStore, "clear_away", crash)
    trunks.disconnect(both.deps, both.account_id)
    monkeypatch.undo()
    assert both.deps.stores.dids.get(trunk.trunk_id, "+33187650001")
    assert both.deps.stores.dids.of_trunk(trunk.trunk_id) == []
    assert both.deps.stores.dids.at("twilio", "+33187650001") is None
    stranger, _ = both.new_account()
    theirs = both.new_trunk(stranger, provider="twilio")
    both.new_did("+33187650001", stranger)
    both.deps.stores.trunks.clear_away(trunk)  # late
    found = both.deps.stores.dids.at("twilio", "+33187650001")
    assert found.trunk_id == theirs.trunk_id
    assert both.deps.stores.dids.get(trunk.trunk_id, "+33187650001") is None


def test_a_new_trunk_keeps_nothing_of_the_disconnected_one(world, e164):
    old = world.new_trunk()
    world.new_did(e164)
    trunks.disconnect(world.deps, world.account_id)
    new = world.new_trunk()
    assert (new.trunk_id != old.trunk_id, new.revision) == (True, 1)
    assert world.stores.dids.of_trunk(new.trunk_id) == []


def test_connects_an_hour_are_limited_despite_disconnecting(world):
    """Each makes the gateway knock at a carrier."""
    world.clock.ms = 1_789_999_200_000 + 600_000  # ten past
    for _ in range(MAX_CONNECTS // 2):
        world.new_trunk()
        trunks.disconnect(world.deps, world.account_id)
        last = world.new_trunk()
    notified = len(world.trunk_host.notified)
    with pytest.raises(TooManyConnects) as refused:
        world.new_trunk(port=5080)
    assert (refused.value.limit, refused.value.retry_after_s) == (20, 50 * 60)
    assert world.stores.trunks.of_account(world.account_id) == last
    trunks.disconnect(world.deps, world.account_id)
    with pytest.raises(TooManyConnects):
        world.new_trunk()
    assert len(world.trunk_host.notified) == notified + 1
    assert world.new_trunk(world.new_account()[0])
    world.clock.advance(50 * 60 - 0.001)
    with pytest.raises(TooManyConnects) as refused:
        world.new_trunk()
    assert refused.value.retry_after_s == 1
    world.clock.advance(0.001)
    assert world.new_trunk()


def test_concurrent_connects_are_each_counted(world, monkeypatch):
    monkeypatch.setattr("chalicelib.store.trunk_limits.MAX_CONNECTS", 3)

    def connect(_):
        try:
            return world.new_trunk()
        except TooManyConnects:
            return None

    with ThreadPoolExecutor(6) as crowd:
        made = [trunk for trunk in crowd.map(connect, range(6)) if trunk]
    assert sorted(trunk.revision for trunk in made) == [1, 2, 3]


def test_the_count_of_connects_has_a_ttl(world):
    world.new_trunk()
    now_s = world.clock() // 1000
    item = world.table.get(f"ACCOUNT#{world.account_id}", f"CONNECTS#{now_s // 3600}")
    assert now_s + 3600 < item["expires_at"] <= now_s + 2 * 3600


def test_refused_settings_are_not_counted_as_connects(world, monkeypatch):
    monkeypatch.setattr("chalicelib.store.trunk_limits.MAX_CONNECTS", 1)
    with pytest.raises(PrivateHost):
        world.new_trunk(host="localhost")
    assert world.new_trunk()
