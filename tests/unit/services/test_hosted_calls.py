"""Tests of hosted calls: a voice host keeps a place before a call is answered or dialled, and gets
it back if it is not used.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.domain.call import Refused, public_view
from chalicelib.domain.call_transitions import Act, CallState
from chalicelib.domain.line import LineChanges
from chalicelib.domain.voice import (
    SettingsUnused,
    UnknownLanguage,
    UnknownVoice,
    VoiceBusy,
    VoiceGated,
    VoiceSettings,
    VoiceUnavailable,
    WantedVoice,
)
from chalicelib.providers.base import Connect, KeepRinging
from chalicelib.services.call import call_control, dial, inbound, outbound
from chalicelib.services.call.transition import settle
from chalicelib.services.line import numbers
from chalicelib.services.operator import account_admin
from tests.support.voice_hosts import with_voice_hosts
from tests.support.world import RecordingProvider

HOSTED = WantedVoice("hosted")


def set_number(world, **changes):
    given = LineChanges.model_validate({"voice": "hosted", **changes})
    return numbers.change(world.deps, world.account_id, world.number, given)


def accept(world, call, wanted=HOSTED):
    return call_control.accept(world.deps, world.account_id, call.call_id, wanted)


def test_a_hosted_accept_keeps_a_place_and_notes_the_host(world):
    house = with_voice_hosts(world)
    call = accept(world, world.ringing())
    assert (call.state, call.voice, call.voice_host) == (
        CallState.ACTIVE, "hosted", house.hosts[0].socket,
    )  # fmt: skip
    assert house.held == {call.call_id}
    assert world.reread(call) == call
    shown = public_view(call)
    assert shown["voice"] == "hosted"
    assert "voice_host" not in shown
    assert house.hosts[0].socket not in str(shown)


def test_a_call_with_its_agents_own_voice_asks_no_voice_host(world):
    house = with_voice_hosts(world)
    call = call_control.accept(world.deps, world.account_id, world.ringing().call_id)
    assert call.voice == "own"
    assert "voice" not in public_view(call)
    assert house.poster.asked == []


def test_settings_of_the_request_go_over_those_of_the_number(world):
    house = with_voice_hosts(world)
    set_number(world, voice_settings={"language": "fr-FR", "name": "amy", "transcript": False})
    call = world.ringing()
    assert call.voice == "hosted"
    wanted = WantedVoice(settings=VoiceSettings(name="bob", speed=1.5))
    settings = accept(world, call, wanted).voice_settings
    assert settings.model_dump() == {
        "language": "fr-FR", "name": "bob", "speed": 1.5, "transcript": False, "partials": False,
    }  # fmt: skip
    assert house.hosts[0].held[call.call_id] == {
        "call_id": call.call_id, "account": world.account_id,
        "language": "fr-FR", "name": "bob", "speed": 1.5,
    }  # fmt: skip


def test_own_in_the_request_goes_over_the_numbers_hosted_voice(world):
    house = with_voice_hosts(world)
    set_number(world)
    call = accept(world, world.ringing(), WantedVoice("own"))
    assert (call.voice, call.voice_host, house.held) == ("own", None, set())


def test_an_account_outside_the_beta_gets_no_hosted_voice(world):
    house = with_voice_hosts(world, beta=False)
    call = world.ringing()
    with pytest.raises(VoiceGated):
        accept(world, call)
    with pytest.raises(VoiceGated):
        world.dial(voice=HOSTED)
    with pytest.raises(VoiceGated):
        set_number(world)
    assert world.reread(call).state is CallState.RINGING
    assert house.poster.asked == []
    assert world.provider.dialled == []


def test_a_number_that_is_hosted_still_is_gated_when_the_beta_is_withdrawn(world):
    with_voice_hosts(world)
    set_number(world)
    account_admin.set_hosted_voice(world.deps, world.account_id, False)
    call = world.ringing()
    with pytest.raises(VoiceGated):
        accept(world, call, WantedVoice())
    assert accept(world, call, WantedVoice("own")).state is CallState.ACTIVE


def test_without_a_free_place_the_call_is_not_answered_and_rings_on(world):
    house = with_voice_hosts(world)
    house.hosts[0].capacity = 0
    call = world.ringing()
    with pytest.raises(VoiceBusy) as busy:
        accept(world, call)
    assert busy.value.retry_after_s
    assert world.reread(call) == call
    assert world.provider.steered == []
    house.hosts[0].capacity = 1
    assert accept(world, call).state is CallState.ACTIVE


def test_without_a_voice_host_that_answers_hosted_is_unavailable(world):
    house = with_voice_hosts(world, hosts=2)
    house.go_down()
    with pytest.raises(VoiceUnavailable):
        accept(world, world.ringing())
    assert len(house.poster.asked) == 2
    world.deps = replace(world.deps, voice_hosts=None)
    with pytest.raises(VoiceUnavailable):
        accept(world, world.ringing())


@pytest.mark.parametrize(
    ("settings", "failure", "choices"),
    [
        ({"name": "zoe"}, UnknownVoice, ["amy", "bob"]),
        ({"language": "tlh"}, UnknownLanguage, ["en-US", "fr-FR"]),
    ],
)
def test_an_unknown_voice_or_language_is_refused_with_the_choices(
    world, settings, failure, choices
):
    house = with_voice_hosts(world)
    wanted = WantedVoice("hosted", VoiceSettings(**settings))
    for act in (
        lambda: accept(world, world.ringing(), wanted),
        lambda: world.dial(voice=wanted),
        lambda: set_number(world, voice_settings=settings),
    ):
        with pytest.raises(failure) as error:
            act()
        assert error.value.choices == choices
    assert house.held == set()


def test_any_voice_may_be_set_while_no_voice_host_answers(world):
    house = with_voice_hosts(world)
    house.go_down()
    assert set_number(world, voice_settings={"name": "zoe"}).voice_settings.name == "zoe"


def test_voice_settings_for_an_agent_that_speaks_itself_are_refused(world):
    with_voice_hosts(world)
    with pytest.raises(SettingsUnused):
        accept(world, world.ringing(), WantedVoice("own", VoiceSettings(speed=2)))


@pytest.mark.parametrize("act", [Act.CALLER_HANGUP, Act.DECLINE])
def test_a_place_is_given_back_if_the_call_ends_before_it_is_answered(world, act):
    house = with_voice_hosts(world)
    call = world.ringing()
    house.hosts[0].meanwhile = lambda _: settle(world.deps, call, act)
    with pytest.raises(Refused) as refused:
        accept(world, call)
    assert refused.value.call.state.final
    assert (house.held, house.hosts[0].released) == (set(), [call.call_id])


def test_a_place_is_given_back_if_an_accept_with_own_audio_is_faster(world):
    house = with_voice_hosts(world)
    call = world.ringing()
    house.hosts[0].meanwhile = lambda _: accept(world, call, WantedVoice("own"))
    with pytest.raises(Refused):
        accept(world, call)
    assert world.reread(call).voice == "own"
    assert house.held == set()


def test_the_loser_of_two_hosted_accepts_leaves_the_winner_its_place(world):
    house = with_voice_hosts(world)
    host, call = house.hosts[0], world.ringing()

    def faster(_):
        host.meanwhile = None
        accept(world, call)

    host.meanwhile = faster
    with pytest.raises(Refused):
        accept(world, call)
    assert world.reread(call).voice_host == host.socket
    assert house.held == {call.call_id}


def test_whoever_wins_only_a_hosted_call_has_a_place(world):
    house = with_voice_hosts(world, hosts=2)
    for host in house.hosts:
        host.capacity = 100
    for _ in range(10):
        call = world.ringing()

        def compete(act, call=call):
            with contextlib.suppress(Refused):
                act(call)

        acts = [
            lambda call: accept(world, call),
            lambda call: accept(world, call),
            lambda call: accept(world, call, WantedVoice("own")),
            lambda call: settle(world.deps, call, Act.CALLER_HANGUP),
        ]
        with ThreadPoolExecutor(4) as many:
            list(many.map(compete, acts))
        after = world.reread(call)
        if after.voice == "own" or after.answered_at is None:
            assert call.call_id not in house.held, after
        elif not after.state.final:
            assert call.call_id in house.held, after


def test_no_place_is_taken_for_a_call_that_is_over(world):
    house = with_voice_hosts(world)
    call = settle(world.deps, world.ringing(), Act.CALLER_HANGUP)
    late = world.ringing()
    world.clock.advance(60)
    for each in (call, late):
        with pytest.raises(Refused):
            accept(world, each)
    assert house.poster.asked == []


def poll(world, call):
    return inbound.poll(world.deps, "gateway", call.provider_call_id)


def test_a_hosted_number_answers_at_once_if_there_is_a_place(world):
    house = with_voice_hosts(world)
    set_number(world, auto_answer=True)
    call = world.ringing()
    assert (call.state, call.voice_host) == (CallState.ACTIVE, house.hosts[0].socket)
    assert call.voice_detail is None
    assert house.held == {call.call_id}
    assert isinstance(poll(world, call), Connect)
    assert world.timer.started == []


def test_a_hosted_number_without_a_place_rings_on_with_the_reason(world):
    house = with_voice_hosts(world)
    set_number(world, auto_answer=True)
    house.hosts[0].capacity = 0
    call = world.ringing()
    assert call.state is CallState.RINGING
    assert "busy" in public_view(call)["voice_detail"]
    assert world.timer.started == [call.call_id]
    world.clock.advance(2)
    asked = len(house.poster.asked)
    assert poll(world, call) == KeepRinging()
    assert len(house.poster.asked) == asked, "not with each poll"


def test_a_hosted_number_answers_as_soon_as_a_place_is_free(world):
    house = with_voice_hosts(world)
    set_number(world, auto_answer=True)
    house.hosts[0].capacity = 0
    call = world.ringing()
    house.hosts[0].capacity = 1
    world.clock.advance(5.2)
    assert isinstance(poll(world, call), Connect)
    answered = world.reread(call)
    assert (answered.state, answered.voice_detail) == (CallState.ACTIVE, None)
    assert world.timer.started == [call.call_id]


def test_each_of_the_rare_polls_of_a_call_that_is_redirected_asks_for_a_place(world):
    """They come late when there is load, and would drift past any window of time."""
    house = with_voice_hosts(world)
    set_number(world, auto_answer=True)
    house.hosts[0].capacity = 0
    call = world.ringing()
    for _ in range(3):
        world.clock.advance(6.9)
        asked = len(house.poster.asked)
        step = inbound.poll(world.deps, "gateway", call.provider_call_id, redirects=True)
        assert step == KeepRinging(5)
        assert len(house.poster.asked) > asked
    house.hosts[0].capacity = 1
    world.clock.advance(6.9)
    step = inbound.poll(world.deps, "gateway", call.provider_call_id, redirects=True)
    assert isinstance(step, Connect)


def test_a_call_that_rings_on_can_be_accepted_and_its_redirect_is_waited_for(world):
    house = with_voice_hosts(world)
    set_number(world, auto_answer=True)
    house.go_down()
    call = world.ringing()
    accepted = accept(world, call, WantedVoice("own"))
    assert (accepted.state, accepted.voice) == (CallState.ACTIVE, "own")
    assert poll(world, call) == KeepRinging(), "the accept's own redirect brings the stream"


def test_a_call_that_rings_on_is_missed_at_its_deadline(world):
    house = with_voice_hosts(world)
    set_number(world, auto_answer=True)
    house.go_down()
    call = world.ringing()
    world.clock.advance(60)
    assert call_control.expire(world.deps, call.call_id).state is CallState.MISSED


def test_a_transition_does_not_overwrite_why_a_call_rings_on(world):
    with_voice_hosts(world).go_down()
    set_number(world, auto_answer=True)
    call = world.ringing()
    before = call.model_copy(update={"voice_detail": None})
    over = settle(world.deps, before, Act.CALLER_HANGUP)
    assert over.voice_detail == call.voice_detail


def test_a_caller_who_hangs_up_while_a_place_is_taken_leaves_none_behind(world):
    house = with_voice_hosts(world)
    set_number(world, auto_answer=True)
    incoming = world.incoming()
    house.hosts[0].meanwhile = lambda _: inbound.caller_gone(world.deps, incoming, failed=False)
    inbound.receive(world.deps, incoming)
    assert world.call_of(incoming).state is CallState.MISSED
    assert house.held == set()


def test_a_hosted_dial_keeps_a_place_before_the_provider_is_asked(world):
    house = with_voice_hosts(world)
    held = []
    world.provider.meanwhile = lambda *_: held.append(set(house.held))
    call = world.dial(voice=WantedVoice("hosted", VoiceSettings(name="amy")))
    assert held == [{call.call_id}]
    stored = world.reread(call)
    assert (stored.voice, stored.voice_host) == ("hosted", house.hosts[0].socket)
    assert stored.voice_settings.name == "amy"


def test_a_hosted_dial_without_a_place_rings_no_phone(world):
    house = with_voice_hosts(world)
    house.hosts[0].capacity = 0
    with pytest.raises(VoiceBusy):
        world.dial(voice=HOSTED)
    assert world.provider.dialled == []
    assert world.events()[-1] != "call.connecting"


def test_a_dial_that_is_not_placed_gives_its_place_back(world):
    house = with_voice_hosts(world)
    world.provider.down = True
    with pytest.raises(dial.NotPlaced):
        world.dial(voice=HOSTED)
    assert house.held == set()


def test_a_dial_beyond_the_accounts_limit_gives_its_place_back(world):
    house = with_voice_hosts(world)
    account_admin.set_limits(world.deps, world.account_id, {"max_concurrent_dials": 1})
    first = world.dial(voice=HOSTED)
    with pytest.raises(dial.NotDialled):
        world.dial(voice=HOSTED)
    assert house.held == {first.call_id}


@pytest.mark.parametrize("status", ["busy", "no-answer"])
def test_a_dial_that_nobody_answers_gives_its_place_back(world, status):
    house = with_voice_hosts(world)
    call = world.dial(voice=HOSTED)
    sid = world.reread(call).provider_call_id
    outbound.handle_status(world.deps, "gateway", call.call_id, sid, status, None)
    assert house.held == set()


def test_a_request_to_dial_that_comes_twice_keeps_one_place(world):
    house = with_voice_hosts(world)
    first = world.dial(voice=HOSTED)
    request = dial.DialRequest("sip:+33199001234@sip.carrier.example", voice=HOSTED)
    again = dial.dial(world.deps, world.account_id, request, first.call_id)
    assert again.call_id == first.call_id
    assert house.held == {first.call_id}


def test_a_call_that_rang_for_long_has_its_place_renewed_when_it_is_answered(world):
    house = with_voice_hosts(world, hosts=2)
    call = world.dial(voice=HOSTED, ring_timeout_s=120)
    sid = world.reread(call).provider_call_id
    first = next(host for host in house.hosts if call.call_id in host.held)
    first.down = True
    world.clock.advance(61)
    assert isinstance(outbound.answered(world.deps, "gateway", call.call_id, sid), Connect)
    (second,) = (host for host in house.hosts if host is not first)
    assert world.reread(call).voice_host == second.socket


def test_an_answer_counts_even_if_no_voice_host_renews_its_place(world):
    house = with_voice_hosts(world)
    call = world.dial(voice=HOSTED, ring_timeout_s=120)
    sid = world.reread(call).provider_call_id
    house.go_down()
    world.clock.advance(61)
    assert isinstance(outbound.answered(world.deps, "gateway", call.call_id, sid), Connect)
    assert world.reread(call).voice_host == house.hosts[0].socket


def test_a_hosted_dial_through_twilio_works_alike(world):
    house = with_voice_hosts(world)
    providers = {**world.deps.providers, "twilio": RecordingProvider("twilio")}
    settings = replace(world.deps.settings, twilio_sip_domain="x.sip.twilio.com")
    world.deps = replace(world.deps, providers=providers, settings=settings)
    world.register_trunk(provider="twilio")
    assert world.dial(voice=HOSTED).call_id in house.held


def test_a_request_without_audio_gets_a_hosted_voice_by_default_in_the_beta(world):
    text_only = WantedVoice(text_only=True)
    assert accept(world, world.ringing(), text_only).voice == "own", "there is no voice host"
    with_voice_hosts(world)
    assert accept(world, world.ringing(), text_only).voice == "hosted"
    assert accept(world, world.ringing(), WantedVoice("own", text_only=True)).voice == "own"
    assert world.dial(voice=text_only).voice == "hosted"
    numbers.change(
        world.deps, world.account_id, world.number, LineChanges(agent_url="wss://agent.example")
    )
    assert accept(world, world.ringing(), text_only).voice == "own", "its agent has audio"
    account_admin.set_hosted_voice(world.deps, world.account_id, False)
    assert world.dial(voice=text_only).voice == "own"
