"""Trunks: connected, changed, disconnected; their passwords; how often."""

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
from chalicelib.services import dids, ring, trunks
from chalicelib.services.trunks import (
    NoTrunk,
    PrivateHost,
    ProviderNotConfigured,
    TooManyConnects,
    UnknownTrunk,
    VaultMissing,
)
from chalicelib.store.table import Contention, put
from chalicelib.store.trunk_items import TrunkChanged, trunk_item
from chalicelib.store.trunk_limits import MAX_CONNECTS
from chalicelib.store.trunks import TrunkStore
from chalicelib.store.vault import BadSeal
from tests.support.engine import everything_in
from tests.support.world import NotedProvider, World
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


def test_a_trunk_is_connected_and_the_gateway_told_after_it_can_be_fetched(world):
    seen = []
    world.trunk_host.changed = lambda trunk_id: seen.append(
        trunks.fetch_for_gateway(world.ports, trunk_id)
    )
    trunk, first = trunks.connect(world.ports, world.account_id, settings(caller_id="+33187654321"))
    assert first
    assert (trunk.revision, trunk.status) == (1, TrunkStatus.REGISTERING)
    assert world.ports.trunks.of_account(world.account_id) == trunk
    assert world.ports.trunks.get(trunk.trunk_id) == trunk
    assert seen == [(trunk, PASSWORD)]
    assert trunks.credentials(world.ports, trunk) == PASSWORD
    assert world.events()[-1] == "trunk.connected"


def test_settings_anew_replace_all_and_keep_the_trunk_and_its_numbers(world, e164):
    first = world.new_trunk(realm="asterisk", allowed_countries=["FR"])
    world.new_did(e164, label="Desk")
    report(world, first, REGISTERED, 200)
    second, created = trunks.connect(world.ports, world.account_id, settings(password="other"))
    assert not created
    assert (second.trunk_id, second.revision) == (first.trunk_id, 2)
    assert (second.realm, second.allowed_countries) == (None, ())
    assert (second.status, second.sip_code) == (TrunkStatus.REGISTERING, None)
    assert trunks.credentials(world.ports, second) == "other"
    assert [did.label for did in world.ports.dids.of_trunk(second.trunk_id)] == ["Desk"]
    assert world.trunk_host.told == [first.trunk_id, first.trunk_id]


def test_a_password_is_not_given_out_for_a_trunk_as_it_was(world):
    """Else a password could meet the host that was set before it."""
    before = world.new_trunk()
    world.new_trunk(host="other.carrier.example", password="other")
    with pytest.raises(UnknownTrunk):
        trunks.credentials(world.ports, before)


def test_a_sealed_password_copied_to_another_trunk_does_not_open(world):
    mine = world.new_trunk()
    stranger, _ = world.new_account()
    theirs = world.new_trunk(stranger, password="theirs")
    record = world.ports.trunks.record(mine.trunk_id)
    stolen = world.ports.trunks.record(theirs.trunk_id).sealed_password
    item = {**trunk_item(record), "sealed_password": stolen}
    world.table.write(put(item))
    with pytest.raises(BadSeal):
        trunks.credentials(world.ports, mine)
    with pytest.raises(UnknownTrunk):
        trunks.fetch_for_gateway(world.ports, mine.trunk_id)
    seen = world.ports.trunks.of_account(world.account_id)
    assert seen.status is FAILED
    assert "set it anew" in seen.detail


def test_the_password_is_in_the_table_sealed_only_and_in_no_log_event_or_repr(empty_table, caplog):
    world = World(empty_table)
    with caplog.at_level(logging.DEBUG):
        trunk = world.new_trunk()
        world.new_did("+33187654321")
        report(world, trunk, FAILED, 401, "Wrong password.")
        trunks.fetch_for_gateway(world.ports, trunk.trunk_id)
        trunks.disconnect(world.ports, world.account_id)
        world.new_trunk()
    logged = "\n".join(formatter().format(record) for record in caplog.records)
    assert "trunk connected" in logged
    record = world.ports.trunks.record_of_account(world.account_id)
    for text in (logged, repr(everything_in(empty_table)), repr(record), repr(world.ports)):
        assert PASSWORD not in text
    assert record.sealed_password not in repr(record)
    assert all(PASSWORD not in event.model_dump_json() for event in events_of(world))
    assert all("sealed" not in event.model_dump_json() for event in events_of(world))


