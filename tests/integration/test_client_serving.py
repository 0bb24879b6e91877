"""Tests of `client.serve`: every call that comes in, on a running stack."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from chamade import ChamadeError
from gateway.softphone import wav
from tests.support.clips import AUDIO, WITHIN_S

WAITING_AGENT = """
import sys, time
from chamade import Client

def wait(call):
    call.answered()
    print(call.id, call.resumed, flush=True)
    time.sleep(60)

with Client() as client:
    line, file = sys.argv[1:]
    client.serve(wait, line=line, resume=file, ready=lambda: print("ready", flush=True))
"""


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


async def test_an_agent_that_is_killed_and_started_again_takes_its_call_back(
    live, aclient, line, tmp_path
):
    """An agent of another process answers, is killed, and the next one says goodbye."""
    file = tmp_path / "calls.db"
    env = os.environ | {
        "CHAMADE_API_URL": live.stack["api_url"],
        "CHAMADE_API_KEY": live.stack["api_key"],
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-c", WAITING_AGENT, line, str(file)]
    agent = await asyncio.create_subprocess_exec(*command, env=env, stdout=subprocess.PIPE)
    try:
        async with asyncio.timeout(WITHIN_S):
            assert await agent.stdout.readline() == b"ready\n"
            caller = await live.phone().place_call(line)
            call_id, resumed = (await agent.stdout.readline()).decode().split()
        assert resumed == "False"
        with pytest.raises(ChamadeError, match="another process"):
            await aclient.serve(print, line=line, resume=file)
    finally:
        agent.kill()
        await agent.wait()

    async def handler(call):
        assert (call.id, call.resumed) == (call_id, True)
        assert await call.audio.play(AUDIO / "goodbye.wav")

    serving = asyncio.create_task(aclient.serve(handler, line=line, format="mulaw", resume=file))
    await asyncio.wait_for(caller.ended.wait(), WITHIN_S)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert wav.read(AUDIO / "goodbye.wav") in caller.audio()
    assert (await aclient.calls.get(call_id)).end_reason == "agent_hangup"
