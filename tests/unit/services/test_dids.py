"""Numbers of trunks: added, changed, removed; whose they are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.domain.did import MAX_DIDS, Did, DidChanges, NewDid, did_event
from chalicelib.domain.event import EventType
from chalicelib.providers.base import KeepRinging
from chalicelib.services import dids, ring, trunks
from chalicelib.services.numbers import UnknownNumber
from chalicelib.services.trunks import NoTrunk, NumberTaken, TooManyDids
from chalicelib.store.dids import Taken
from chalicelib.store.table import Contention
from chalicelib.store.trunk_items import TrunkChanged
from chalicelib.store.trunks import MAX_MOVED
from tests.support.engine import everything_in
from tests.support.world import NotedProvider, World
from tests.unit.services.trunks import did_of, through


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
    did = did_of(both, e164)
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


def test_settings_of_a_number_are_its_owners_alone(world, e164):
    world.new_trunk()
    stranger, _ = world.new_account()
    world.new_trunk(stranger)
    world.new_did(e164, stranger, label="theirs")
    dids.add(world.ports, world.account_id, NewDid(e164=e164, label="mine"))
    dids.change(world.ports, world.account_id, e164, DidChanges(label="changed"))
    assert dids.owned(world.ports, stranger, e164).label == "theirs"
