"""Tests that a number of the pool is neither a trunk's number nor a caller ID, and vice versa."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.domain.dial_rules import NotDialled
from chalicelib.domain.did import Did, did_event
from chalicelib.domain.event import EventType
from chalicelib.domain.line import Line
from chalicelib.providers.base import KeepRinging, Reject
from chalicelib.services.call import inbound
from chalicelib.services.line import dids, number_pool, numbers, trunks
from chalicelib.services.line.number_pool import NumberClaimed
from chalicelib.services.line.trunk_checks import OwnHost
from chalicelib.store.reserved import Reserved
from chalicelib.store.table import Contention
from tests.support.world import World, with_settings
from tests.unit.services.trunks import settings

_serials = itertools.count(1)
PROVIDERS = ["twilio", "gateway"]


@pytest.fixture
def free(both):
    """A number at Twilio that nobody holds, the only one of its country's pool."""
    serial = next(_serials)
    e164 = f"+1555777{serial:04d}"
    assert number_pool.add(both.deps, e164, f"Q{chr(65 + serial)}", "twilio")
    return e164


def activated(world, account_id, e164):
    country = world.stores.lines.get(e164).country
    assert numbers.activate(world.deps, account_id, country).e164 == e164


def incoming(world, e164):
    return inbound.Incoming("twilio", world.sid(), "+33612345678", e164)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_free_pool_number_cannot_be_added_to_a_trunk(both, free, provider):
    both.new_trunk(provider=provider)
    with pytest.raises(Reserved):
        both.new_did(free)
    assert inbound.receive(both.deps, incoming(both, free)) == Reject()
    assert both.deps.stores.dids.at("twilio", free) is None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_another_accounts_routing_number_cannot_be_added_to_a_trunk(both, free, provider):
    other, _ = both.new_account()
    activated(both, other, free)
    both.new_trunk(provider=provider)
    with pytest.raises(Reserved):
        both.new_did(free)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_pool_number_cannot_become_a_caller_id(both, free, provider):
    with pytest.raises(Reserved):
        both.new_trunk(provider=provider, caller_id=free)
    assert both.deps.stores.trunks.of_account(both.account_id) is None
    before = both.new_trunk(provider=provider, caller_id="+33199005678")
    with pytest.raises(Reserved):
        both.new_trunk(provider=provider, caller_id=free)
    assert both.deps.stores.trunks.of_account(both.account_id) == before


def test_a_trunk_cannot_move_to_twilio_with_a_pool_number(both, free):
    """Such as one that was added by a version that did not look."""
    trunk = both.new_trunk()
    claimed_before(both, trunk, free)
    with pytest.raises(Reserved):
        both.new_trunk(provider="twilio")
    assert both.deps.stores.trunks.of_account(both.account_id) == trunk


def claimed_before(world, trunk, e164):
    """Write a DID as a version did that did not look at the pool."""
    from chalicelib.store.table import put
    from chalicelib.store.trunk_items import did_item

    did = Did(e164=e164, trunk_id=trunk.trunk_id, account_id=trunk.account_id, added_at=0)
    pointer = {"pk": f"DID#twilio#{e164}", "sk": "DID", "trunk_id": trunk.trunk_id}
    world.table.write(put(did_item(did)), put(pointer))
    return did


def test_calls_to_a_pool_number_also_on_a_trunk_ring_at_its_holder_only(both, free):
    trunk = both.new_trunk(provider="twilio")
    claimed_before(both, trunk, free)
    assert inbound.receive(both.deps, incoming(both, free)) == Reject()
    other, _ = both.new_account()
    activated(both, other, free)
    ringing = incoming(both, free)
    assert inbound.receive(both.deps, ringing) == KeepRinging()
    call_id = inbound.inbound_call_id("twilio", ringing.provider_call_id)
    assert both.deps.stores.calls.get(call_id).account_id == other


def test_a_caller_id_that_entered_the_pool_later_is_refused(world):
    e164 = f"+3319900{next(_serials):04d}"
    world.register_trunk(caller_id=e164)
    world.stores.lines.add_to_pool(Line(e164=e164, country="FR", provider="gateway"))
    with pytest.raises(NotDialled) as refused:
        world.dial()
    assert refused.value.code == "bad_caller_id"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_number_of_a_trunk_is_refused_for_the_pool_with_its_owner(both, e164, provider):
    caller_id = f"+3319900{next(_serials):04d}"
    both.new_trunk(provider=provider, caller_id=caller_id)
    both.new_did(e164)
    for claimed in (e164, caller_id):
        with pytest.raises(NumberClaimed) as refused:
            number_pool.add(both.deps, claimed, "QZ", "twilio")
        assert refused.value.account_id == both.account_id
    trunks.disconnect(both.deps, both.account_id)
    assert number_pool.add(both.deps, e164, "QZ", "twilio")


def test_leftovers_of_a_deleted_trunk_do_not_keep_a_number_out_of_the_pool(both, e164, monkeypatch):
    both.new_trunk(provider="twilio")
    both.new_did(e164)
    monkeypatch.setattr(both.deps.stores.trunks, "clear_away", lambda *_: 1 / 0)
    trunks.disconnect(both.deps, both.account_id)
    assert number_pool.add(both.deps, e164, "QZ", "twilio")


def test_only_one_of_operator_and_tenant_gets_a_number_added_concurrently(both):
    both.new_trunk(provider="twilio")
    trunk = both.deps.stores.trunks.of_account(both.account_id)

    def claim(e164):
        did = Did(e164=e164, trunk_id=trunk.trunk_id, account_id=both.account_id, added_at=0)
        while True:
            try:
                both.deps.stores.dids.add(trunk, did, did_event(EventType.NUMBER_ADDED, did, 0))
                return True
            except Contention:
                continue
            except Reserved:
                return False

    def reserve(e164):
        try:
            # `claimed` is what the operator's command has read before.
            return number_pool.add(both.deps, e164, "QZ", "twilio", {})
        except NumberClaimed:
            return False

    with ThreadPoolExecutor(2) as both_sides:
        for _ in range(20):
            e164 = f"+1555778{next(_serials):04d}"
            outcomes = [both_sides.submit(act, e164) for act in (claim, reserve)]
            assert sorted(outcome.result() for outcome in outcomes) == [False, True]


@pytest.mark.parametrize(
    "host",
    ["api.chamade.example", "API.Chamade.Example.", "sip.chamade.example", "xn--bcher-kva.example"],
)
def test_a_trunk_with_a_host_of_this_installation_is_refused(world, host):
    own = frozenset({"api.chamade.example", "sip.chamade.example", "xn--bcher-kva.example"})
    deps = with_settings(world.deps, own_hosts=own)
    with pytest.raises(OwnHost, match="this installation"):
        trunks.connect(deps, world.account_id, settings(host=host))
    assert trunks.connect(deps, world.account_id, settings(host="sip.chamade.example.org"))


def test_numbers_outside_the_pool_can_be_added(empty_table):
    world = World(empty_table)
    world.new_trunk(caller_id="+33199005678")
    assert world.new_did("+33199005678")
    dids.remove(world.deps, world.account_id, "+33199005678")
