"""Tests of what is said and done in a call through the relay that holds it, within limits."""

from __future__ import annotations

from itertools import pairwise

import pytest

from chalicelib.domain import transcript
from chalicelib.domain.call import Refused
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.rate_limit import Limit
from chalicelib.domain.voice import UnknownVoice, VoiceGated
from chalicelib.services.call import (
    at_the_relay,
    live_media,
    say,
    transcripts,
    waits,
)
from chalicelib.services.call.at_the_relay import (
    MediaTimeout,
    MediaUnavailable,
    NoMedia,
    NotHosted,
    QueueFull,
    SynthesisFailed,
)
from chalicelib.services.call.say import TooMuchSaid, Words
from chalicelib.services.call.transcripts import Place
from chalicelib.services.call.transition import TooBusy, UnknownCall, settle
from chalicelib.services.call.waits import TooManyWaits
from chalicelib.services.operator import account_admin
from chalicelib.services.rate_limits import TooOften
from chalicelib.store.places import Places
from common import voice_requests
from tests.support.relay_door import DOOR_URL, OWNER_URL, done, refused, talking, with_door
from tests.support.world import World

QUEUED = {"utterance_id": "u", "state": "queued", "heard_text": "", "heard_ms": 0, "reply": None}
REPLY = {"text": "Ada.", "started_ms": 1, "ended_ms": 2, "sequence": 3}


@pytest.fixture
def world(table):
    return World(table)


@pytest.fixture
def door(world):
    double = with_door(world)
    double.answering = [done(QUEUED)]
    return double


@pytest.fixture
def call(world, door):
    return talking(world)


def speak(world, call, text="Hello", seed=None, **words):
    return say.say(world.deps, world.account_id, call.call_id, Words(text=text, **words), seed)


def listen(world, call, after=0, wait_s=0.0):
    return transcripts.read(world.deps, world.account_id, call.call_id, Place(after), wait_s)


def speech_of(world, call):
    return world.stores.transcripts.speech(call.call_id)


def test_a_text_goes_to_the_relay_that_holds_the_call(world, door, call):
    answer = speak(world, call, interrupt=True, name="amy", speed=1.5)
    (asked,) = door.asked
    assert asked["path"] == f"/door/call/{call.call_id}"
    assert (asked["method"], asked["owner"]) == ("request", OWNER_URL)
    params = asked["params"]
    assert (params["method"], params["params"]["text"]) == ("say", "Hello")
    assert (params["params"]["interrupt"], params["params"]["name"]) == (True, "amy")
    assert params["params"]["utterance_id"] == answer["utterance_id"]
    assert answer["state"] == "queued"
    assert speech_of(world, call).open == {answer["utterance_id"]}


def test_who_waits_gets_the_reply_and_the_relay_has_time_for_it(world, door, call):
    door.answering = [done({**QUEUED, "state": "finished", "heard_text": "Hi", "reply": REPLY})]
    answer = speak(world, call, "Hi", wait_for_reply_s=10)
    assert (answer["heard_text"], answer["reply"]) == ("Hi", REPLY)
    assert door.asked[0]["wait_s"] == say.LONGEST_S
    assert say.LONGEST_S < door.timeouts[0] < 29, "API Gateway gives up after 29 s"


def test_the_same_seed_is_the_same_utterance(world, door, call):
    first, again = (speak(world, call, seed="once") for _ in range(2))
    assert first["utterance_id"] == again["utterance_id"]
    assert speak(world, call)["utterance_id"] != first["utterance_id"]
    assert len(speech_of(world, call).open) == 2


def test_a_stream_that_is_not_there_yet_is_waited_for(world, door, call):
    door.answering = [refused("not_here"), refused("no_stream"), refused("no_agent"), done(QUEUED)]
    assert speak(world, call)["state"] == "queued"
    assert len(door.asked) == 4


def test_a_stream_that_does_not_come_is_no_media_and_nothing_is_counted(world, door, call):
    door.answering = [refused("no_stream")]
    before = world.clock.ms
    with pytest.raises(NoMedia):
        speak(world, call)
    assert world.clock.ms - before < 1000 * (at_the_relay.MEDIA_WAIT_S + 1)
    state = speech_of(world, call)
    assert (state.open, state.characters) == (frozenset(), 0)


