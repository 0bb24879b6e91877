"""Tests of calls that are known only by the address they come from (TrunkSource)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.call_transitions import CallState
from chalicelib.providers.base import Reject
from chalicelib.services.call import inbound
from chalicelib.services.line import dids

SETTINGS = {"auth": "ip", "username": None, "password": None}


def from_address(world, to, source, **more):
    return replace(world.incoming(to), trunk_source=source, **more)


@pytest.fixture
def carrier(world, e164):
    """A trunk whose carrier calls from its networks, with one number."""
    networks = ["9.9.9.0/24", "2620:fe::/48"]
    trunk = world.new_trunk(name="second", networks=networks, country="GB", **SETTINGS)
    world.new_did(e164, name="second", label="Desk")
    return trunk


@pytest.mark.parametrize("source", ["9.9.9.9", "::ffff:9.9.9.9", "2620:fe::9"])
@pytest.mark.parametrize("form", ["{}", "sip:{}@gateway.example", "00{}", "plain"])
def test_a_call_from_a_trunks_network_rings_at_its_number(world, carrier, e164, source, form):
    digits = e164.removeprefix("+")
    to = {"00{}": f"00{digits}", "plain": digits}.get(form, form.format(e164))
    incoming = from_address(world, to, source)
    inbound.receive(world.deps, incoming)
    call = world.call_of(incoming)
    assert (call.account_id, call.line, call.state) == (
        world.account_id, e164, CallState.RINGING,
    )  # fmt: skip
    assert (call.trunk, call.trunk_id) == ("second", carrier.trunk_id)


@pytest.mark.parametrize("source", ["9.9.8.9", "2620:ff::9", "x", None])
def test_a_call_from_elsewhere_is_rejected(world, carrier, e164, source):
    incoming = from_address(world, e164, source)
    assert inbound.receive(world.deps, incoming) == Reject()
    inbound.caller_gone(world.deps, incoming, failed=False)
    assert not world.events().count("call.ringing")


def test_a_number_of_a_trunk_that_registers_is_not_reached_by_address(world, e164):
    world.new_trunk()
    world.new_did(e164)
    assert inbound.receive(world.deps, from_address(world, e164, "9.9.9.9")) == Reject()


def test_a_number_is_reached_from_its_own_trunks_network_only(world, carrier, e164):
    stranger, _ = world.new_account()
    world.new_trunk(stranger, networks=["9.9.7.0/24"], **SETTINGS)
    assert inbound.receive(world.deps, from_address(world, e164, "9.9.7.7")) == Reject()


def test_a_number_that_is_removed_or_whose_trunk_is_gone_is_not_reached(world, carrier, e164):
    dids.remove(world.deps, world.account_id, e164, "second")
    assert inbound.receive(world.deps, from_address(world, e164, "9.9.9.9")) == Reject()


def test_a_routing_number_rings_for_a_carrier_of_the_operator(world, carrier):
    incoming = from_address(world, world.number, "9.9.9.9")
    inbound.receive(world.deps, incoming)
    assert world.call_of(incoming).trunk is None


def test_a_routing_number_does_not_ring_for_a_network_of_trunks_alone(world, carrier):
    incoming = from_address(world, world.number, "9.9.9.9", trusted=False)
    assert inbound.receive(world.deps, incoming) == Reject()


def test_a_trunk_that_also_registers_is_reached_both_ways(world, e164):
    trunk = world.new_trunk(auth="both", networks=["9.9.9.9/32"])
    world.new_did(e164)
    for incoming in (
        from_address(world, e164, "9.9.9.9"),
        replace(world.incoming(e164), trunk_id=trunk.trunk_id),
    ):
        inbound.receive(world.deps, incoming)
        assert world.call_of(incoming).trunk == "main"


def test_callers_are_read_in_the_trunks_country(world, carrier, e164):
    incoming = replace(from_address(world, e164, "9.9.9.9"), from_="02079460000")
    inbound.receive(world.deps, incoming)
    assert world.call_of(incoming).from_ == "+442079460000"


def test_the_country_that_is_set_counts_before_that_of_the_numbers(world, e164):
    trunk = world.new_trunk(country="FR", caller_id="+442079460000")
    world.new_did(e164)
    incoming = replace(world.incoming(e164), trunk_id=trunk.trunk_id, from_="0612345678")
    inbound.receive(world.deps, incoming)
    assert world.call_of(incoming).from_ == "+33612345678"


def test_the_first_call_from_the_network_makes_the_number_a_caller_id(world, carrier, e164):
    inbound.receive(world.deps, from_address(world, e164, "9.9.9.9"))
    assert dids.owned(world.deps, world.account_id, e164, "second").called_at == world.clock()
