"""The relay on real sockets, against a small application: audio and messages, both ways."""

from __future__ import annotations

import json

import numpy as np
import pytest

from common import g711
from relay.protocol import pcm
from relay.protocol.agent import choose_format
from tests.unit.relay.stack import START, Stack, audio, closed, media, message, played


def tone(rate: int, hz: float, seconds: float) -> bytes:
    t = np.arange(int(rate * seconds)) / rate
    return (np.sin(2 * np.pi * hz * t) * 8000).astype("<i2").tobytes()


def pitch(pcm: bytes, rate: int) -> float:
    samples = np.frombuffer(pcm, "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def params(query: str) -> tuple[str | None, str | None]:
    given = dict(part.split("=") for part in query.split("&"))
    return given.get("format"), given.get("rate")


async def test_mulaw_arrives_byte_for_byte_both_ways(stack: Stack) -> None:
    provider, agent = await stack.both()
    caller = bytes(np.random.default_rng(1).integers(0, 256, 8000, np.uint8))
    speech = bytes(np.random.default_rng(2).integers(0, 256, 20000, np.uint8))
    for at in range(0, len(caller), 160):
        await provider.send(media(caller[at : at + 160]))
    await agent.send(speech)
    assert await audio(agent, len(caller)) == caller
    assert await played(provider, len(speech)) == speech


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
async def test_pcm_carries_the_same_tone_both_ways(stack: Stack, rate: int) -> None:
    provider, agent = await stack.both(f"format=pcm_s16le&rate={rate}")
    caller = g711.encode(tone(8000, 1000, 0.5))
    for at in range(0, len(caller), 160):
        await provider.send(media(caller[at : at + 160]))
    assert pitch(await audio(agent, rate), rate) == pytest.approx(1000, abs=4)
    speech = tone(rate, 700, 0.5)
    for at in range(0, len(speech), 641):
        await agent.send(speech[at : at + 641])
    assert pitch(g711.decode(await played(provider, 4000)), 8000) == pytest.approx(700, abs=4)


async def test_fragments_of_audio_are_assembled(stack: Stack) -> None:
    provider, agent = await stack.both()
    await agent.send([b"\x01" * 100, b"\x02" * 100, b"\x03" * 100])
    assert await played(provider, 300) == b"\x01" * 100 + b"\x02" * 100 + b"\x03" * 100


async def test_the_callers_audio_before_admission_is_kept(stack: Stack) -> None:
    agent = await stack.agent()
    await stack.app.reported("watch")
    stack.app.gate.clear()
    provider = await stack.provider()
    await provider.send(media(b"\x01" * 160))
    await provider.send('{"event":"dtmf","dtmf":{"digit":"7"},"streamSid":"MZ1"}')
    await provider.ping()
    stack.app.gate.set()
    assert await audio(agent, 160) == b"\x01" * 160
    assert await message(agent) == {"type": "dtmf", "digit": "7"}


@pytest.mark.parametrize("query", ["format=mulaw", "rate=8000", "rate=16000", "rate=24000"])
async def test_the_last_two_seconds_wait_for_an_agent_and_then_live_audio_goes_on(
    stack: Stack, query: str
) -> None:
    transcode, _ = pcm.transcoders(choose_format(None, *params(query)))
    provider = await stack.provider()
    words = bytes(np.random.default_rng(3).integers(0, 256, 20_000, np.uint8))
    for at in range(0, 17_600, 160):
        await provider.send(media(words[at : at + 160]))
    await (await provider.ping())
    agent = await stack.agent(query)
    assert (await message(agent))["resumed"] is False
    await provider.send(media(words[17_600:]))
    heard = words[1_600:] if transcode is None else transcode(words[1_600:])
    assert await audio(agent, len(heard)) == heard
    assert not stack.relay.counters.dropped["to_agent", "slow_agent"]


async def test_the_oldest_audio_before_admission_is_dropped(stack: Stack) -> None:
    agent = await stack.agent()
    await stack.app.reported("watch")
    stack.app.gate.clear()
    provider = await stack.provider()
    for n in range(120):
        await provider.send(media(bytes([n]) * 160))
    await (await provider.ping())
    stack.app.gate.set()
    assert await audio(agent, 16_000) == b"".join(bytes([n]) * 160 for n in range(20, 120))
    assert stack.relay.counters.dropped["to_agent", "no_agent"] == 20


async def test_marks_come_back_and_clear_empties_the_queue(stack: Stack) -> None:
    provider, agent = await stack.both()
    await agent.send('{"type":"mark","name":"one"}')
    first = await message(provider, "mark")
    await provider.send(json.dumps(first))
    assert await message(agent) == {"type": "mark", "name": "one", "played": True}
    await agent.send('{"type":"mark","name":"two"}')
    second = await message(provider, "mark")
    await agent.send('{"type":"clear"}')
    assert await message(agent) == {"type": "mark", "name": "two", "played": False}
    assert (await message(provider)) == {"event": "clear", "streamSid": "MZ1"}
    await provider.send(json.dumps(second))
    await provider.send('{"event":"dtmf","dtmf":{"digit":"#"},"streamSid":"MZ1"}')
    assert await message(agent) == {"type": "dtmf", "digit": "#"}


async def test_hangup_ends_the_call_for_both(stack: Stack) -> None:
    stack.app.endings["agent_hangup"] = "agent_hangup"
    provider, agent = await stack.both()
    await agent.send('{"type":"hangup"}')
    assert await message(agent) == {"type": "stop", "reason": "agent_hangup", "state": "ended"}
    assert (await closed(agent))[0] == 1000
    assert (await closed(provider))[0] == 1000


async def test_malformed_messages_are_answered_and_too_many_close_the_socket(stack: Stack) -> None:
    _, agent = await stack.both()
    for _ in range(20):
        await agent.send("nonsense")
    assert (await message(agent))["code"] == "bad_json"
    assert (await closed(agent))[0] == 4400


async def test_unknown_messages_of_the_provider_are_ignored(stack: Stack) -> None:
    provider, agent = await stack.both()
    for odd in ("nonsense", '{"event":"later"}', json.dumps(START), b"binary"):
        await provider.send(odd)
    await provider.send(media(b"\x05" * 160))
    assert await audio(agent, 160) == b"\x05" * 160