def test_a_stream_is_asked_for_soon_at_first_and_then_less_often(world, door, call):
    asked_at = []

    def not_there(_):
        asked_at.append(world.clock.ms)
        return {"ok": False, "error": {"code": "no_stream", "detail": ""}}

    door.answering = [not_there]
    with pytest.raises(NoMedia):
        speak(world, call)
    pauses = [later - sooner for sooner, later in pairwise(asked_at)]
    assert pauses == [100, 200, 400] + [800] * (len(pauses) - 3)
    assert len(asked_at) < 10


def test_an_agent_that_was_waited_for_in_vain_is_not_waited_for_again(world, door, call):
    def late(asked):
        world.clock.advance(asked["wait_s"] + 3)
        return {"ok": False, "error": {"code": "no_agent", "detail": ""}}

    door.answering = [late]
    with pytest.raises(NoMedia):
        speak(world, call, wait=True)
    assert len(door.asked) == 1


def test_the_wait_for_a_stream_is_part_of_the_wait_for_the_answer(world, door, call):
    door.answering = [refused("no_stream")] * 6 + [done(QUEUED)]
    before = world.clock.ms
    speak(world, call, wait=True)
    passed_s = (world.clock.ms - before) / 1000
    assert passed_s >= 2
    assert door.asked[-1]["wait_s"] == say.LONGEST_S - passed_s


def test_a_request_that_waits_for_a_stream_and_an_answer_is_one_that_waits(world, door, call):
    hold_all_waits(world, but=1)
    door.answering = [refused("no_stream"), done(QUEUED)]
    assert speak(world, call, wait=True)["state"] == "queued"


def test_a_call_that_ends_while_its_stream_is_waited_for_is_over(world, door, call):
    def end(_):
        settle(world.deps, call, Act.CALLER_HANGUP)
        return {"ok": False, "error": {"code": "no_stream", "detail": ""}}

    door.answering = [end]
    with pytest.raises(Refused) as over:
        speak(world, call)
    assert over.value.code == "call_over"


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("no_requests", NotHosted),
        ("timeout", MediaTimeout),
        ("agent_lost", MediaTimeout),
        ("slow_provider", QueueFull),
        ("queue_full", QueueFull),
        ("synthesis_failed", SynthesisFailed),
        ("call_over", Refused),
        ("too_many", TooBusy),
        ("bad_request", MediaUnavailable),
        ("something_new", MediaUnavailable),
    ],
)
def test_what_the_relay_refuses_is_a_failure_with_a_code(world, door, call, code, failure):
    door.answering = [refused(code)]
    with pytest.raises(failure):
        speak(world, call)


def test_an_unknown_voice_lists_those_that_there_are(world, door, call):
    door.answering = [refused("unknown_voice", choices=["amy", "bob"])]
    with pytest.raises(UnknownVoice) as unknown:
        speak(world, call, name="zoe")
    assert unknown.value.choices == ["amy", "bob"]


@pytest.mark.parametrize("status", [401, 409, 500])
def test_a_door_that_answers_otherwise_is_unavailable(world, door, call, status):
    door.status = status
    with pytest.raises(MediaUnavailable):
        speak(world, call)


def test_a_door_that_is_not_reached_is_unavailable_and_what_may_be_said_stays_open(
    world, door, call
):
    door.down = True
    with pytest.raises(MediaUnavailable):
        speak(world, call)
    assert len(speech_of(world, call).open) == 1


def test_without_a_door_there_is_nothing_to_be_reached(world):
    account_admin.set_hosted_voice(world.deps, world.account_id, True)
    with pytest.raises(MediaUnavailable):
        speak(world, talking(world))


def test_only_active_hosted_calls_of_an_account_in_the_beta_are_spoken_in(world, door, call):
    with pytest.raises(NotHosted):
        speak(world, talking(world, "own"))
    stranger, _ = world.new_account()
    with pytest.raises(UnknownCall):
        say.say(world.deps, stranger, call.call_id, Words(text="Hello"))
    settle(world.deps, call, Act.CALLER_HANGUP)
    with pytest.raises(Refused):
        speak(world, call)
    account_admin.set_hosted_voice(world.deps, world.account_id, False)
    with pytest.raises(VoiceGated):
        speak(world, call)
    assert door.asked == []


def test_utterances_that_are_not_over_are_bounded_and_clear_makes_room(world, door, call):
    for _ in range(transcript.MAX_OPEN):
        speak(world, call)
    with pytest.raises(QueueFull):
        speak(world, call)
    door.answering = [done({"cleared": ["utt_1"]}), done(QUEUED)]
    assert live_media.clear(world.deps, world.account_id, call.call_id) == ["utt_1"]
    assert speak(world, call)["state"] == "queued"


