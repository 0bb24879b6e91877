"""Calls on a voice host: sockets, speech and texts, over the wire."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.unit.voice.host_stack import Stack, running, until
from tests.unit.voice.tones import pitch, silence, tone
from voice.core.conversation import Conversation
from voice.core.playout import Playout
from voice.network.server import MAX_MESSAGE, SOCKET_TOLERANCE_S


async def test_a_text_is_heard_by_the_caller_and_reported(stack: Stack):
    relay = await stack.call()
    reply = await relay.ask("say", utterance_id="utt_1", text="Hello there.", wait=True)
    assert reply["ok"]
    assert reply["result"]["state"] == "finished"
    assert reply["result"]["heard_text"] == "Hello there."
    assert len(relay.audio) == 600 * 16
    assert pitch(bytes(relay.audio)) == 1000
    item = await stack.application.item(lambda each: each.get("state") == "finished")
    assert (item["utterance_id"], item["heard_ms"]) == ("utt_1", 600)
    assert stack.application.reports[0]["host"] == "voice-1"
    assert stack.application.reports[0]["call_id"] == "call_1"


async def test_what_the_caller_says_becomes_text(stack: Stack):
    relay = await stack.call()
    await relay.caller_says(silence(200) + tone(400, 400))
    item = await stack.application.item(lambda each: each["type"] == "transcript")
    assert (item["speaker"], item["text"], item["final"]) == ("caller", "hello", True)
    reply = await relay.ask("listen", after=0)
    assert [each["text"] for each in reply["result"]["said"]] == ["hello"]
    assert stack.engines.recogniser.opened[0].language == "en-US"


async def test_a_conversation_by_say_and_reply(stack: Stack):
    relay = await stack.call()
    request = await relay.request("say", utterance_id="u1", text="Shall we?", wait_for_reply_s=20)
    await relay.until(lambda: len(relay.audio) == 450 * 16)
    await relay.caller_says_in_time(tone(600, 400))
    reply = await relay.reply(request)
    assert reply["result"]["reply"]["text"] == "yes"


async def test_speech_stops_at_once_when_the_caller_interrupts(stack: Stack):
    relay = await stack.call()
    relay.plays = False
    stack.engines.synthesiser.free.clear()
    request = await relay.request("say", utterance_id="utt_1", text="one two three", wait=True)
    await relay.until(lambda: relay.audio)
    await relay.caller(tone(400, 300))
    await relay.until(lambda: {"type": "clear"} in relay.texts)
    assert (await relay.reply(request))["result"]["state"] == "interrupted"
    stack.engines.synthesiser.free.set()
    reply = await relay.ask("say", utterance_id="utt_2", text="Sorry.", barge_in=False)
    assert reply["ok"]
    await relay.until(lambda: relay.texts[-1]["type"] == "mark")
    assert stack.engines.synthesiser.stopped == ["one two three"]


@pytest.mark.parametrize(
    "failing", [(Conversation, "next_piece"), (Conversation, "tick"), (Playout, "sentence_done")]
)
async def test_a_call_that_can_no_longer_be_hosted_is_given_up_and_is_not_just_silent(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, failing: tuple[type, str]
):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(*failing, fail)
    relay = await stack.call()
    await relay.request("say", utterance_id="utt_1", text="Hello.")
    assert await relay.closed() not in (1000, 4400)
    monkeypatch.undo()
    again = await stack.call()
    assert (await again.ask("say", utterance_id="utt_2", text="Hello.", wait=True))["ok"]


async def test_one_calls_slow_recognition_holds_up_neither_its_audio_nor_another_call(
    stack: Stack,
):
    slow = await stack.call("call_slow")
    other = await stack.call("call_other")
    stack.engines.recogniser.free.clear()
    await slow.caller_says(tone(400, 400))
    reply = await slow.ask("say", utterance_id="utt_1", text="Hello.", wait=True)
    assert reply["result"]["state"] == "finished"
    reply = await other.ask("say", utterance_id="utt_1", text="Hello.", wait=True)
    assert reply["result"]["state"] == "finished"
    stack.engines.recogniser.free.set()
    await stack.application.item(lambda each: each.get("text") == "hello")


async def test_a_recognition_is_cancelled_when_the_caller_goes_on(stack: Stack):
    relay = await stack.call()
    stack.engines.recogniser.free.clear()
    await relay.caller(tone(400, 300) + silence(240))
    await until(lambda: stack.engines.recogniser.opened[0].tries == 1)
    await relay.caller(tone(400, 300) + silence(600))
    await until(lambda: stack.engines.recogniser.opened[0].tries == 2)
    assert stack.engines.recogniser.opened[0].cancelled == 1
    stack.engines.recogniser.free.set()
    await stack.application.item(lambda each: each.get("text") == "hello")


async def test_a_recognition_that_fails_is_tried_again_and_then_given_up(stack: Stack):
    relay = await stack.call()
    stack.engines.recogniser.failures = 1
    await relay.caller_says(tone(400, 400))
    await stack.application.item(lambda each: each.get("text") == "hello")
    stack.engines.recogniser.failures = 2
    await relay.caller_says(tone(400, 400))
    await relay.caller_says(tone(600, 400))
    await stack.application.item(lambda each: each.get("text") == "yes")
    assert stack.counters.happened["recognition_failures"] == 3


async def test_a_synthesis_that_fails_is_told_and_the_next_is_spoken(stack: Stack):
    relay = await stack.call()
    stack.engines.synthesiser.failing.add("Bad.")
    reply = await relay.ask("say", utterance_id="utt_1", text="Bad.", wait=True)
    assert reply["error"]["code"] == "synthesis_failed"
    reply = await relay.ask("say", utterance_id="utt_2", text="Good.", wait=True)
    assert reply["result"]["state"] == "finished"


async def test_partial_texts_are_reported_if_the_call_wants_them(stack: Stack):
    relay = await stack.call(settings={"partials": True, "language": "fr-FR"})
    await relay.caller(tone(400, 1500))
    item = await stack.application.item(lambda each: each.get("final") is False)
    assert item["text"] == "hello"
    assert stack.engines.recogniser.opened[0].language == "fr-FR"


async def test_the_calls_settings_choose_voice_and_speed(stack: Stack):
    relay = await stack.call(settings={"name": "bea", "speed": 1.5})
    await relay.ask("say", utterance_id="utt_1", text="Bonjour.", wait=True)
    assert stack.engines.synthesiser.said == [("Bonjour.", "bea", 1.5)]
    assert pitch(bytes(relay.audio)) == 1400


async def test_the_last_words_of_a_call_are_reported_and_everything_is_freed(stack: Stack):
    relay = await stack.call()
    await relay.caller(tone(800, 400))
    await relay.send(type="stop", reason="caller_hangup", state="ended")
    await relay.socket.close(code=1000)
    await stack.application.item(lambda each: each.get("text") == "goodbye")
    await until(lambda: stack.host.places.calls == 0)
    assert stack.engines.recogniser.opened[0].closed


async def test_a_socket_is_never_closed_with_1000_which_would_hang_up(stack: Stack):
    relay = await stack.call()
    await relay.socket.close(code=1011)
    await relay._task
    assert relay.socket.close_code == 1001


async def test_a_newer_socket_of_the_same_call_replaces_the_older(stack: Stack):
    older = await stack.call()
    newer = await stack.connect()
    await newer.start(resumed=True)
    assert await older.closed() == 4409
    await stack.application.item(lambda each: each["type"] == "resumed")
    reply = await newer.ask("say", utterance_id="utt_1", text="Hello.", wait=True)
    assert reply["result"]["state"] == "finished"
    assert stack.host.places.calls == 1


async def test_a_call_without_a_place_or_a_good_signature_is_refused(stack: Stack):
    await stack.call("call_1")
    assert (await stack.post("/v1/reserve", {"call_id": "call_2"}))[0] == 200
    for call_id, settings, secret, status in (
        ("call_3", {}, "voice secret", 503),
        ("call_2", {}, "another secret", 401),
        ("call_2", {"speed": 9}, "voice secret", 400),
        ("call_2", {"name": "zoe"}, "voice secret", 422),
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stack.connect(call_id, settings, secret)
        assert refused.value.status == status
    await stack.call("call_2")


async def test_a_relay_may_come_with_the_signature_of_minutes_ago_but_not_with_an_old_one(
    stack: Stack,
):
    relay = await stack.connect(age_s=SOCKET_TOLERANCE_S - 30)
    await relay.start()
    assert (await relay.ask("clear"))["ok"]
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await stack.connect("call_2", age_s=SOCKET_TOLERANCE_S + 30)
    assert refused.value.status == 401


async def test_messages_that_make_no_sense_are_survived(stack: Stack):
    relay = await stack.call()
    for text in ("{", "[]", "[" * 100_000, '{"type": 5}', '{"type": "request", "id": 5}'):
        await relay.socket.send_str(text)
    reply = await relay.ask("say", utterance_id="utt_1", text="Hello.", wait=True)
    assert reply["result"]["state"] == "finished"


async def test_a_message_that_is_too_long_closes_the_socket(stack: Stack):
    relay = await stack.call()
    await relay.socket.send_str(" " * (MAX_MESSAGE + 1))
    assert await relay.closed() == 1009
    await until(lambda: stack.host.places.calls == 0)


async def test_a_host_that_drains_hands_its_calls_on():
    async with running() as stack:
        relay = await stack.call()
        relay.plays = False
        await relay.ask("say", utterance_id="utt_1", text="Hello.")
        await relay.until(lambda: len(relay.audio) == 300 * 16)
        draining = asyncio.create_task(stack.host.drain())
        assert await relay.closed() == 1001
        await draining
        item = stack.application.items[-1]
        assert (item["state"], item["why"]) == ("interrupted", "failed")


async def test_a_host_that_drains_waits_for_calls_that_end_and_takes_no_more():
    async with running(drain_s=30) as stack:
        relay = await stack.call()
        draining = asyncio.create_task(stack.host.drain())
        await until(lambda: stack.host.places.closed)
        assert (await stack.post("/v1/reserve", {"call_id": "call_2"}))[0] == 503
        async with stack.http.get(stack.base + "/healthz") as answer:
            assert answer.status == 503
        reply = await relay.ask("say", utterance_id="utt_1", text="Goodbye.", wait=True)
        assert reply["result"]["state"] == "finished"
        await relay.send(type="stop", reason="agent_hangup", state="ended")
        await relay.socket.close(code=1000)
        await draining