@pytest.mark.parametrize("before", [0, 1])
def test_two_who_connect_at_once_are_served_one_after_the_other(world, before):
    for _ in range(before):
        world.new_trunk()
    wishes = [settings(host=f"sip{n}.carrier.example", password=f"pw-{n}") for n in range(6)]

    def connect(wish):
        return trunks.connect(world.ports, world.account_id, wish)

    with ThreadPoolExecutor(6) as crowd:
        made = list(crowd.map(connect, wishes))
    assert len({trunk.trunk_id for trunk, _ in made}) == 1
    assert sorted(trunk.revision for trunk, _ in made) == list(range(1 + before, 7 + before))
    assert [first for _, first in made].count(True) == 1 - before
    last = max((trunk for trunk, _ in made), key=lambda trunk: trunk.revision)
    assert world.ports.trunks.of_account(world.account_id) == last
    assert trunks.credentials(world.ports, last) == f"pw-{last.host[3]}"
    assert world.events().count("trunk.connected") == 6 + before


@pytest.mark.parametrize("act", ["connect", "disconnect", "add", "remove", "report"])
def test_a_trunk_that_is_fought_over_too_long_is_said_to_be_busy(world, monkeypatch, act, e164):
    monkeypatch.setattr(trunks, "COLLISION_WAIT_S", 0)
    trunk = world.new_trunk()
    world.new_did(e164)

    def collide(*_):
        raise Contention

    for verb in ("change", "remove", "report"):
        monkeypatch.setattr(world.ports.trunks, verb, collide)
    for verb in ("add", "remove"):
        monkeypatch.setattr(world.ports.dids, verb, collide)
    acts = {
        "connect": world.new_trunk,
        "disconnect": lambda: trunks.disconnect(world.ports, world.account_id),
        "add": lambda: world.new_did("+33187654321"),
        "remove": lambda: dids.remove(world.ports, world.account_id, e164),
        "report": lambda: report(world, trunk, REGISTERED, 200),
    }
    with pytest.raises(Contention):
        acts[act]()


def test_a_change_between_look_and_write_is_seen(world):
    world.new_trunk()
    stale = world.ports.trunks.record_of_account(world.account_id)
    world.new_trunk(port=5080)
    event = did_event(EventType.NUMBER_ADDED, did_of(world, "+33187654321"), 0)
    with pytest.raises(TrunkChanged):
        world.ports.trunks.change(stale, stale.trunk, "sealed", event)
    with pytest.raises(TrunkChanged):
        world.ports.trunks.report(stale, stale.trunk, event)
    with pytest.raises(TrunkChanged):
        world.ports.trunks.remove(stale, event)
    assert world.ports.trunks.of_account(world.account_id).port == 5080


def test_without_a_vault_nothing_can_be_connected_and_nothing_is_left(empty_table):
    world = World(empty_table)
    world.ports = replace(world.ports, vault=None)
    before = everything_in(empty_table)
    with pytest.raises(VaultMissing):
        world.new_trunk()
    assert everything_in(empty_table) == before


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "pbx.internal", "10.0.0.1"])
def test_a_host_of_ones_own_network_is_only_taken_where_that_is_allowed(world, host):
    with pytest.raises(PrivateHost, match=host):
        world.new_trunk(host=host)
    world.ports = replace(world.ports, private_trunks=True)
    assert world.new_trunk(host=host).host == host


def test_a_provider_that_is_not_there_is_said_to_be_missing(world):
    with pytest.raises(ProviderNotConfigured, match="twilio"):
        world.new_trunk(provider="twilio")
    world.ports = replace(world.ports, providers={"twilio": NotedProvider("twilio")})
    with pytest.raises(ProviderNotConfigured, match="CHAMADE_TWILIO_SIP_DOMAIN"):
        world.new_trunk(provider="twilio")
    with pytest.raises(ProviderNotConfigured, match="gateway"):
        world.new_trunk()


