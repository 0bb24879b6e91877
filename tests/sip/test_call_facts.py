"""Tests that a call over SIP has its facts once it is over: the gateway's and the relay's."""

from __future__ import annotations

import asyncio
import itertools
import json

from chalicelib.domain.instant import from_text
from tests.sip.support import Agent, fresh_caller, hears, spoken

FACTS_S = 15.0


async def facts_of(owner, call):
    """The facts of a call that is over, once both sides have told them."""
    async with asyncio.timeout(FACTS_S):
        while True:
            facts = (await owner.call(call["call_id"])).get("facts", {})
            if {"mos", "streams"} <= set(facts):
                return facts
            await asyncio.sleep(0.2)


async def test_a_call_over_sip_shows_codec_quality_and_its_moments(
    stack, up, line, softphone, speech
):
    owner, callers = line.owner, speech("caller")
    phone = await softphone(user=fresh_caller(), says=spoken(callers), codec="pcma")
    calling = await phone.dial(line.uri)
    await calling.ringing()
    call = await owner.rings(phone.user)
    agent = await up(Agent(call))
    await owner.accept(call)
    await calling.established()
    await agent.say(speech("greeting"))
    await hears(agent, callers)
    await calling.hang_up()
    await owner.over(call)
    facts = await facts_of(owner, call)
    assert facts["codec"] == "PCMA"
    assert facts["loss_pct"] < 5
    assert facts["mos"] > 3
    assert facts["jitter_ms"] >= 0
    assert (facts["streams"], facts["agents"]) == (1, 1)
    assert sum(facts["added_latency_ms"].values()) > 0
    order = ("invite_at", "ringing_at", "answered_at", "stream_at", "agent_audio_at")
    moments = [from_text(facts["timeline"][name]) for name in order]
    # Gateway and application each tell of the answer; their posts take a moment.
    assert all(later - earlier > -2000 for earlier, later in itertools.pairwise(moments))
    levels = await owner.rest("GET", f"/api/call/{call['call_id']}/levels")
    assert max(levels["caller"]) >= 8
    assert max(levels["heard"]) >= 8
    line_ = await logged(stack, call["call_id"])
    assert (line_["codec"], line_["mos"]) == ("PCMA", facts["mos"])
    assert line_["end_reason"] == "caller_hangup"


async def logged(stack, call_id):
    """The line about the call's quality, in the application's log."""
    async with asyncio.timeout(FACTS_S):
        while True:
            for log in (stack.state_dir / "logs").glob("*.log"):
                for text in log.read_text(errors="replace").splitlines():
                    if '"call quality"' in text and call_id in text:
                        return json.loads(text)
            await asyncio.sleep(0.2)
