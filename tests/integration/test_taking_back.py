"""Tests of agents of one account that start and die: who has the call."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import asynccontextmanager

import pytest

from gateway.softphone import wav
from tests.support.clips import AUDIO, WITHIN_S, clip

WAITING_AGENT = """
import sys, time
from chamade import Client

def wait(call):
    call.answered()
    print(call.id, call.resumed, flush=True)
    time.sleep(60)

with Client() as client:
    client.serve(wait, line=sys.argv[1], ready=lambda: print("ready", flush=True))
"""


@asynccontextmanager
async def waiting_agent(live, line):
    """An agent that is another process, ready."""
    env = os.environ | {
        "CHAMADE_API_URL": live.stack["api_url"],
        "CHAMADE_API_KEY": live.stack["api_key"],
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-c", WAITING_AGENT, line]
    agent = await asyncio.create_subprocess_exec(*command, env=env, stdout=asyncio.subprocess.PIPE)
    try:
        assert await asyncio.wait_for(agent.stdout.readline(), WITHIN_S) == b"ready\n"
        yield agent
    finally:
        if agent.returncode is None:
            agent.kill()
        await agent.wait()


class Said(logging.Handler):
    """Waits for a line of the client's log: `async with Said("…")`."""

    def __init__(self, text: str) -> None:
        super().__init__(logging.INFO)
        self._text, self._came, self._log = text, asyncio.Event(), logging.getLogger("chamade")

    def emit(self, record: logging.LogRecord) -> None:
        if self._text in record.getMessage():
            self._came.set()

    async def __aenter__(self) -> None:
        self._level = self._log.level
        self._log.setLevel(logging.INFO)
        self._log.addHandler(self)

    async def __aexit__(self, *_) -> None:
        try:
            await asyncio.wait_for(self._came.wait(), WITHIN_S)
        finally:
            self._log.removeHandler(self)
            self._log.setLevel(self._level)


async def test_an_agent_that_starts_takes_over_from_one_that_died_and_not_from_one_that_talks(
    live, aclient, line
):
    async def intruder(call):
        pytest.fail("a call was stolen")

    heard = bytearray()

    async def successor(call):
        assert (call.id, call.resumed) == (call_id, True)
        async for frame in call.audio:
            heard.extend(frame)
            if len(heard) >= 2 * 8000:
                break
        assert await call.audio.play(AUDIO / "goodbye.wav")

    async with waiting_agent(live, line) as first:
        caller = await live.phone().place_call(line)
        printed = await asyncio.wait_for(first.stdout.readline(), WITHIN_S)
        call_id, resumed = printed.decode().split()
        assert resumed == "False"
        async with Said(f"{call_id}: another agent has the call"):
            second = asyncio.create_task(aclient.serve(intruder, line=line))
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert not caller.ended.is_set()
        first.kill()
        await first.wait()
    await caller.play(clip("caller.wav", 0.5))
    second = asyncio.create_task(aclient.serve(successor, line=line, format="mulaw"))
    await asyncio.wait_for(caller.ended.wait(), WITHIN_S)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert clip("caller.wav", 0.5) in bytes(heard), "said while nobody was there"
    assert wav.read(AUDIO / "goodbye.wav") in caller.audio()
    assert (await aclient.calls.get(call_id)).end_reason == "agent_hangup"