def test_disconnected_a_trunk_is_gone_for_everybody_and_nothing_is_left(empty_table):
    world = World(empty_table)
    before = [item for item in everything_in(empty_table) if "#EVENTS" not in item["pk"]]
    trunk = world.new_trunk()
    world.new_did("+33187654321")
    world.clock.advance(1)  # events of one moment have no order
    trunks.disconnect(world.ports, world.account_id)
    with pytest.raises(NoTrunk):
        trunks.see(world.ports, world.account_id)
    with pytest.raises(NoTrunk):
        trunks.disconnect(world.ports, world.account_id)
    with pytest.raises(UnknownTrunk):
        trunks.fetch_for_gateway(world.ports, trunk.trunk_id)
    assert trunks.list_for_gateway(world.ports, None) == ([], None)
    assert ring.receive(world.ports, through(world, trunk, "+33187654321")) == Reject()
    assert world.trunk_host.told == [trunk.trunk_id] * 2
    assert world.events()[-1] == "trunk.disconnected"
    after = everything_in(empty_table)
    kept, counters = ("#EVENTS", "#OUTBOX"), ("EVENT_COUNTER", "CONNECTS#")
    rest = [i for i in after if not (i["pk"].endswith(kept) or i["sk"].startswith(counters))]
    gone = [i for i in before if not (i["pk"].endswith(kept) or i["sk"].startswith(counters))]
    assert sorted(rest, key=str) == sorted(gone, key=str)


def test_what_a_crash_leaves_of_a_trunk_nobody_reaches_and_it_holds_no_number(both, monkeypatch):
    trunk = both.new_trunk(provider="twilio")
    both.new_did("+33187650001")

    def crash(*_):
        raise RuntimeError("the process died")

    monkeypatch.setattr(TrunkStore, "clear_away", crash)
    trunks.disconnect(both.ports, both.account_id)
    monkeypatch.undo()
    assert both.ports.dids.get(trunk.trunk_id, "+33187650001")
    assert both.ports.dids.of_trunk(trunk.trunk_id) == []
    assert both.ports.dids.at("twilio", "+33187650001") is None
    stranger, _ = both.new_account()
    theirs = both.new_trunk(stranger, provider="twilio")
    both.new_did("+33187650001", stranger)
    both.ports.trunks.clear_away(trunk)  # late
    found = both.ports.dids.at("twilio", "+33187650001")
    assert found.trunk_id == theirs.trunk_id
    assert both.ports.dids.get(trunk.trunk_id, "+33187650001") is None


def test_a_new_trunk_after_the_old_one_starts_from_nothing(world, e164):
    old = world.new_trunk()
    world.new_did(e164)
    trunks.disconnect(world.ports, world.account_id)
    new = world.new_trunk()
    assert (new.trunk_id != old.trunk_id, new.revision) == (True, 1)
    assert world.ports.dids.of_trunk(new.trunk_id) == []


def test_no_more_connects_an_hour_than_the_account_may_and_disconnecting_helps_nothing(world):
    """Each makes the gateway knock at a carrier."""
    world.clock.ms = 1_789_999_200_000 + 600_000  # ten past
    for _ in range(MAX_CONNECTS // 2):
        world.new_trunk()
        trunks.disconnect(world.ports, world.account_id)
        last = world.new_trunk()
    told = len(world.trunk_host.told)
    with pytest.raises(TooManyConnects) as refused:
        world.new_trunk(port=5080)
    assert (refused.value.limit, refused.value.retry_after_s) == (20, 50 * 60)
    assert world.ports.trunks.of_account(world.account_id) == last
    trunks.disconnect(world.ports, world.account_id)
    with pytest.raises(TooManyConnects):
        world.new_trunk()
    assert len(world.trunk_host.told) == told + 1
    assert world.new_trunk(world.new_account()[0])
    world.clock.advance(50 * 60 - 0.001)
    with pytest.raises(TooManyConnects) as refused:
        world.new_trunk()
    assert refused.value.retry_after_s == 1
    world.clock.advance(0.001)
    assert world.new_trunk()


def test_connects_at_once_are_counted_each(world, monkeypatch):
    monkeypatch.setattr("chalicelib.store.trunk_limits.MAX_CONNECTS", 3)

    def connect(_):
        try:
            return world.new_trunk()
        except TooManyConnects:
            return None

    with ThreadPoolExecutor(6) as crowd:
        made = [trunk for trunk in crowd.map(connect, range(6)) if trunk]
    assert sorted(trunk.revision for trunk in made) == [1, 2, 3]


def test_the_count_of_connects_goes_by_itself(world):
    world.new_trunk()
    now_s = world.clock() // 1000
    item = world.table.get(f"ACCOUNT#{world.account_id}", f"CONNECTS#{now_s // 3600}")
    assert now_s + 3600 < item["expires_at"] <= now_s + 2 * 3600


def test_settings_that_are_refused_do_not_count(world, monkeypatch):
    monkeypatch.setattr("chalicelib.store.trunk_limits.MAX_CONNECTS", 1)
    with pytest.raises(PrivateHost):
        world.new_trunk(host="localhost")
    assert world.new_trunk()
