"""Tests of dials that fail half-way: refusals of the provider, lost answers, collisions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.call_transitions import CallState, EndReason
from chalicelib.providers.base import HangUp
from chalicelib.services.call import call_control, outbound
from chalicelib.services.call.dial import NotPlaced
from chalicelib.store import contention
from chalicelib.store.calls import CallStore
from chalicelib.store.table import Contention
from tests.support.world import with_settings
from tests.unit.services.dialling import expect_refusal, read_dialling


def test_a_refusal_of_the_provider_leaves_a_failed_call_with_the_reason(world):
    world.provider.down = True
    with pytest.raises(NotPlaced) as error:
        world.dial()
    call = world.reread(error.value.call)
    assert (call.state, call.end_reason) == (CallState.FAILED, EndReason.PROVIDER_ERROR)
    assert error.value.detail == "down"
    assert read_dialling(world) == frozenset()
    assert world.events()[-2:] == ["call.connecting", "call.failed"]


def test_an_unexpected_provider_error_is_treated_as_a_refusal(world, monkeypatch):
    monkeypatch.setattr(world.provider, "dial", lambda _: 1 / 0)
    with pytest.raises(NotPlaced):
        world.dial()
    assert read_dialling(world) == frozenset()


def test_a_call_placed_despite_a_lost_answer_is_hung_up_at_its_first_post(world):
    sids = []
    world.provider.meanwhile = lambda _order, sid: sids.append(sid)
    world.provider.down = True
    with pytest.raises(NotPlaced) as error:
        world.dial()
    world.provider.down = False
    call = error.value.call
    outbound.handle_status(world.deps, "gateway", call.call_id, sids[0], "ringing", None)
    assert world.provider.hung_up == sids
    assert outbound.answered(world.deps, "gateway", call.call_id, sids[0]) == HangUp()


def test_a_lost_answer_after_the_first_post_does_not_fail_the_call(world):
    def posts_come_first(order, sid):
        outbound.handle_status(world.deps, "gateway", order.call_id, sid, "ringing", None)

    world.provider.meanwhile, world.provider.down = posts_come_first, True
    call = world.dial()
    assert call.state is CallState.RINGING
    assert call.provider_call_id


def test_a_call_left_before_its_id_is_known_is_hung_up_later(world):
    def give_up(order, _sid):
        call_control.leave(world.deps, world.account_id, order.call_id)
        assert world.provider.hung_up == []

    world.provider.meanwhile = give_up
    call = world.dial()
    assert (call.state, call.end_reason) == (CallState.ENDED, EndReason.AGENT_HANGUP)
    assert world.provider.hung_up == [call.provider_call_id]


def test_an_id_that_cannot_be_stored_is_bound_by_the_next_post(world, monkeypatch):
    monkeypatch.setattr(CallStore, "bind", lambda *_: 1 / 0)
    call = world.dial()
    assert call.provider_call_id is None
    monkeypatch.undo()
    outbound.handle_status(world.deps, "gateway", call.call_id, "CA77", "initiated", None)
    assert world.reread(call).provider_call_id == "CA77"


def test_a_call_is_dialled_even_if_its_timer_cannot_be_started(world):
    world.timer.broken = True
    assert world.dial().state is CallState.CONNECTING


def test_a_trunk_changed_while_it_is_read_is_not_dialled_through(world, monkeypatch):
    providers = {"gateway": world.provider, "twilio": world.provider}
    world.deps = with_settings(
        replace(world.deps, providers=providers), twilio_sip_domain="name.sip.twilio.test"
    )
    stale = world.register_trunk(provider="twilio")
    world.register_trunk(provider="twilio")
    monkeypatch.setattr(world.stores.trunks, "all_of_account", lambda _: [stale])
    assert expect_refusal(world).code == "no_trunk"


def test_endless_collisions_end_in_a_clear_error(world, monkeypatch):
    def collide(*_):
        raise Contention

    monkeypatch.setattr(contention, "WAIT_S", 0)
    monkeypatch.setattr(world.stores.calls, "dial", collide)
    with pytest.raises(Contention):
        world.dial()
    assert world.provider.dialled == []
