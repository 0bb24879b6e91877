"""Test of examples/receptionist.py, unchanged: a caller leaves a message; it is written down."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from contextlib import asynccontextmanager

from tests.support.engine import ROOT
from tests.support.models import word_errors, words
from tests.voice.scene import WITHIN_S, Caller

MOST_WRONG = 0.34
NAME = "My name is Robert Miller."
ABOUT = "I would like to make an appointment for next Monday."
NUMBER = "Five five five, zero one two three."
GOODBYE = "Thank you. We will call you back. Goodbye."


@asynccontextmanager
async def receptionist(live, folder):
    """The example, ready for calls."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, ROOT / "examples" / "receptionist.py", "--messages", folder,
        stdout=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "client"),
            "CHAMADE_API_URL": live.stack["api_url"],
            "CHAMADE_API_KEY": live.stack["api_key"],
        },
    )  # fmt: skip
    try:
        async with asyncio.timeout(WITHIN_S):
            assert b"waiting" in await process.stdout.readline()
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def test_the_receptionist_takes_a_message_and_repeats_the_number(live, speech, tmp_path):
    answers = [await speech.spoken(text) for text in (NAME, ABOUT, NUMBER, "Yes, it is.")]
    async with receptionist(live, tmp_path):
        call, call_id = await live.dial()
        async with asyncio.timeout(WITHIN_S):
            assert await call.wait_answered()
        caller, heard = Caller(call), []
        for answer in answers:
            heard.append(await speech.heard(await caller.hears()))
            await caller.says(answer)
        answered = len(call.received)
        async with asyncio.timeout(WITHIN_S):
            await call.ended.wait()
        last_words = b"".join(each.frame for each in call.received[answered:])
        heard.append(await speech.heard(last_words))
        over = await live.rest.wait_for(call_id, "ended", within_s=WITHIN_S)
    assert over["end_reason"] == "agent_hangup"
    assert "calling" in words(heard[0])
    assert re.sub(r"\D", "", heard[3]) == "5550123"  # repeated, digit by digit
    assert word_errors(GOODBYE, heard[4]) <= MOST_WRONG
    (message,) = tmp_path.glob(f"*{call_id}.txt")
    name, about, number = message.read_text().splitlines()
    assert word_errors(NAME, name) <= MOST_WRONG
    assert word_errors(ABOUT, about) <= MOST_WRONG
    assert number == "5550123"
    await call.close()
