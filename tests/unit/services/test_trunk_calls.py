"""Tests of calls that a trunk brings: the number at which they ring, and its `called_at`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.call_transitions import CallState
from chalicelib.domain.did import DidChanges
from chalicelib.domain.line import Line
from chalicelib.domain.trunk import new_trunk_id
from chalicelib.providers.base import Connect, KeepRinging, Reject
from chalicelib.services.call import inbound
from chalicelib.services.line import dids, numbers
from chalicelib.store.reserved import Reserved
from chalicelib.store.table import Contention
from tests.unit.services.trunks import events_of, through


@pytest.mark.parametrize(
    "written", ["{}", "sip:{}@pbx.example", "00{bare}", "{bare}", "0{national}"]
)
def test_a_call_through_a_trunk_rings_at_its_number_in_every_spelling(world, e164, written):
    trunk = world.new_trunk()
    world.new_did(e164)
    world.new_did("+33187654321")
    to = written.format(e164, bare=e164[1:], national=e164[3:])
    incoming = through(world, trunk, to)
    assert inbound.receive(world.deps, incoming) == KeepRinging()
    call = world.call_of(incoming)
    assert (call.state, call.line, call.to) == (CallState.RINGING, e164, to)
    assert call.account_id == world.account_id


@pytest.mark.parametrize(
    "written",
    ["07911123456", "447911123456", "00447911123456", "tel:07911123456;phone-context=+44"],
)
def test_a_caller_in_the_spelling_of_the_trunks_country_comes_as_e164(world, e164, written):
    trunk = world.new_trunk()
    world.new_did(e164)
    incoming = through(world, trunk, e164, written)
    inbound.receive(world.deps, replace(incoming, forwarded_from=written))
    call = world.call_of(incoming)
    assert (call.from_, call.forwarded_from) == ("+447911123456", "+447911123456")


def test_a_caller_of_a_trunk_with_numbers_of_two_countries_comes_as_written(world, e164):
    trunk = world.new_trunk()
    world.new_did(e164)
    world.new_did("+33187654321")
    for written, shown in (("07911123456", "07911123456"), ("0033612345678", "+33612345678")):
        incoming = through(world, trunk, e164, written)
        inbound.receive(world.deps, incoming)
        assert (world.call_of(incoming).from_, world.call_of(incoming).line) == (shown, e164)


def test_the_caller_id_counts_among_the_numbers_that_tell_a_trunks_country(world, e164):
    trunk = world.new_trunk(caller_id="+33187654321")
    world.new_did(e164)
    incoming = through(world, trunk, e164, "07911123456")
    inbound.receive(world.deps, incoming)
    assert world.call_of(incoming).from_ == "07911123456"


@pytest.mark.parametrize("from_", ["anonymous", "sip:07911123456@pbx.example", "200", "+3361234"])
def test_a_caller_who_is_no_dialled_number_comes_as_written(world, e164, from_):
    trunk = world.new_trunk()
    world.new_did(e164)
    incoming = through(world, trunk, e164, from_)
    inbound.receive(world.deps, incoming)
    assert (world.call_of(incoming).from_, world.call_of(incoming).forwarded_from) == (from_, None)


def test_the_caller_of_a_missed_or_rejected_call_comes_as_e164(world, e164):
    trunk = world.new_trunk()
    world.new_did(e164)
    missed = through(world, trunk, e164, "07911123456")
    inbound.caller_gone(world.deps, missed, failed=False)
    assert world.call_of(missed).from_ == "+447911123456"
    other = through(world, trunk, "+33187654321", "07911123456")
    assert inbound.receive(world.deps, other) == Reject()
    (event,) = [each for each in events_of(world) if each.type == "number.not_added"]
    assert event.data["from"] == "+447911123456"


def test_a_number_is_found_behind_a_national_prefix_other_than_zero(world):
    trunk = world.new_trunk()
    world.new_did("+79161234567")
    world.new_did("+79161234568")
    incoming = through(world, trunk, "sip:89161234567@pbx.example")
    assert inbound.receive(world.deps, incoming) == KeepRinging()
    assert world.call_of(incoming).line == "+79161234567"
    assert inbound.receive(world.deps, through(world, trunk, "89161234569")) == Reject()


def called_at(world, e164):
    return dids.owned(world.deps, world.account_id, e164).called_at


def test_only_the_first_call_to_a_number_sets_called_at(world, e164):
    trunk = world.new_trunk()
    assert world.new_did(e164).called_at is None
    first = world.clock()
    incoming = world.call_number(trunk, e164)
    world.clock.advance(1)
    inbound.receive(world.deps, incoming)
    world.call_number(trunk, e164)
    world.stores.dids.note_called(trunk.trunk_id, e164, world.clock())
    assert called_at(world, e164) == first


def test_called_at_survives_a_change_and_not_a_removal_of_the_number(world, e164):
    trunk = world.new_trunk()
    world.new_did(e164)
    world.call_number(trunk, e164)
    changes = DidChanges(label="Desk", auto_answer=True)
    assert dids.change(world.deps, world.account_id, e164, changes).called_at == world.clock()
    world.new_trunk(port=5080)
    assert called_at(world, e164) == world.clock()
    dids.remove(world.deps, world.account_id, e164)
    world.new_did(e164)
    assert called_at(world, e164) is None


def test_setting_called_at_late_does_not_restore_a_removed_number(world, e164):
    trunk = world.new_trunk()
    world.new_did(e164)
    dids.remove(world.deps, world.account_id, e164)
    world.stores.dids.note_called(trunk.trunk_id, e164, world.clock())
    assert world.stores.dids.of_trunk(trunk.trunk_id) == []


@pytest.mark.parametrize("written", ["sip:{}@pbx.example", "00{bare}", "{bare}"])
def test_every_full_spelling_of_the_number_sets_called_at(world, e164, written):
    trunk = world.new_trunk()
    world.new_did(e164)
    world.call_number(trunk, written.format(e164, bare=e164[1:]))
    assert called_at(world, e164) == world.clock()


@pytest.mark.parametrize("to", ["sip:442079460123@pbx.example", "sip:s@pbx.example", "0{national}"])
def test_a_call_without_the_full_number_does_not_set_called_at(world, e164, to):
    """Else who has a key could add somebody's number alone, and call the trunk's real one."""
    trunk = world.new_trunk(username="442079460123")
    world.new_did(e164)
    incoming = world.call_number(trunk, to.format(national=e164[3:]))
    assert world.call_of(incoming).line == e164
    assert called_at(world, e164) is None


def test_a_call_that_ended_before_its_webhook_sets_called_at(world, e164):
    trunk = world.new_trunk()
    world.new_did(e164)
    inbound.caller_gone(world.deps, through(world, trunk, e164), failed=False)
    assert called_at(world, e164) == world.clock()


def test_a_call_through_another_trunk_does_not_set_called_at(world, e164):
    """Neither one that another trunk brought, nor one that was rejected."""
    world.new_trunk()
    world.new_did(e164)
    stranger, _ = world.new_account()
    theirs = world.new_trunk(stranger)
    assert inbound.receive(world.deps, through(world, theirs, e164)) == Reject()
    world.new_did(e164, stranger)
    world.call_number(theirs, e164)
    assert called_at(world, e164) is None


def test_a_call_at_twilio_sets_called_at(both, e164):
    both.new_trunk(provider="twilio")
    both.new_did(e164)
    inbound.receive(both.deps, inbound.Incoming("twilio", both.sid(), "+33612345678", e164))
    assert called_at(both, e164) == both.clock()


def test_a_call_rings_even_if_called_at_cannot_be_set(world, monkeypatch, caplog, e164):
    trunk = world.new_trunk()
    world.new_did(e164)

    def collide(*_):
        raise Contention

    monkeypatch.setattr(world.stores.dids, "note_called", collide)
    incoming = through(world, trunk, e164)
    assert inbound.receive(world.deps, incoming) == KeepRinging()
    assert world.call_of(incoming).state is CallState.RINGING
    assert "first call not noted" in caplog.text
    monkeypatch.undo()
    assert called_at(world, e164) is None
    world.call_number(trunk, e164)
    assert called_at(world, e164) == world.clock()


def test_a_call_that_names_only_the_account_rings_at_the_only_number(world, e164):
    trunk = world.new_trunk(username="200451")
    world.new_did(e164)
    for to in ("sip:200451@pbx.example", "sip:s@pbx.example"):
        assert inbound.receive(world.deps, through(world, trunk, to)) == KeepRinging()


def test_a_call_to_a_trunk_number_with_auto_answer_is_answered_at_once(world, e164):
    trunk = world.new_trunk()
    world.new_did(e164, auto_answer=True)
    incoming = through(world, trunk, e164)
    assert isinstance(inbound.receive(world.deps, incoming), Connect)
    assert world.call_of(incoming).state is CallState.ACTIVE


def test_a_call_that_ended_before_its_webhook_is_recorded_at_the_number(world, e164):
    trunk = world.new_trunk()
    world.new_did(e164)
    incoming = through(world, trunk, e164)
    inbound.caller_gone(world.deps, incoming, failed=False)
    assert world.call_of(incoming).line == e164
    inbound.caller_gone(world.deps, through(world, trunk, "+33100000000"), failed=False)
    assert "number.not_added" not in world.events()


def test_trunk_calls_ring_at_trunk_numbers_only_and_other_calls_at_routing_numbers_only(
    world, e164
):
    trunk = world.new_trunk()
    world.new_did(e164)
    assert inbound.receive(world.deps, through(world, trunk, world.number)) == Reject()
    assert inbound.receive(world.deps, world.incoming(to=e164)) == Reject()


def test_twilio_calls_are_matched_by_number_with_routing_numbers_first(both, e164):
    trunk = both.new_trunk(provider="twilio")
    both.new_did(e164)
    line = Line(e164="+33199001111", country="XQ", provider="twilio")
    both.deps.stores.lines.add_to_pool(line)
    numbers.activate(both.deps, both.new_account()[0], "XQ")
    with pytest.raises(Reserved):
        both.new_did("+33199001111")

    def call(to):
        incoming = inbound.Incoming("twilio", both.sid(), "+33612345678", to)
        instruction = inbound.receive(both.deps, incoming)
        if instruction == Reject():
            return None
        from chalicelib.domain.call_id import inbound_call_id

        return both.deps.stores.calls.get(inbound_call_id("twilio", incoming.provider_call_id))

    for to in (e164, f"sip:{e164}@x.sip.twilio.com", f"sip:00{e164[1:]}@x", f"sip:{e164[1:]}@x"):
        assert (call(to).account_id, call(to).line) == (both.account_id, e164)
    assert call("+33199001111").account_id != both.account_id
    assert call("+33100000000") is None
    incoming = inbound.Incoming("twilio", both.sid(), "+1", e164, trunk_id=new_trunk_id())
    assert inbound.receive(both.deps, incoming) == Reject()
    both.new_trunk()  # to the gateway
    assert call(e164) is None
    incoming = inbound.Incoming("twilio", both.sid(), "+1", e164, trunk_id=trunk.trunk_id)
    assert inbound.receive(both.deps, incoming) == Reject()
