"""Tests of transfers, one step after the other: who is joined, who is hung up, and what is told."""

from __future__ import annotations

import pytest

from chalicelib.domain.call import Refused
from chalicelib.domain.call_transitions import Act, CallState
from chalicelib.domain.dial_rules import NotDialled
from chalicelib.providers.base import Connect, HangUp
from chalicelib.services import sweep
from chalicelib.services.call import call_control, hold, inbound, media, outbound, transfer
from chalicelib.services.call.dial import NotPlaced
from chalicelib.services.call.transfer import TransferRequest
from chalicelib.services.call.transition import settle
from chalicelib.services.operator import account_admin
from chalicelib.store.call_media import Relay
from common import media_token
from tests.support.relay_door import talking, with_door
from tests.support.world import CALLEE, MEDIA_SECRET

OUTCOMES = ("call.transfer.completed", "call.transfer.failed")


@pytest.fixture
def door(world):
    world.register_trunk()
    return with_door(world)


@pytest.fixture
def call(world, door):
    return talking(world, voice="own")


def start(world, call, mode="cold", **more):
    """Begin a transfer; return both calls."""
    call = transfer.start(
        world.deps, world.account_id, call.call_id, TransferRequest(CALLEE, mode, **more)
    )
    return call, leg_of(world, call)


def leg_of(world, call):
    leg = world.stores.calls.get(world.reread(call).media_line.transfer.call_id)
    assert leg is not None
    return leg


def answer(world, leg):
    return outbound.answered(world.deps, "gateway", leg.call_id, leg.provider_call_id)


def over(world, leg, status, code=None):
    outbound.handle_status(world.deps, "gateway", leg.call_id, leg.provider_call_id, status, code)


def lines(door, call):
    """What the relay of a call was told of its line, the newest last."""
    return [
        each["params"]["line"]
        for each in door.asked
        if each["method"] == "changed"
        and each["params"]["call"]["call_id"] == call.call_id
        and "line" in each["params"]
    ]


def told(world, *kinds):
    return [each for each in world.events() if each.startswith(kinds or ("call.transfer",))]


def state_of(world, call):
    return world.reread(call).media_line.transfer.state


def test_a_cold_transfer_joins_the_two_when_the_third_party_answers(world, door, call):
    call, leg = start(world, call)
    assert (leg.kind, leg.parent_call_id, leg.to) == ("transfer_leg", call.call_id, CALLEE)
    assert lines(door, call)[-1] == {
        "number": 1, "mode": "hold", "source": {"kind": "ringback"}, "why": "transfer",
    }  # fmt: skip
    outbound.handle_status(
        world.deps, "gateway", leg.call_id, leg.provider_call_id, "ringing", None
    )
    assert state_of(world, call) == "ringing"
    assert isinstance(answer(world, leg), Connect)
    call, leg = world.reread(call), world.reread(leg)
    assert (call.media_line.mode, call.media_line.peer) == ("bridge", leg.call_id)
    assert (leg.media_line.mode, leg.media_line.peer) == ("bridge", call.call_id)
    joined = lines(door, call)[-1]
    assert joined["number"] == 3
    assert {**joined, "number": 0} == {
        "number": 0, "mode": "bridge", "source": None, "peer": leg.call_id, "agent": "leave",
    }  # fmt: skip
    assert told(world) == [
        "call.transfer.started", "call.transfer.answered", "call.transfer.completed",
    ]  # fmt: skip
    assert told(world, "call.held", "call.unheld") == ["call.held", "call.unheld"]


def test_the_relay_of_the_call_is_told_the_way_to_the_third_partys(world, door, call):
    call, leg = start(world, call)
    answer(world, leg)
    relay = Relay("relay-2", "ws://10.0.0.9:8702", "http://10.0.0.9:8703")
    token = media_token.issue(MEDIA_SECRET, leg.call_id, "provider", leg.media_expiry)
    media.attach_provider(world.deps, relay, token, "wss://r", "good")
    way = lines(door, call)[-1]
    assert way["peer_url"] == "ws://10.0.0.9:8702"
    now = world.clock.ms // 1000
    assert media_token.read(MEDIA_SECRET, way["peer_token"], "peer", now) == leg.call_id
    assert all("peer_url" not in line for line in lines(door, leg))


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [("busy", 486, "busy"), ("no-answer", None, "no_answer"), ("failed", 603, "declined"),
     ("failed", 404, "rejected"), ("failed", None, "provider_error")],
)  # fmt: skip
def test_the_agent_has_the_call_again_if_the_third_party_is_not_reached(  # noqa: PLR0917
    world, door, call, status, code, why
):
    call, leg = start(world, call)
    over(world, leg, status, code)
    call = world.reread(call)
    assert (call.state, call.media_line.mode) == (CallState.ACTIVE, "agent")
    failed = call.media_line.transfer
    assert (failed.state, failed.why, failed.sip_code) == ("failed", why, code)
    assert lines(door, call)[-1]["mode"] == "agent"
    assert told(world) == ["call.transfer.started", "call.transfer.failed"]


