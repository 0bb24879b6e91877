"""Calls that a trunk brings: at which number they ring, and that it was called."""

from __future__ import annotations

import pytest

from chalicelib.domain.call_moves import CallState
from chalicelib.domain.did import DidChanges
from chalicelib.domain.line import Line
from chalicelib.domain.trunk import new_trunk_id
from chalicelib.providers.base import Connect, KeepRinging, Reject
from chalicelib.services import dids, numbers, ring
from chalicelib.store.table import Contention
from tests.unit.services.trunks import through


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
