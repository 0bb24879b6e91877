"""Tests of the Python client on the line: calls that it accepts, on a running stack."""

from __future__ import annotations

import asyncio
import threading

import pytest

from chamade import CallGone, WavWriter
from gateway.softphone import wav
from local import listening
from tests.support.client_line import caller_on
from tests.support.clips import AUDIO, WITHIN_S, clip, samples


async def test_an_accepted_call_carries_audio_bit_for_bit_both_ways(live, aclient, line):
    incoming = aclient.incoming(line)
    await incoming.begin()
    caller = await caller_on(live, line)
    ringing = await incoming.__anext__()
    assert ringing.call.line == line
    audio = bytearray()
    async with ringing.accept("mulaw") as call:

        async def listen():
            async for frame in call.audio:
                audio.extend(frame)

        listening_task = asyncio.create_task(listen())
        assert await call.answered()
        said, _ = await asyncio.gather(
            call.audio.play(clip("goodbye.wav")), caller.play(clip("caller.wav", 3))
        )
        assert said is True
        await caller.wait_heard(clip("goodbye.wav"))
        caller.hangup()
        await asyncio.wait_for(listening_task, WITHIN_S)
        assert call.end_reason == "caller_hangup"
        with pytest.raises(CallGone, match="the caller hung up"):
            await call.audio.send(b"\xff")
    assert clip("caller.wav", 3) in bytes(audio)
    assert clip("goodbye.wav") in caller.audio()


async def test_the_synchronous_client_takes_calls_too(live, client, line, tmp_path):
    """Both talk, both press keys; the agent records, and interrupts itself."""
    record = tmp_path / "heard.wav"
    pressed = threading.Event()

    def agent():
        for ringing in client.incoming(line):
            with ringing.accept(rate=8000) as call, WavWriter(record, call.audio.format) as file:
                call.audio.on_dtmf(lambda _: pressed.set())
                assert call.audio.play(str(AUDIO / "goodbye.wav"))
                for frame in call.audio:
                    file.write(frame)
                    if file.seconds > 5 and pressed.is_set():
                        break
                call.audio.dtmf("42#")
                threading.Timer(0.5, call.audio.clear).start()
                assert call.audio.play(str(AUDIO / "greeting.wav")) is False
            return call, call.audio.keys
        raise AssertionError("nobody called")

    working = asyncio.create_task(asyncio.to_thread(agent))
    caller = await caller_on(live, line)
    assert await asyncio.wait_for(caller.wait_answered(), WITHIN_S)
    await caller.wait_heard(clip("goodbye.wav", 0.5))
    await caller.play(clip("caller.wav", 3))
    caller.dtmf("1")
    call, keys = await asyncio.wait_for(working, 30)
    await asyncio.wait_for(caller.ended.wait(), WITHIN_S)
    assert (keys, caller.keys) == ("1", "42#")
    assert listening.find(samples(clip("caller.wav", 3)), samples(wav.read(record))).heard
    assert listening.find(samples(wav.read(AUDIO / "goodbye.wav")), samples(caller.audio())).heard
    assert client.calls.get(call.id).end_reason == "agent_hangup"


async def test_a_call_survives_a_lost_agent_connection(live, aclient, line):
    caller = await caller_on(live, line)
    ringing = await aclient.incoming(line).__anext__()
    async with ringing.accept("mulaw") as call:
        assert await call.answered()
        for name in ("caller.wav", "goodbye.wav"):
            call.audio._socket.transport.abort()
            assert await asyncio.wait_for(call.audio.play(clip(name)), WITHIN_S)
            assert await caller.wait_heard(clip(name)) >= 0
        await caller.play(clip("caller.wav", 1))
        audio = bytearray()
        async for frame in call.audio:
            audio += frame
            if clip("caller.wav", 1)[:4000] in bytes(audio):
                break
    await asyncio.wait_for(caller.ended.wait(), WITHIN_S)


async def test_a_caller_who_hangs_up_mid_speech_ends_only_that_call_s_block(live, aclient, line):
    caller = await caller_on(live, line)
    ringing = await aclient.incoming(line).__anext__()
    async with ringing.accept() as call:
        await call.answered()
        caller.hangup()
        await call.audio.play(AUDIO / "greeting.wav")
        pytest.fail("the greeting was heard by nobody")
    assert call.end_reason == "caller_hangup"
    with pytest.raises(CallGone):
        async with ringing.accept():
            pytest.fail("a call that is over was accepted")