def test_the_call_is_hung_up_instead_if_that_is_wanted(world, call):
    call, leg = start(world, call, on_failure="hang_up")
    over(world, leg, "busy", 486)
    assert world.reread(call).end_reason == "agent_hangup"
    assert call.provider_call_id in world.provider.hung_up
    assert told(world, "call.transfer", "call.ended") == [
        "call.transfer.started", "call.transfer.failed", "call.ended",
    ]  # fmt: skip


def test_a_provider_that_does_not_place_the_call_gives_it_back_at_once(world, door, call):
    world.provider.down = True
    with pytest.raises(NotPlaced) as failed:
        start(world, call)
    assert failed.value.call.call_id == call.call_id
    assert state_of(world, call) == "failed"
    assert lines(door, call)[-1]["mode"] == "agent"


def test_a_third_party_that_never_answers_is_given_up_at_the_deadline(world, call):
    call, leg = start(world, call, timeout_s=20)
    assert world.provider.dialled[-1].ring_timeout_s == 20
    world.clock.advance(26)
    call_control.expire(world.deps, leg.call_id)
    assert state_of(world, call) == "failed"
    assert leg.provider_call_id in world.provider.hung_up


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("mode", ["cold", "warm"])
def test_a_caller_who_hangs_up_takes_the_third_party_along(world, call, mode, answered):
    call, leg = start(world, call, mode)
    if answered:
        answer(world, leg)
    settle(world.deps, call, Act.CALLER_HANGUP)
    gone = world.reread(leg)
    assert (gone.state, gone.end_reason) == (CallState.ENDED, "peer_ended")
    assert leg.provider_call_id in world.provider.hung_up
    completed = mode == "cold" and answered
    assert [each for each in told(world) if each in OUTCOMES] == [OUTCOMES[not completed]]


def test_a_third_party_that_hangs_up_after_the_join_ends_the_call(world, call):
    call, leg = start(world, call)
    answer(world, leg)
    over(world, leg, "completed")
    ended = world.reread(call)
    assert (ended.state, ended.end_reason) == (CallState.ENDED, "peer_ended")
    assert call.provider_call_id in world.provider.hung_up
    assert world.reread(leg).end_reason == "callee_hangup"


@pytest.mark.parametrize("which", ["call", "leg"])
@pytest.mark.parametrize("kind", ["media_lost", "max_duration"])
def test_whatever_ends_one_of_two_joined_calls_ends_the_other(world, call, which, kind):
    call, leg = start(world, call)
    answer(world, leg)
    media.report(world.deps, "relay-1", (call if which == "call" else leg).call_id, kind)
    assert world.reread(call).state.final
    assert world.reread(leg).state.final
    assert {call.provider_call_id, leg.provider_call_id} <= set(world.provider.hung_up)
    assert world.stores.dialling.get(world.account_id).calls == frozenset()


@pytest.mark.parametrize("kind", ["agent_hangup", "agent_lost", "no_agent"])
def test_no_news_of_the_agent_ends_calls_that_are_joined(world, call, kind):
    call, leg = start(world, call)
    answer(world, leg)
    for each in (call, leg):
        media.report(world.deps, "relay-1", each.call_id, kind)
        assert world.reread(each).state is CallState.ACTIVE


def test_an_agent_that_hangs_up_during_a_cold_transfer_lets_it_go_on(world, call):
    call, leg = start(world, call)
    media.report(world.deps, "relay-1", call.call_id, "agent_hangup")
    assert state_of(world, call) == "dialling"
    answer(world, leg)
    assert state_of(world, call) == "completed"


def test_a_transfer_that_fails_after_its_agent_has_left_ends_the_call(world, call):
    call, leg = start(world, call)
    media.report(world.deps, "relay-1", call.call_id, "agent_hangup")
    over(world, leg, "busy", 486)
    assert world.reread(call).end_reason == "agent_hangup"


