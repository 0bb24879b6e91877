"""Test of a language model that answers the phone: the official MCP SDK's client, and a caller who
speaks.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.models import word_errors
from tests.voice.scene import WITHIN_S, Caller

MOST_WRONG = 0.25
GREETING = "Good morning, this is the office of Miller and Sons. How can I help you?"
GOODBYE = "Thank you for calling. Goodbye."
TURNS = [
    (GREETING, "I would like to speak to Mister Miller, please."),
    ("He is not here today. Who is calling?", "My name is Robert, I call about the garden."),
    ("Thank you, Robert. When can he call you back?", "He can call me tomorrow morning."),
]


class Model:
    """A language model's side of MCP, and what it did so far."""

    def __init__(self, client: Client) -> None:
        self.client, self.log = client, []

    async def use(self, tool, **arguments):
        """Call a tool, which must not fail; return its answer."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content[0].text
        self.log.append((tool, arguments, result.structured_content))
        return result.structured_content


@asynccontextmanager
async def connected(live):
    """Connect a model that has the account's key."""
    headers = {"X-API-Key": live.stack["api_key"]}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(f"{live.stack['api_url']}/mcp", http_client=http)
        async with Client(transport) as client:
            yield Model(client)


def write(log):
    """Write what the model did to the file that CHAMADE_WRITE_TRANSCRIPT names: for docs/mcp.md."""
    if path := os.environ.get("CHAMADE_WRITE_TRANSCRIPT"):
        Path(path).write_text(json.dumps(log, indent=1))


async def test_a_model_without_audio_answers_the_phone_talks_and_hangs_up(live, speech):
    answers = [await speech.spoken(answer) for _, answer in TURNS]
    async with connected(live) as model:
        cursor = (await model.use("chamade_inbox", after="latest", wait_s=0))["cursor"]
        call, _ = await live.dial()
        news = await model.use("chamade_inbox", after=cursor, wait_s=10)
        (ringing,) = (each for each in news["events"] if each["type"] == "call.ringing")
        call_id = ringing["call_id"]
        accepted = await model.use("chamade_call_accept", call_id=call_id)
        assert (accepted["state"], accepted["voice"]) == ("active", "hosted")
        async with asyncio.timeout(WITHIN_S):
            assert await call.wait_answered()
        caller = Caller(call)
        for (says, answer), spoken in zip(TURNS, answers, strict=True):
            asked = asyncio.create_task(model.use("chamade_call_say", call_id=call_id, text=says))
            understood = await speech.heard(await caller.hears())
            await caller.says(spoken)
            reply = (await asked)["reply"]
            assert word_errors(says, understood) <= MOST_WRONG, understood
            assert word_errors(answer, reply["text"]) <= MOST_WRONG, reply
        heard = asyncio.create_task(caller.hears())
        await model.use("chamade_call_say", call_id=call_id, text=GOODBYE, wait=True)
        assert word_errors(GOODBYE, await speech.heard(await heard)) <= MOST_WRONG
        status = await model.use("chamade_call_status", call_id=call_id)
        left = await model.use("chamade_call_leave", call_id=call_id)
        assert left["state"] == "ended"
    said = [text for turn in TURNS for text in turn] + [GOODBYE]
    assert len(status["transcript"]) == len(said)
    for entry, text in zip(status["transcript"], said, strict=True):
        assert word_errors(text, entry["text"]) <= MOST_WRONG, entry
    await asyncio.wait_for(call.ended.wait(), WITHIN_S)
    await call.close()
    write(model.log)
