"""Tests of numbers of trunks: added, changed, removed, and their owners."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.domain.did import MAX_DIDS, Did, DidChanges, NewDid, did_event
from chalicelib.domain.event import EventType
from chalicelib.providers.base import KeepRinging
from chalicelib.services.call import inbound
from chalicelib.services.line import dids, trunks
from chalicelib.services.line.numbers import UnknownNumber
from chalicelib.services.line.trunks import NoTrunk, NumberTaken, TooManyDids
from chalicelib.store.dids import Taken
from chalicelib.store.table import Contention
from chalicelib.store.trunk_items import TrunkChanged
from chalicelib.store.trunks import MAX_MOVED
from tests.support.engine import everything_in
from tests.support.world import RecordingProvider, World, with_settings
from tests.unit.services.trunks import did_of, through


def test_a_number_is_added_set_and_removed(world, e164):
    trunk = world.new_trunk()
    did = world.new_did(e164, label="Desk", agent_url="wss://agent.example/")
    assert did.trunk_id == trunk.trunk_id
    one = DidChanges(auto_answer=True)
    changed = dids.change(world.deps, world.account_id, e164, one)
    assert (changed.auto_answer, changed.label, changed.agent_url) == (
        True,
        "Desk",
        "wss://agent.example/",
    )
    without = DidChanges.model_validate({"agent_url": None})
    assert dids.change(world.deps, world.account_id, e164, without).agent_url is None
    same = dids.change(world.deps, world.account_id, e164, DidChanges())
    assert same == dids.owned(world.deps, world.account_id, e164)
    world.clock.advance(1)
    dids.remove(world.deps, world.account_id, e164)
    for act in (
        lambda: dids.owned(world.deps, world.account_id, e164),
        lambda: dids.remove(world.deps, world.account_id, e164),
        lambda: dids.change(world.deps, world.account_id, e164, one),
    ):
        with pytest.raises(UnknownNumber):
            act()
    assert "number.added" in world.events()
    assert world.events()[-1] == "number.removed"


def test_adding_a_number_needs_a_trunk(world, e164):
    for act in (
        lambda: world.new_did(e164),
        lambda: dids.owned(world.deps, world.account_id, e164),
        lambda: dids.change(world.deps, world.account_id, e164, DidChanges(label="x")),
        lambda: dids.remove(world.deps, world.account_id, e164),
    ):
        with pytest.raises(NoTrunk):
            act()


def test_changing_a_number_removed_meanwhile_reports_it_unknown(world, monkeypatch, e164):
    world.new_trunk()
    did = world.new_did(e164)
    dids.remove(world.deps, world.account_id, e164)
    monkeypatch.setattr(world.stores.dids, "get", lambda *_: did)
    with pytest.raises(UnknownNumber):
        dids.remove(world.deps, world.account_id, e164)
    with pytest.raises(UnknownNumber):
        dids.change(world.deps, world.account_id, e164, DidChanges(label="x"))


def test_adding_a_number_twice_is_refused(world, e164):
    world.new_trunk()
    world.new_did(e164)
    with pytest.raises(NumberTaken) as taken:
        world.new_did(e164)
    assert not taken.value.elsewhere
    assert world.stores.trunks.record_of_account(world.account_id).dids_held == 1


def test_two_gateway_trunks_may_have_the_same_number(world, e164):
    squatter, _ = world.new_account()
    world.new_trunk(squatter)
    world.new_did(e164, squatter)
    trunk = world.new_trunk()
    world.new_did(e164)
    incoming = through(world, trunk, e164)
    assert inbound.receive(world.deps, incoming) == KeepRinging()
    assert world.call_of(incoming).account_id == world.account_id


def test_numbers_of_another_accounts_trunk_are_unknown(world, e164):
    stranger, _ = world.new_account()
    world.new_trunk()
    world.new_did(e164)
    theirs = world.new_trunk(stranger, host="other.example.com")
    assert trunks.see(world.deps, stranger).dids == []
    assert trunks.see(world.deps, stranger).trunk == theirs
    with pytest.raises(UnknownNumber):
        dids.owned(world.deps, stranger, e164)
    with pytest.raises(UnknownNumber):
        dids.remove(world.deps, stranger, e164)
    trunks.disconnect(world.deps, stranger)
    assert dids.owned(world.deps, world.account_id, e164)
    assert "trunk.disconnected" not in world.events()


def test_numbers_added_concurrently_stay_within_the_trunks_limit(world, monkeypatch):
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
    assert [did.e164 for did in world.stores.dids.of_trunk(trunk.trunk_id)] == sorted(added)
    with pytest.raises(TooManyDids):
        world.new_did("+33187659999")
    dids.remove(world.deps, world.account_id, added[0])
    assert world.new_did("+33187659999")


def test_disconnecting_a_full_trunk_removes_every_number(empty_table):
    world = World(empty_table)
    providers = {"gateway": world.provider, "twilio": RecordingProvider("twilio")}
    world.deps = with_settings(replace(world.deps, providers=providers), twilio_sip_domain="d")
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
        dids.remove(world.deps, world.account_id, f"+3318765{serial:04d}")
    world.new_trunk()
    assert world.stores.dids.at("twilio", "+33187650050") is None
    world.new_trunk(provider="twilio")
    assert world.stores.dids.at("twilio", "+33187650050").trunk_id == trunk.trunk_id
    trunks.disconnect(world.deps, world.account_id)
    left = [i for i in everything_in(empty_table) if i["pk"].startswith(("TRUNK#", "DID#"))]
    assert left == []


# Numbers with a provider that names numbers only.


def test_a_twilio_number_belongs_to_the_trunk_that_added_it_first(both, e164):
    both.new_trunk(provider="twilio")
    both.new_did(e164)
    other, _ = both.new_account()
    both.new_trunk(other, provider="twilio")
    with pytest.raises(NumberTaken) as taken:
        both.new_did(e164, other)
    assert taken.value.elsewhere
    dids.remove(both.deps, both.account_id, e164)
    assert both.new_did(e164, other)


def test_a_trunk_cannot_move_to_twilio_with_a_number_of_another_account_there(both, e164):
    other, _ = both.new_account()
    both.new_trunk(other, provider="twilio")
    both.new_did(e164, other)
    trunk = both.new_trunk()
    both.new_did("+33187651111")
    both.new_did(e164)
    with pytest.raises(NumberTaken) as taken:
        both.new_trunk(provider="twilio")
    assert (taken.value.e164, taken.value.elsewhere) == (e164, True)
    assert both.deps.stores.trunks.of_account(both.account_id) == trunk
    assert both.deps.stores.dids.at("twilio", "+33187651111") is None


def test_a_number_added_while_its_trunk_changes_provider_is_claimed_there(both, monkeypatch, e164):
    both.new_trunk()
    real, raced = both.deps.stores.dids.of_trunk, []

    def dids_then_one_more(trunk_id):
        found = real(trunk_id)
        if not raced:
            raced.append(both.new_did(e164))
        return found

    monkeypatch.setattr(both.deps.stores.dids, "of_trunk", dids_then_one_more)
    trunk = both.new_trunk(provider="twilio")
    assert both.deps.stores.dids.at("twilio", e164).trunk_id == trunk.trunk_id


def test_a_number_is_not_claimed_at_a_provider_its_trunk_has_left(both, e164):
    gateways = both.new_trunk()
    both.new_trunk(provider="twilio")
    did = did_of(both, e164)
    with pytest.raises(TrunkChanged):
        both.deps.stores.dids.add(gateways, did, did_event(EventType.NUMBER_ADDED, did, 0))
    both.new_did(e164)
    with pytest.raises(TrunkChanged):
        both.deps.stores.dids.remove(gateways, e164, did_event(EventType.NUMBER_REMOVED, did, 0))


def test_only_one_of_two_trunks_gets_a_twilio_number_added_concurrently(both, e164):
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
    assert both.deps.stores.dids.at("twilio", e164).trunk_id == holders[0]


def test_a_twilio_number_claimed_by_another_trunk_cannot_be_added(both, e164):
    """Two who find the same leftover: one gets it."""
    trunk = both.new_trunk(provider="twilio")
    both.new_did(e164)
    other, _ = both.new_account()
    theirs = both.new_trunk(other, provider="twilio")
    did = Did(e164=e164, trunk_id=theirs.trunk_id, account_id=other, added_at=0)
    with pytest.raises(Taken):
        both.deps.stores.dids.add(theirs, did, did_event(EventType.NUMBER_ADDED, did, 0))
    assert both.deps.stores.dids.at("twilio", e164).trunk_id == trunk.trunk_id


def test_only_the_owner_can_change_a_numbers_settings(world, e164):
    world.new_trunk()
    stranger, _ = world.new_account()
    world.new_trunk(stranger)
    world.new_did(e164, stranger, label="theirs")
    dids.add(world.deps, world.account_id, NewDid(e164=e164, label="mine"))
    dids.change(world.deps, world.account_id, e164, DidChanges(label="changed"))
    assert dids.owned(world.deps, stranger, e164).label == "theirs"
