"""Tests of `client.serve`: every call that comes in, on a running stack."""

from __future__ import annotations

import asyncio

from gateway.softphone import wav
from tests.support.clips import AUDIO, WITHIN_S


async def test_calls_are_served_concurrently_and_a_handler_that_raises_hangs_up(
    live, aclient, line, caplog
):
    ready, both = asyncio.Event(), asyncio.Barrier(2)

    async def handler(call):
        await both.wait()
        if call.info.from_ == "+15550000002":
            raise RuntimeError("a bug")
        await call.audio.play(AUDIO / "goodbye.wav")

    serving = asyncio.create_task(
        aclient.serve(handler, line=line, format="mulaw", ready=ready.set)
    )
    await asyncio.wait_for(ready.wait(), WITHIN_S)
    phone = live.phone()
    good, bad = [
        await phone.place_call(line, from_=number) for number in ("+15550000001", "+15550000002")
    ]
    for caller in (good, bad):
        await asyncio.wait_for(caller.ended.wait(), WITHIN_S)
        assert caller.answered.is_set()
    assert wav.read(AUDIO / "goodbye.wav") in good.audio()
    assert "a bug" in caplog.text
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_auto_answered_calls_are_served_too(live, aclient, line):
    await aclient.numbers.change(line, auto_answer=True)
    ready = asyncio.Event()

    async def handler(call):
        assert call.info.auto_answer
        await call.audio.play(AUDIO / "goodbye.wav")

    serving = asyncio.create_task(
        aclient.serve(handler, line=line, format="mulaw", ready=ready.set)
    )
    await ready.wait()
    caller = await live.phone().place_call(line)
    await asyncio.wait_for(caller.ended.wait(), WITHIN_S)
    assert wav.read(AUDIO / "goodbye.wav") in caller.audio()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