def test_clear_in_a_call_where_nothing_was_said_leaves_nothing_in_the_table(world, door, call):
    door.answering = [done({"cleared": []})]
    assert live_media.clear(world.deps, world.account_id, call.call_id) == []
    assert world.table.get(f"CALL#{call.call_id}", "VOICE") is None


def test_the_characters_of_a_call_are_bounded(world, door, call, monkeypatch):
    monkeypatch.setattr("chalicelib.store.transcripts.MAX_CHARACTERS", 10)
    speak(world, call, "x" * 10)
    with pytest.raises(TooMuchSaid):
        speak(world, call, "x")
    assert len(door.asked) == 1
    assert speak(world, talking(world), "x")["state"] == "queued"


def test_the_characters_of_an_account_are_bounded(world, door, call, monkeypatch):
    monkeypatch.setattr(say, "SPOKEN", Limit("say_characters", 10, 3600))
    speak(world, call, "x" * 9)
    with pytest.raises(TooOften):
        speak(world, talking(world), "xx")
    assert speak(world, call, "x")["state"] == "queued", "what is refused is not counted"
    world.clock.advance(3600)
    assert speak(world, call, "x" * 10)["state"] == "queued"


def hold_all_waits(world, but=0):
    for number in range(waits.WAITS_AT_ONCE - but):
        places = Places(world.account_id, waits.WAITS, waits.WAITS_AT_ONCE)
        until = world.clock.ms + 30_000
        assert world.stores.places.take(places, f"w{number}", world.clock.ms, until)


def test_requests_that_wait_at_a_time_are_bounded_and_others_are_not(world, door, call):
    hold_all_waits(world)
    with pytest.raises(TooManyWaits):
        speak(world, call, wait=True)
    with pytest.raises(TooManyWaits):
        listen(world, call, wait_s=5)
    assert door.asked == []
    assert speak(world, call)["state"] == "queued"
    assert listen(world, call).entries == []
    world.clock.advance(31)
    assert speak(world, call, wait=True)["state"] == "queued"


def test_a_request_that_fails_gives_its_place_back(world, door, call):
    door.answering = [refused("queue_full")]
    for _ in range(waits.WAITS_AT_ONCE + 1):
        with pytest.raises(QueueFull):
            speak(world, call, wait=True)


def test_clear_drops_the_audio_of_an_own_agent_without_the_beta(world, door):
    account_admin.set_hosted_voice(world.deps, world.account_id, False)
    call = talking(world, "own")
    assert live_media.clear(world.deps, world.account_id, call.call_id) == []
    assert door.methods == ["clear"]
    account_admin.set_hosted_voice(world.deps, world.account_id, True)
    hosted = talking(world)
    account_admin.set_hosted_voice(world.deps, world.account_id, False)
    with pytest.raises(VoiceGated):
        live_media.clear(world.deps, world.account_id, hosted.call_id)


@pytest.mark.parametrize("voice", ["own", "hosted"])
def test_keys_go_to_the_relay_of_any_active_call(world, door, voice):
    call = talking(world, voice)
    door.answering = [done({"queued": 3})]
    assert live_media.send_digits(world.deps, world.account_id, call.call_id, "12#") == 3
    assert (door.asked[0]["method"], door.asked[0]["params"]) == ("dtmf", {"digits": "12#"})
    ringing = world.ringing()
    with pytest.raises(Refused) as refusal:
        live_media.send_digits(world.deps, world.account_id, ringing.call_id, "1")
    assert refusal.value.code == "call_not_active"


def test_requests_are_signed_and_each_has_an_id_of_its_own(world, door, call):
    for _ in range(2):
        speak(world, call)
    assert len({each["id"] for each in door.asked}) == 2
    assert all(each["id"].startswith("req_") for each in door.asked)
    assert DOOR_URL.startswith("http://")


def test_voice_hosts_take_what_the_api_takes():
    assert transcript.MAX_SAY <= voice_requests.MAX_TEXT
    assert transcript.MAX_WAIT_S <= voice_requests.MAX_WAIT_S
    params = voice_requests.Say(utterance_id="utt_1", text="x" * transcript.MAX_SAY).params()
    assert voice_requests.read("say", params).text == params["text"]
