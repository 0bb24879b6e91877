"""Tests of hosted voices on a running stack, with real models: what each side says, the other side
hears.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.softphone.call import is_silent
from local.agent import Refused
from tests.support.models import word_errors, words
from tests.voice.scene import (
    HOSTS,
    PLACES,
    WITHIN_S,
    calls_are,
    kill_host,
)

MOST_WRONG = 0.25
"""Word errors that a recogniser may make of eight kilohertz."""
TURNS = [
    ("Good morning, this is the office. How can I help you?",
     "I would like to make an appointment for next Monday."),
    ("Of course. At what time would you like to come?", "Ten o'clock in the morning, please."),
    ("Thank you. And what is your name?", "My name is Robert Miller, and I live in Boston."),
]  # fmt: skip
LONG = (
    "Let me tell you about our opening hours. On Monday and on Tuesday we are open from nine to "
    "five. On Wednesday we are open from ten to six. On Thursday and on Friday we are closed, "
    "and on Saturday we are open from nine until noon."
)


async def turn(call, speech, says, answers):
    """The agent says something and gets the caller's answer, with one request; return what the
    caller understood of it, and that answer."""
    answer = await speech.spoken(answers)
    asked = asyncio.create_task(call.say(says, wait_for_reply_s=15))
    understood = await speech.heard(await call.caller.hears())
    await call.caller.says(answer)
    return understood, await asked


async def test_an_agent_without_audio_holds_a_conversation_of_three_turns(hosted, speech):
    call = await hosted()
    for says, answers in TURNS:
        understood, said = await turn(call, speech, says, answers)
        assert word_errors(says, understood) <= MOST_WRONG, understood
        assert said["state"] == "finished"
        assert said["heard_text"] == says
        assert word_errors(answers, said["reply"]["text"]) <= MOST_WRONG, said["reply"]
    entries = await call.transcript()
    assert [each["speaker"] for each in entries] == ["agent", "caller"] * len(TURNS)
    for entry, text in zip(entries, [text for both in TURNS for text in both], strict=True):
        assert word_errors(text, entry["text"]) <= MOST_WRONG, entry
    times = [each["started_ms"] for each in entries]
    assert times == sorted(times)


async def test_a_caller_who_speaks_stops_the_agent_who_learns_how_much_was_heard(hosted, speech):
    call = await hosted()
    interruption = await speech.spoken("Excuse me, I only want to know about Sunday.")
    saying = asyncio.create_task(call.say(LONG, wait_for_reply_s=15))
    heard = call.caller.call.received
    async with asyncio.timeout(WITHIN_S):
        while sum(not is_silent(each.frame) for each in heard) < 100:
            await call.caller.call.wait_frames(len(heard) + 1)
    await call.caller.says(interruption)
    said = await saying
    assert said["state"] == "interrupted"
    assert LONG.startswith(said["heard_text"])
    assert 0 < len(said["heard_text"]) < len(LONG) * 0.6
    assert "sunday" in words(said["reply"]["text"])
    assert sum(not is_silent(each.frame) for each in heard) * 20 < 8000  # the rest was dropped
    event = await call.happens(
        "call.speech", utterance_id=said["utterance_id"], state="interrupted"
    )
    assert event["data"]["heard_text"] == said["heard_text"]


async def test_a_text_that_may_not_be_interrupted_is_heard_to_its_end(hosted, speech):
    call = await hosted()
    text = "Please listen. This call may be recorded. Thank you for your patience."
    saying = asyncio.create_task(call.say(text, barge_in=False, wait=True))
    heard = asyncio.create_task(call.caller.hears())
    await call.caller.says(await speech.spoken("Hello? Hello? Is somebody there?"))
    said = await saying
    assert (said["state"], said["heard_text"]) == ("finished", text)
    assert word_errors(text, await speech.heard(await heard)) <= MOST_WRONG


async def test_a_call_outlives_its_voice_host_and_another_one_speaks_within_three_seconds(
    hosted, live, stack, speech
):
    await calls_are(stack, lambda calls: calls == [0] * HOSTS)
    call = await hosted()
    await call.say("One moment please.", wait=True)
    first = (await calls_are(stack, lambda calls: sum(calls) == 1)).index(1)
    kill_host(stack, first)
    killed = time.monotonic()
    await calls_are(stack, lambda calls: calls[1 - first] == 1)
    took_s = time.monotonic() - killed
    assert took_s < 3
    assert (await call.happens("call.voice"))["data"]["state"] == "resumed"
    call.caller.listens_anew()
    says, answers = "I am sorry for the interruption. Please go on.", "I want to book a table."
    understood, said = await turn(call, speech, says, answers)
    assert word_errors(says, understood) <= MOST_WRONG, understood
    assert word_errors(answers, said["reply"]["text"]) <= MOST_WRONG
    assert (await live.rest("GET", f"/api/call/{call.call_id}"))["state"] == "active"
    await call.hang_up()
    await calls_are(stack, lambda calls: calls == [0] * HOSTS)  # the other was started again


async def test_a_call_without_a_place_is_refused_and_rings_on(hosted, live, stack):
    await calls_are(stack, lambda calls: calls == [0] * HOSTS)
    calls = [await hosted() for _ in range(HOSTS * PLACES)]
    await calls_are(stack, lambda counts: counts == [PLACES] * HOSTS)
    one_more, call_id = await live.dial()
    with pytest.raises(Refused) as refused:
        await live.rest("POST", f"/api/call/{call_id}/accept", {"voice": "hosted"})
    assert (refused.value.status, refused.value.problem["code"]) == (503, "hosted_voice_busy")
    assert (await live.rest("GET", f"/api/call/{call_id}"))["state"] == "ringing"
    assert not one_more.answered.is_set()
    await calls.pop().hang_up()
    await calls_are(stack, lambda counts: sum(counts) == HOSTS * PLACES - 1)
    accepted = await live.rest("POST", f"/api/call/{call_id}/accept", {"voice": "hosted"})
    assert accepted["state"] == "active"
    async with asyncio.timeout(WITHIN_S):
        assert await one_more.wait_answered()
    one_more.hangup()
    for call in calls:
        await call.hang_up()
    await calls_are(stack, lambda counts: counts == [0] * HOSTS)
