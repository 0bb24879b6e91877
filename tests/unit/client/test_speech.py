"""Flows that speak and hear by text in a call with a hosted voice."""

from __future__ import annotations

import json

import pytest

from chamade import CallGone, Conflict
from chamade.operations import Calls
from chamade.speech import Speech, Transcript, in_call, settled
from tests.unit.client.conftest import CALL, problem, reply

CALL_ID = CALL["call_id"]
ACTIVE = {**CALL, "state": "active", "voice": "hosted", "voice_settings": {"speed": 1.5}}
OVER = {**ACTIVE, "state": "ended", "end_reason": "caller_hangup"}


def said(n: int, text: str, speaker: str = "caller", **members) -> dict:
    return {"sequence": n, "speaker": speaker, "text": text, "final": True,
            "started_ms": 1000 * n, "ended_ms": 1000 * n + 500, **members}  # fmt: skip


def page(*entries: dict, after: int = 0, state: str = "active"):
    place = entries[-1]["sequence"] if entries else after
    shown = {"entries": list(entries), "next": place, "speaking": False, "state": state}
    return reply(200, shown)


def spoken(**members):
    return reply(200, {"utterance_id": "utt_1", "state": "queued", **members})


def query_of(sent) -> dict[str, str]:
    return dict(sent.query)


# What is said


def test_a_text_is_said_with_its_options_and_an_idempotency_key(play):
    options = {"interrupt": True, "barge_in": False, "wait_for_reply_s": 12}
    answer = {"text": "It is Ann.", "started_ms": 4000, "ended_ms": 5000}
    flow = play(
        Speech().say(CALL_ID, "Who is calling?", **options),
        spoken(state="finished", heard_text="Who is calling?", heard_ms=900, reply=answer),
    )
    utterance = flow.result()
    (sent,) = flow.sent
    assert (sent.method, sent.path) == ("POST", f"/api/call/{CALL_ID}/say")
    assert json.loads(sent.body) == {"text": "Who is calling?", **options}
    assert sent.headers["Idempotency-Key"]
    assert sent.timeout_s > 30  # it waits for the caller
    assert utterance.heard_text == "Who is calling?"
    assert (utterance.reply.text, utterance.reply.started_ms) == ("It is Ann.", 4000)


def test_a_voice_that_connects_just_after_the_answer_is_waited_for(play):
    no_media = problem(409, "no_media", call=ACTIVE)
    flow = play(Speech().say(CALL_ID, "Hello."), no_media, no_media, spoken())
    assert flow.result().state == "queued"
    assert len(flow.waited) == 2


def test_a_voice_that_never_connects_is_a_conflict_in_the_end(play):
    flow = play(Speech().say(CALL_ID, "Hello."), *[problem(409, "no_media", call=ACTIVE)] * 100)
    with pytest.raises(Conflict):
        flow.result()
    assert 5 <= sum(flow.waited) <= 15


def test_speech_in_a_call_that_is_over_is_call_gone(play):
    with_call = play(Speech().say(CALL_ID, "Bye."), problem(409, "call_not_active", call=OVER))
    with pytest.raises(CallGone) as gone:
        with_call.result()
    assert gone.value.reason == "caller_hangup"
    looked_up = play(
        in_call(CALL_ID, Calls.dtmf.request(CALL_ID, "1")),
        problem(409, "call_over"),
        reply(200, OVER),
    )
    with pytest.raises(CallGone):
        looked_up.result()


def test_speech_in_a_call_that_still_rings_or_has_its_own_voice_is_a_conflict(play):
    for code, call in (("call_not_active", CALL), ("not_hosted", {**ACTIVE, "voice": "own"})):
        with pytest.raises(Conflict) as refused:
            play(Speech().say(CALL_ID, "Hello."), problem(409, code, call=call)).result()
        assert refused.value.code == code


# What is heard


def test_listening_returns_what_the_caller_says_next_once(play):
    speech = Speech()
    first = play(
        speech.listen(CALL_ID, 20),
        page(said(1, "Hello, who is there?", "agent")),
        page(said(2, "It is"), said(3, "Ann.", final=True)),
    )
    assert first.result().text == "It is"
    assert [query_of(sent).get("after") for sent in first.sent] == [None, "1"]
    assert query_of(first.sent[0])["wait"] == "20"
    second = play(speech.listen(CALL_ID, 20))
    assert second.result().text == "Ann."
    third = play(speech.listen(CALL_ID, 3), page(after=3))
    assert third.result() is None
    assert query_of(third.sent[0]) == {"after": "3", "wait": "3"}


def test_listening_does_not_return_a_reply_again(play):
    speech = Speech()
    answer = {"text": "It is Ann.", "started_ms": 2000, "ended_ms": 2500}
    play(speech.say(CALL_ID, "Who?", wait_for_reply_s=9), spoken(reply=answer)).result()
    flow = play(
        speech.listen(CALL_ID, 20),
        page(said(1, "Who?", "agent"), said(2, "It is Ann."), said(3, "From Lyon.")),
    )
    assert flow.result().text == "From Lyon."


def test_listening_to_a_call_that_is_over_is_call_gone(play):
    with pytest.raises(CallGone):
        play(Speech().listen(CALL_ID, 20), page(state="ended"), reply(200, OVER)).result()


def test_a_transcript_is_followed_over_silence_to_the_end_of_the_call(play):
    reader = Transcript(CALL_ID)
    answers = [
        page(said(1, "Hello.", "agent"), said(2, "Hi.")),
        page(after=2),
        page(said(3, "Bye.")),
        page(after=3, state="ended"),
        page(said(4, "Good", "agent", interrupted=True), state="ended"),  # reported after the end
        page(after=4, state="ended"),
    ]  # fmt: skip
    heard, asked, entry = [], [], True
    while entry:
        flow = play(reader.next(), *answers)
        entry, answers = flow.result(), flow.left
        heard += [(entry.speaker, entry.text)] if entry else []
        asked += map(query_of, flow.sent)
    assert heard == [("agent", "Hello."), ("caller", "Hi."), ("caller", "Bye."), ("agent", "Good")]
    assert [one.get("after") for one in asked] == [None, "2", "2", "3", "3", "4"]
    assert [one.get("wait") for one in asked] == ["20", "20", "20", "20", None, None]


def test_without_following_a_transcript_ends_with_what_there_is(play):
    reader = Transcript(CALL_ID, after=6)
    flow = play(reader.next(follow=False), page(said(7, "Hello.")), page())
    assert flow.result().sequence == 7
    rest = play(reader.next(follow=False), *flow.left)
    assert rest.result() is None
    assert query_of(flow.sent[0]) == {"after": "6"}


def test_the_answer_of_a_dialled_call_is_waited_for(play):
    connecting = {**ACTIVE, "direction": "outbound", "state": "connecting"}
    flow = play(settled(CALL_ID), reply(200, connecting), reply(200, ACTIVE))
    assert flow.result().state == "active"
    assert len(flow.waited) == 1