def test_a_warm_transfer_lets_the_agent_talk_first_and_then_joins(world, door, call):
    call, leg = start(world, call, "warm")
    assert lines(door, call)[-1]["source"] == {"kind": "music"}
    with pytest.raises(Refused) as early:
        transfer.complete(world.deps, world.account_id, call.call_id)
    assert early.value.code == "transfer_not_answered"
    answer(world, leg)
    assert state_of(world, call) == "consulting"
    assert world.reread(leg).media_line.mode == "agent"
    done = transfer.complete(world.deps, world.account_id, call.call_id)
    assert done.media_line.mode == world.reread(leg).media_line.mode == "bridge"
    assert transfer.complete(world.deps, world.account_id, call.call_id) == done
    assert told(world) == [
        "call.transfer.started", "call.transfer.answered", "call.transfer.completed",
    ]  # fmt: skip


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("mode", ["cold", "warm"])
def test_a_transfer_that_is_cancelled_hangs_up_the_third_party_and_gives_the_call_back(
    world, door, call, mode, answered
):
    call, leg = start(world, call, mode)
    if answered:
        answer(world, leg)
    if answered and mode == "cold":
        with pytest.raises(Refused) as late:
            transfer.cancel(world.deps, world.account_id, call.call_id)
        assert late.value.code == "call_transferred"
        return
    call = transfer.cancel(world.deps, world.account_id, call.call_id)
    assert (call.media_line.mode, state_of(world, call)) == ("agent", "cancelled")
    assert world.reread(leg).end_reason == "agent_hangup"
    assert leg.provider_call_id in world.provider.hung_up
    assert [each for each in told(world) if each in OUTCOMES] == ["call.transfer.failed"]


def test_a_third_party_that_leaves_the_consultation_gives_the_call_back(world, call):
    call, leg = start(world, call, "warm")
    answer(world, leg)
    over(world, leg, "completed")
    assert world.reread(call).media_line.mode == "agent"
    assert world.reread(call).media_line.transfer.why == "callee_hangup"


def test_the_agent_may_hang_up_the_consultation_alone(world, call):
    call, leg = start(world, call, "warm")
    answer(world, leg)
    media.report(world.deps, "relay-1", leg.call_id, "agent_hangup")
    assert world.reread(call).media_line.mode == "agent"
    assert world.reread(leg).state.final


def test_one_transfer_at_a_time_and_none_of_a_transfers_own_call(world, call):
    call, leg = start(world, call, "warm")
    for act in (hold.resume, lambda *args: hold.hold(*args, True), lambda *_: start(world, call)):
        with pytest.raises(Refused) as refused:
            act(world.deps, world.account_id, call.call_id)
        assert refused.value.code == "transfer_under_way"
    answer(world, leg)
    with pytest.raises(Refused) as refused:
        start(world, leg)
    assert refused.value.code == "transfer_leg"
    transfer.complete(world.deps, world.account_id, call.call_id)
    with pytest.raises(Refused) as refused:
        start(world, call)
    assert refused.value.code == "call_transferred"


def test_a_call_can_be_transferred_again_after_a_failure(world, call):
    call, leg = start(world, call)
    over(world, leg, "busy", 486)
    call, second = start(world, call)
    assert second.call_id != leg.call_id
    answer(world, second)
    assert state_of(world, call) == "completed"


def test_a_call_that_was_dialled_can_be_transferred_too(world, door):
    dialled = world.dial("+33199004321")
    answer(world, dialled)
    call, leg = start(world, dialled)
    answer(world, leg)
    over(world, world.reread(dialled), "completed")
    assert world.reread(leg).end_reason == "peer_ended"
    assert world.reread(call).end_reason == "callee_hangup"


def test_the_rules_of_dialling_hold_for_the_third_party(world, door, call):
    with pytest.raises(NotDialled) as refused:
        transfer.start(
            world.deps, world.account_id, call.call_id, TransferRequest("+14155550123", "cold")
        )
    assert refused.value.code == "country_not_allowed"
    account_admin.set_limits(world.deps, world.account_id, {"max_concurrent_calls": 1})
    with pytest.raises(NotDialled) as refused:
        start(world, call)
    assert refused.value.code == "too_many_dials"
    assert world.reread(call).media_line.number == 0
    assert told(world) == []


def test_the_third_partys_call_does_not_outlast_the_call(world, call):
    world.clock.advance(3600)
    _, leg = start(world, call)
    assert leg.max_duration_s == call.max_duration_s - 3600


def test_a_request_that_comes_again_dials_once(world, call):
    leg_id = "call_" + "a" * 26
    request = TransferRequest(CALLEE, "cold")
    for _ in range(2):
        transfer.start(world.deps, world.account_id, call.call_id, request, leg_id)
    assert len(world.provider.dialled) == 1
    assert told(world) == ["call.transfer.started"]


