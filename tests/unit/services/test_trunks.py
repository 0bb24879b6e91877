"""A trunk of one's own: connected, raced for, registered, gone; its numbers; who is told what."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.domain.call_moves import CallState
from chalicelib.domain.did import MAX_DIDS, Did, DidChanges, NewDid, did_event
from chalicelib.domain.event import EventType
from chalicelib.domain.line import Line
from chalicelib.domain.trunk import TrunkStatus, new_trunk_id
from chalicelib.domain.trunk_settings import TrunkSettings
from chalicelib.logs import JsonFormatter
from chalicelib.providers.base import Connect, KeepRinging, Reject
from chalicelib.services import dids, inbox, numbers, ring, trunks
from chalicelib.services.numbers import UnknownNumber
from chalicelib.services.trunks import (
    NoTrunk,
    NumberTaken,
    PrivateHost,
    ProviderNotConfigured,
    TooManyConnects,
    TooManyDids,
    UnknownTrunk,
    VaultMissing,
)
from chalicelib.store.dids import Taken
from chalicelib.store.table import Contention, put
from chalicelib.store.trunk_items import TrunkChanged, trunk_item
from chalicelib.store.trunk_limits import MAX_CONNECTS
from chalicelib.store.trunks import MAX_MOVED, TrunkStore
from chalicelib.store.vault import BadSeal
from tests.support.engine import everything_in
from tests.support.world import NotedProvider, World

PASSWORD = "s3cret-pw"
REGISTERED, FAILED = TrunkStatus.REGISTERED, TrunkStatus.FAILED


def settings(**changes):
    given = {"host": "sip.carrier.example", "username": "acct42", "password": PASSWORD}
    return TrunkSettings.model_validate({**given, **changes})


def report(world, trunk, status, sip_code=None, detail="", *, revision=None):
    return trunks.report(
        world.ports,
        trunk.trunk_id,
        revision=revision or trunk.revision,
        status=status,
        sip_code=sip_code,
        detail=detail,
    )


def events_of(world, account_id=None):
    found, cursor = [], None
    while True:
        page, cursor = inbox.read(world.ports, account_id or world.account_id, cursor, 0)
        if not page:
            return found
        found += page


def through(world, trunk, to, from_="+33612345678", sid=None):
    return ring.Incoming("gateway", sid or world.sid(), from_, to, trunk_id=trunk.trunk_id)


@pytest.fixture
def e164():
    """A number that no other test has used."""
    e164.last += 1
    return f"+4420{e164.last:08d}"


e164.last = 0


@pytest.fixture
def both(table):
    """An application with Twilio and the gateway."""
    world = World(table)
    providers = {"gateway": world.provider, "twilio": NotedProvider("twilio")}
    world.ports = replace(world.ports, providers=providers, twilio_sip_domain="x.sip.twilio.com")
    return world


# The trunk.


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
    logged = "\n".join(JsonFormatter().format(record) for record in caplog.records)
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
    event = did_event(EventType.NUMBER_ADDED, _did(world, "+33187654321"), 0)
    with pytest.raises(TrunkChanged):
        world.ports.trunks.change(stale, stale.trunk, "sealed", event)
    with pytest.raises(TrunkChanged):
        world.ports.trunks.report(stale, stale.trunk, event)
    with pytest.raises(TrunkChanged):
        world.ports.trunks.remove(stale, event)
    assert world.ports.trunks.of_account(world.account_id).port == 5080


def _did(world, e164):
    trunk = world.ports.trunks.of_account(world.account_id)
    trunk_id = trunk.trunk_id if trunk else new_trunk_id()
    return Did(e164=e164, trunk_id=trunk_id, account_id=world.account_id, added_at=0)


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


# What the gateway asks and tells.


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


# Its numbers.


def test_a_number_is_added_set_and_removed(world, e164):
    trunk = world.new_trunk()
    did = world.new_did(e164, label="Desk", agent_url="wss://agent.example/")
    assert did.trunk_id == trunk.trunk_id
    one = DidChanges(auto_answer=True)
    changed = dids.change(world.ports, world.account_id, e164, one)
    assert (changed.auto_answer, changed.label, changed.agent_url) == (
        True,
        "Desk",
        "wss://agent.example/",
    )
    without = DidChanges.model_validate({"agent_url": None})
    assert dids.change(world.ports, world.account_id, e164, without).agent_url is None
    same = dids.change(world.ports, world.account_id, e164, DidChanges())
    assert same == dids.owned(world.ports, world.account_id, e164)
    world.clock.advance(1)
    dids.remove(world.ports, world.account_id, e164)
    for act in (
        lambda: dids.owned(world.ports, world.account_id, e164),
        lambda: dids.remove(world.ports, world.account_id, e164),
        lambda: dids.change(world.ports, world.account_id, e164, one),
    ):
        with pytest.raises(UnknownNumber):
            act()
    assert "number.added" in world.events()
    assert world.events()[-1] == "number.removed"


def test_without_a_trunk_there_are_no_numbers(world, e164):
    for act in (
        lambda: world.new_did(e164),
        lambda: dids.owned(world.ports, world.account_id, e164),
        lambda: dids.change(world.ports, world.account_id, e164, DidChanges(label="x")),
        lambda: dids.remove(world.ports, world.account_id, e164),
    ):
        with pytest.raises(NoTrunk):
            act()


def test_a_number_removed_between_look_and_act_is_not_there(world, monkeypatch, e164):
    world.new_trunk()
    did = world.new_did(e164)
    dids.remove(world.ports, world.account_id, e164)
    monkeypatch.setattr(world.ports.dids, "get", lambda *_: did)
    with pytest.raises(UnknownNumber):
        dids.remove(world.ports, world.account_id, e164)
    with pytest.raises(UnknownNumber):
        dids.change(world.ports, world.account_id, e164, DidChanges(label="x"))


def test_a_number_is_added_once(world, e164):
    world.new_trunk()
    world.new_did(e164)
    with pytest.raises(NumberTaken) as taken:
        world.new_did(e164)
    assert not taken.value.elsewhere
    assert world.ports.trunks.record_of_account(world.account_id).dids_held == 1


def test_nobody_can_squat_on_a_number_that_comes_through_the_gateway(world, e164):
    squatter, _ = world.new_account()
    world.new_trunk(squatter)
    world.new_did(e164, squatter)
    trunk = world.new_trunk()
    world.new_did(e164)
    incoming = through(world, trunk, e164)
    assert ring.receive(world.ports, incoming) == KeepRinging()
    assert world.call_of(incoming).account_id == world.account_id


def test_tenants_see_nothing_of_each_other(world, e164):
    stranger, _ = world.new_account()
    world.new_trunk()
    world.new_did(e164)
    theirs = world.new_trunk(stranger, host="other.example.com")
    assert trunks.see(world.ports, stranger).dids == []
    assert trunks.see(world.ports, stranger).trunk == theirs
    with pytest.raises(UnknownNumber):
        dids.owned(world.ports, stranger, e164)
    with pytest.raises(UnknownNumber):
        dids.remove(world.ports, stranger, e164)
    trunks.disconnect(world.ports, stranger)
    assert dids.owned(world.ports, world.account_id, e164)
    assert "trunk.disconnected" not in world.events()


def test_a_trunk_has_no_more_numbers_than_it_may_however_many_are_added_at_once(world, monkeypatch):
    monkeypatch.setattr("chalicelib.store.dids.MAX_DIDS", 4)
    trunk = world.new_trunk()

    def add(serial):
        try:
            return world.new_did(f"+3318765{serial:04d}").e164
        except (TooManyDids, Contention):
            return None

    with ThreadPoolExecutor(4) as crowd:
        added = [e164 for e164 in crowd.map(add, range(10)) if e164]
    assert len(added) == 4
    assert [did.e164 for did in world.ports.dids.of_trunk(trunk.trunk_id)] == sorted(added)
    with pytest.raises(TooManyDids):
        world.new_did("+33187659999")
    dids.remove(world.ports, world.account_id, added[0])
    assert world.new_did("+33187659999")


def test_a_full_trunk_is_disconnected_whole(empty_table):
    world = World(empty_table)
    providers = {"gateway": world.provider, "twilio": NotedProvider("twilio")}
    world.ports = replace(world.ports, providers=providers, twilio_sip_domain="d")
    trunk = world.new_trunk(provider="twilio")
    for serial in range(MAX_DIDS):
        world.new_did(f"+3318765{serial:04d}")
    with pytest.raises(TooManyDids) as refused:
        world.new_did("+33187659999")
    assert refused.value.limit == MAX_DIDS
    with pytest.raises(TooManyDids) as refused:
        world.new_trunk()  # to the gateway
    assert refused.value.limit == MAX_MOVED
    for serial in range(MAX_DIDS - MAX_MOVED):
        dids.remove(world.ports, world.account_id, f"+3318765{serial:04d}")
    world.new_trunk()
    assert world.ports.dids.at("twilio", "+33187650050") is None
    world.new_trunk(provider="twilio")
    assert world.ports.dids.at("twilio", "+33187650050").trunk_id == trunk.trunk_id
    trunks.disconnect(world.ports, world.account_id)
    left = [i for i in everything_in(empty_table) if i["pk"].startswith(("TRUNK#", "DID#"))]
    assert left == []


# Numbers with a provider that names numbers only.


def test_a_number_at_twilio_is_whose_trunk_added_it_first(both, e164):
    both.new_trunk(provider="twilio")
    both.new_did(e164)
    other, _ = both.new_account()
    both.new_trunk(other, provider="twilio")
    with pytest.raises(NumberTaken) as taken:
        both.new_did(e164, other)
    assert taken.value.elsewhere
    dids.remove(both.ports, both.account_id, e164)
    assert both.new_did(e164, other)


def test_a_trunk_does_not_move_to_twilio_with_a_number_that_is_somebody_elses_there(both, e164):
    other, _ = both.new_account()
    both.new_trunk(other, provider="twilio")
    both.new_did(e164, other)
    trunk = both.new_trunk()
    both.new_did("+33187651111")
    both.new_did(e164)
    with pytest.raises(NumberTaken) as taken:
        both.new_trunk(provider="twilio")
    assert (taken.value.e164, taken.value.elsewhere) == (e164, True)
    assert both.ports.trunks.of_account(both.account_id) == trunk
    assert both.ports.dids.at("twilio", "+33187651111") is None


def test_a_number_added_while_its_trunk_changes_the_provider_is_not_forgotten(
    both, monkeypatch, e164
):
    both.new_trunk()
    real, raced = both.ports.dids.of_trunk, []

    def dids_then_one_more(trunk_id):
        found = real(trunk_id)
        if not raced:
            raced.append(both.new_did(e164))
        return found

    monkeypatch.setattr(both.ports.dids, "of_trunk", dids_then_one_more)
    trunk = both.new_trunk(provider="twilio")
    assert both.ports.dids.at("twilio", e164).trunk_id == trunk.trunk_id


def test_a_number_is_not_added_to_a_provider_that_its_trunk_has_just_left(both, e164):
    gateways = both.new_trunk()
    both.new_trunk(provider="twilio")
    did = _did(both, e164)
    with pytest.raises(TrunkChanged):
        both.ports.dids.add(gateways, did, did_event(EventType.NUMBER_ADDED, did, 0))
    both.new_did(e164)
    with pytest.raises(TrunkChanged):
        both.ports.dids.remove(gateways, e164, did_event(EventType.NUMBER_REMOVED, did, 0))


def test_two_trunks_that_reach_for_a_number_at_twilio_get_it_once(both, e164):
    accounts = [both.new_account()[0] for _ in range(5)]
    for account_id in accounts:
        both.new_trunk(account_id, provider="twilio")

    def add(account_id):
        try:
            return both.new_did(e164, account_id).trunk_id
        except (NumberTaken, Contention):
            return None

    with ThreadPoolExecutor(5) as crowd:
        holders = [holder for holder in crowd.map(add, accounts) if holder]
    assert len(holders) == 1
    assert both.ports.dids.at("twilio", e164).trunk_id == holders[0]


def test_a_number_taken_over_meanwhile_is_not_taken_back(both, e164):
    """Two who find the same leftover: one gets it."""
    trunk = both.new_trunk(provider="twilio")
    both.new_did(e164)
    other, _ = both.new_account()
    theirs = both.new_trunk(other, provider="twilio")
    did = Did(e164=e164, trunk_id=theirs.trunk_id, account_id=other, added_at=0)
    with pytest.raises(Taken):
        both.ports.dids.add(theirs, did, did_event(EventType.NUMBER_ADDED, did, 0))
    assert both.ports.dids.at("twilio", e164).trunk_id == trunk.trunk_id


# Calls to them.


@pytest.mark.parametrize(
    "written", ["{}", "sip:{}@pbx.example", "00{bare}", "{bare}", "0{national}"]
)
def test_a_call_through_a_trunk_rings_at_its_number_however_it_is_written(world, e164, written):
    trunk = world.new_trunk()
    world.new_did(e164)
    world.new_did("+33187654321")
    to = written.format(e164, bare=e164[1:], national=e164[3:])
    incoming = through(world, trunk, to)
    assert ring.receive(world.ports, incoming) == KeepRinging()
    call = world.call_of(incoming)
    assert (call.state, call.line, call.to) == (CallState.RINGING, e164, to)
    assert call.account_id == world.account_id


def called_at(world, e164):
    return dids.owned(world.ports, world.account_id, e164).called_at


def test_the_first_call_to_a_number_is_noted_and_no_other(world, e164):
    trunk = world.new_trunk()
    assert world.new_did(e164).called_at is None
    first = world.clock()
    incoming = world.called(trunk, e164)
    world.clock.advance(1)
    ring.receive(world.ports, incoming)
    world.called(trunk, e164)
    world.ports.dids.note_called(trunk.trunk_id, e164, world.clock())
    assert called_at(world, e164) == first


def test_a_number_that_was_called_stays_so_when_changed_but_not_when_added_anew(world, e164):
    trunk = world.new_trunk()
    world.new_did(e164)
    world.called(trunk, e164)
    changes = DidChanges(label="Desk", auto_answer=True)
    assert dids.change(world.ports, world.account_id, e164, changes).called_at == world.clock()
    world.new_trunk(port=5080)
    assert called_at(world, e164) == world.clock()
    dids.remove(world.ports, world.account_id, e164)
    world.new_did(e164)
    assert called_at(world, e164) is None


def test_a_call_noted_late_does_not_bring_a_removed_number_back(world, e164):
    trunk = world.new_trunk()
    world.new_did(e164)
    dids.remove(world.ports, world.account_id, e164)
    world.ports.dids.note_called(trunk.trunk_id, e164, world.clock())
    assert world.ports.dids.of_trunk(trunk.trunk_id) == []


@pytest.mark.parametrize("written", ["sip:{}@pbx.example", "00{bare}", "{bare}"])
def test_a_call_is_noted_however_the_number_is_written_in_full(world, e164, written):
    trunk = world.new_trunk()
    world.new_did(e164)
    world.called(trunk, written.format(e164, bare=e164[1:]))
    assert called_at(world, e164) == world.clock()


@pytest.mark.parametrize("to", ["sip:442079460123@pbx.example", "sip:s@pbx.example", "0{national}"])
def test_a_call_that_does_not_name_the_number_in_full_shows_not_whose_it_is(world, e164, to):
    """Else who has a key could add somebody's number alone, and call the trunk's real one."""
    trunk = world.new_trunk(username="442079460123")
    world.new_did(e164)
    incoming = world.called(trunk, to.format(national=e164[3:]))
    assert world.call_of(incoming).line == e164
    assert called_at(world, e164) is None


def test_a_caller_who_is_gone_before_we_heard_of_the_call_has_called_the_number(world, e164):
    trunk = world.new_trunk()
    world.new_did(e164)
    ring.caller_gone(world.ports, through(world, trunk, e164), failed=False)
    assert called_at(world, e164) == world.clock()


def test_a_call_elsewhere_shows_nothing_of_a_number(world, e164):
    """Neither one that another trunk brought, nor one that was rejected."""
    world.new_trunk()
    world.new_did(e164)
    stranger, _ = world.new_account()
    theirs = world.new_trunk(stranger)
    assert ring.receive(world.ports, through(world, theirs, e164)) == Reject()
    world.new_did(e164, stranger)
    world.called(theirs, e164)
    assert called_at(world, e164) is None


def test_a_call_at_twilio_is_noted_too(both, e164):
    both.new_trunk(provider="twilio")
    both.new_did(e164)
    ring.receive(both.ports, ring.Incoming("twilio", both.sid(), "+33612345678", e164))
    assert called_at(both, e164) == both.clock()


def test_a_first_call_that_cannot_be_noted_rings_all_the_same_and_the_next_one_is(
    world, monkeypatch, caplog, e164
):
    trunk = world.new_trunk()
    world.new_did(e164)

    def collide(*_):
        raise Contention

    monkeypatch.setattr(world.ports.dids, "note_called", collide)
    incoming = through(world, trunk, e164)
    assert ring.receive(world.ports, incoming) == KeepRinging()
    assert world.call_of(incoming).state is CallState.RINGING
    assert "first call not noted" in caplog.text
    monkeypatch.undo()
    assert called_at(world, e164) is None
    world.called(trunk, e164)
    assert called_at(world, e164) == world.clock()


def test_a_trunk_that_names_only_its_account_rings_at_its_only_number(world, e164):
    trunk = world.new_trunk(username="200451")
    world.new_did(e164)
    for to in ("sip:200451@pbx.example", "sip:s@pbx.example"):
        assert ring.receive(world.ports, through(world, trunk, to)) == KeepRinging()


def test_a_number_with_auto_answer_is_picked_up_at_once(world, e164):
    trunk = world.new_trunk()
    world.new_did(e164, auto_answer=True)
    incoming = through(world, trunk, e164)
    assert isinstance(ring.receive(world.ports, incoming), Connect)
    assert world.call_of(incoming).state is CallState.ACTIVE


def test_a_caller_who_is_gone_before_we_heard_of_the_call_is_recorded_at_the_number(world, e164):
    trunk = world.new_trunk()
    world.new_did(e164)
    incoming = through(world, trunk, e164)
    ring.caller_gone(world.ports, incoming, failed=False)
    assert world.call_of(incoming).line == e164
    ring.caller_gone(world.ports, through(world, trunk, "+33100000000"), failed=False)
    assert "number.not_added" not in world.events()


def test_what_comes_through_a_trunk_rings_at_no_routing_number_and_the_reverse(world, e164):
    trunk = world.new_trunk()
    world.new_did(e164)
    assert ring.receive(world.ports, through(world, trunk, world.number)) == Reject()
    assert ring.receive(world.ports, world.incoming(to=e164)) == Reject()


def test_twilio_names_numbers_only_and_routing_numbers_come_first(both, e164):
    trunk = both.new_trunk(provider="twilio")
    both.new_did(e164)
    line = Line(e164="+33199001111", country="XQ", provider="twilio")
    both.ports.lines.add_to_pool(line)
    numbers.activate(both.ports, both.new_account()[0], "XQ")
    both.new_did("+33199001111")

    def call(to):
        incoming = ring.Incoming("twilio", both.sid(), "+33612345678", to)
        told = ring.receive(both.ports, incoming)
        if told == Reject():
            return None
        from chalicelib.domain.call_id import inbound_call_id

        return both.ports.calls.get(inbound_call_id("twilio", incoming.provider_call_id))

    for to in (e164, f"sip:{e164}@x.sip.twilio.com", f"sip:00{e164[1:]}@x", f"sip:{e164[1:]}@x"):
        assert (call(to).account_id, call(to).line) == (both.account_id, e164)
    assert call("+33199001111").account_id != both.account_id
    assert call("+33100000000") is None
    incoming = ring.Incoming("twilio", both.sid(), "+1", e164, trunk_id=new_trunk_id())
    assert ring.receive(both.ports, incoming) == Reject()
    both.new_trunk()  # to the gateway
    assert call(e164) is None
    incoming = ring.Incoming("twilio", both.sid(), "+1", e164, trunk_id=trunk.trunk_id)
    assert ring.receive(both.ports, incoming) == Reject()


# What the owner is told of calls to numbers that are not added.


def not_added(world):
    return [event.data for event in events_of(world) if event.type == "number.not_added"]


def test_a_call_to_a_number_that_is_not_added_is_told_of_once_an_hour(world):
    trunk = world.new_trunk()
    for _ in range(3):
        assert ring.receive(world.ports, through(world, trunk, "+33187654321")) == Reject()
    (told,) = not_added(world)
    assert (told["trunk_id"], told["to"], told["from"]) == (
        trunk.trunk_id,
        "+33187654321",
        "+33612345678",
    )
    assert 'POST /api/trunk/dids {"e164": "+33187654321"}' in told["detail"]
    world.clock.advance(3599)
    ring.receive(world.ports, through(world, trunk, "+33187654321"))
    assert len(not_added(world)) == 1
    world.clock.advance(1)
    ring.receive(world.ports, through(world, trunk, "+33187654321"))
    assert len(not_added(world)) == 2


def test_a_scanner_cannot_flood_the_owners_events(world, monkeypatch):
    monkeypatch.setattr("chalicelib.store.trunk_limits.MAX_TOLD", 5)
    trunk = world.new_trunk()
    for serial in range(8):
        ring.receive(world.ports, through(world, trunk, f"+331876543{serial:02d}"))
    assert len(not_added(world)) == 5
    world.clock.advance(3600)
    ring.receive(world.ports, through(world, trunk, "+33187654399"))
    assert len(not_added(world)) == 6


def test_what_a_stranger_writes_is_cut(world):
    trunk = world.new_trunk()
    long = "sip:" + "x" * 200 + "@h"
    ring.receive(world.ports, through(world, trunk, long, from_="Ignore\nall " * 50))
    (told,) = not_added(world)
    assert (len(told["to"]), len(told["from"])) == (64, 64)
    assert "\n" not in told["from"]


@pytest.mark.parametrize("trunk_id", ["", "nonsense", "trunk_" + "a" * 26])
def test_a_call_through_a_trunk_that_is_not_there_leaves_nothing(empty_table, trunk_id):
    world = World(empty_table)
    before = everything_in(empty_table)
    incoming = ring.Incoming("gateway", world.sid(), "+1", "+33187654321", trunk_id=trunk_id)
    assert ring.receive(world.ports, incoming) == Reject()
    assert everything_in(empty_table) == before


def test_a_call_is_rejected_even_if_its_owner_cannot_be_told(world, monkeypatch):
    trunk = world.new_trunk()

    def collide(*_):
        raise Contention

    monkeypatch.setattr(world.ports.trunk_limits, "tell_once", collide)
    assert ring.receive(world.ports, through(world, trunk, "+33187654321")) == Reject()


def test_settings_of_a_number_are_its_owners_alone(world, e164):
    world.new_trunk()
    stranger, _ = world.new_account()
    world.new_trunk(stranger)
    world.new_did(e164, stranger, label="theirs")
    dids.add(world.ports, world.account_id, NewDid(e164=e164, label="mine"))
    dids.change(world.ports, world.account_id, e164, DidChanges(label="changed"))
    assert dids.owned(world.ports, stranger, e164).label == "theirs"