def test_the_sweep_takes_a_step_that_was_left_out(world, call, monkeypatch):
    """A process may die between the two writes."""
    call, leg = start(world, call)
    with monkeypatch.context() as dying:
        dying.setattr("chalicelib.services.call.pair._put_right", lambda *_: 1 / 0)
        settle(world.deps, call, Act.CALLER_HANGUP)
    assert not world.reread(leg).state.final
    sweep.sweep(world.deps)
    assert world.reread(leg).end_reason == "peer_ended"
    assert leg.provider_call_id in world.provider.hung_up


def test_a_relay_that_asks_brings_a_step_that_was_left_out(world, call, monkeypatch):
    call, leg = start(world, call)
    with monkeypatch.context() as dying:
        dying.setattr("chalicelib.services.call.pair._put_right", lambda *_: 1 / 0)
        answer(world, leg)
    assert state_of(world, call) == "dialling"
    media.report(world.deps, "relay-1", call.call_id, "watch")
    assert state_of(world, call) == "completed"


def test_a_third_party_that_answers_too_late_is_hung_up(world, call, monkeypatch):
    call, leg = start(world, call)
    with monkeypatch.context() as dying:
        dying.setattr("chalicelib.services.call.pair._put_right", lambda *_: 1 / 0)
        settle(world.deps, call, Act.CALLER_HANGUP)
    assert isinstance(answer(world, leg), HangUp)
    assert world.reread(leg).end_reason == "peer_ended"


class TestRefer:
    """The far end's network is asked to take the call over."""

    @pytest.fixture(autouse=True)
    def refers(self, world):
        world.provider.refers = True

    def start(self, world, call):
        request = TransferRequest(CALLEE, "refer")
        return transfer.start(world.deps, world.account_id, call.call_id, request)

    def come_to(self, world, call, code):
        transfer.referred(world.deps, call.call_id, call.provider_call_id, code)
        return world.reread(call)

    def test_the_call_ends_as_transferred_when_the_third_party_has_answered(self, world, call):
        self.start(world, call)
        assert world.provider.referred == [(call.provider_call_id, CALLEE)]
        assert self.come_to(world, call, 180).state is CallState.ACTIVE
        assert self.come_to(world, call, 200).end_reason == "transferred"
        assert call.provider_call_id in world.provider.hung_up
        assert told(world) == ["call.transfer.started", "call.transfer.completed"]

    def test_the_agent_has_the_call_again_if_it_was_refused(self, world, call):
        self.start(world, call)
        call = self.come_to(world, call, 603)
        assert (call.media_line.mode, call.media_line.transfer.sip_code) == ("agent", 603)
        assert self.come_to(world, call, 200).state is CallState.ACTIVE

    def test_another_calls_outcome_changes_nothing(self, world, call):
        self.start(world, call)
        transfer.referred(world.deps, call.call_id, "CA-other", 200)
        assert world.reread(call).state is CallState.ACTIVE

    def test_its_number_passes_the_guard_of_a_dial(self, world, call):
        request = TransferRequest("+14155550123", "refer")
        with pytest.raises(NotDialled):
            transfer.start(world.deps, world.account_id, call.call_id, request)
        assert world.provider.referred == []

    def test_a_provider_that_refuses_gives_the_call_back(self, world, call):
        world.provider.down = True
        with pytest.raises(NotPlaced):
            self.start(world, call)
        assert world.reread(call).media_line.mode == "agent"

    def test_where_there_is_none_it_is_refused_before_anything_happens(self, world, call):
        world.provider.refers = False
        with pytest.raises(Refused) as refused:
            self.start(world, call)
        assert refused.value.code == "refer_unsupported"
        assert told(world) == []


def test_a_relay_may_report_that_the_far_end_hears_the_other_one(world, call):
    call, leg = start(world, call)
    answer(world, leg)
    facts = media.Facts(line=2)
    for each in (call, leg):
        after = media.report(world.deps, "relay-1", each.call_id, "bridged", facts)
        assert after == world.reread(each)
        assert after.state is CallState.ACTIVE


def test_a_second_stream_of_a_joined_call_finds_it_joined(world, door, call):
    call, leg = start(world, call)
    answer(world, leg)
    assert isinstance(inbound.resume(world.deps, "gateway", call.provider_call_id), Connect)
    assert media.agent_to_dial(world.deps, world.reread(call)) is None
