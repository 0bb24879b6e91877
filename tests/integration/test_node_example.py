"""Tests that run the agent for Node.js, `examples/echo.mjs`, unchanged, on a running stack."""

from __future__ import annotations

import os
import signal
import subprocess
from urllib.parse import quote, urlsplit

import pytest

from tests.integration.test_examples import echoes, example, said

BREAK_CONNECTIONS = """
process.on("SIGUSR2", () => {
  const broken = process._getActiveHandles().filter((handle) => handle.remotePort === RELAY_PORT);
  broken.forEach((socket) => socket.destroy());
  console.log("broken:", broken.length);
});
"""
"""Runs in the agent before its own code: a signal breaks its connections to the relay."""
LOSE_THE_ANSWER_TO_ACCEPT = """
const real = fetch;
let lost = false;
globalThis.fetch = async (url, options) => {
  const answer = await real(url, options);
  if (lost || !url.endsWith("/accept")) return answer;
  lost = true;
  throw new Error("the answer is lost");
};
"""
"""Likewise: its first accept gets through, and no answer comes."""
SEE_CALLS_RING = """
const real = fetch;
globalThis.fetch = async (url, options) => {
  const answer = await real(url, options);
  if (!url.includes("/api/call/")) return answer;
  return Response.json({ ...(await answer.json()), state: "ringing" });
};
"""
"""Likewise: it looks at its calls before auto-answer has answered them."""


def before(code: str) -> str:
    """Options of Node.js that run this first."""
    return f"--import=data:text/javascript,{quote(code, safe='')}"


async def test_the_agent_says_back_what_it_hears_and_prints_keys(live, node_agent):
    async with example(live, node_agent) as agent:
        await said(agent, "waiting")
        call = await live.phone().place_call(live.number)
        await echoes(call)
        call.dtmf("5")
        await said(agent, "key 5")
        call.hangup()
        await said(agent, "is over: caller_hangup")


@pytest.mark.deep
async def test_the_agent_comes_back_when_its_connection_breaks(live, node_agent):
    port = urlsplit(live.stack["relay_url"]).port
    options = before(BREAK_CONNECTIONS.replace("RELAY_PORT", str(port)))
    async with example(live, node_agent, NODE_OPTIONS=options) as agent:
        await said(agent, "waiting")
        call = await live.phone().place_call(live.number)
        await echoes(call)
        agent.send_signal(signal.SIGUSR2)
        await said(agent, "broken: 1")
        await echoes(call, "greeting.wav")
        call.hangup()
        await said(agent, "is over: caller_hangup")


@pytest.mark.deep
async def test_the_agent_takes_its_call_back_when_it_was_killed_and_started_again(live, node_agent):
    async with example(live, node_agent) as agent:
        await said(agent, "waiting")
        call = await live.phone().place_call(live.number)
        await echoes(call)
        agent.kill()
        await agent.wait()
    async with example(live, node_agent) as agent:
        await echoes(call, "greeting.wav")
        call.hangup()
        await said(agent, "is over: caller_hangup")


@pytest.mark.deep
async def test_the_agent_throws_no_other_agent_out_when_it_starts(live, node_agent):
    elsewhere = await live.answered()  # an agent that is another program
    async with example(live, node_agent) as agent:
        await said(agent, "waiting")
        call = await live.phone().place_call(live.number)
        await echoes(call)
        async with example(live, node_agent) as newcomer:
            await said(newcomer, "has another agent")
            await said(newcomer, "has another agent")
            await echoes(call, "greeting.wav")
        call.hangup()
        await said(agent, "is over: caller_hangup")
    assert not elsewhere.running.done()
    elsewhere.call.hangup()
    await elsewhere.over()


@pytest.mark.deep
async def test_the_agent_answers_calls_that_ring_already(live, node_agent):
    call, call_id = await live.dial()
    async with example(live, node_agent) as agent:
        await said(agent, f"{call_id} from")
        await echoes(call)
        call.hangup()
        await said(agent, "is over: caller_hangup")


@pytest.mark.deep
async def test_the_agent_takes_a_call_that_it_accepted_without_getting_the_answer(live, node_agent):
    options = before(LOSE_THE_ANSWER_TO_ACCEPT)
    async with example(live, node_agent, NODE_OPTIONS=options) as agent:
        await said(agent, "waiting")
        call = await live.phone().place_call(live.number)
        await echoes(call)
        call.hangup()
        await said(agent, "is over: caller_hangup")


@pytest.mark.deep
async def test_the_agent_takes_an_auto_answered_call_that_it_sees_ring(live, node_agent):
    number = (await live.rest("POST", "/api/number"))["e164"]
    await live.rest("PATCH", f"/api/number/{number}", {"auto_answer": True})
    async with example(live, node_agent, NODE_OPTIONS=before(SEE_CALLS_RING)) as agent:
        await said(agent, "waiting")
        call = await live.phone().place_call(number)
        await echoes(call)
        call.hangup()
        await said(agent, "is over: caller_hangup")
    await live.rest("DELETE", f"/api/number/{number}")


def test_the_agent_without_a_stack_explains_how_to_start_one(node_agent):
    env = os.environ | {"CHAMADE_API_URL": "", "CHAMADE_API_KEY": ""}
    done = subprocess.run(
        ["node", node_agent], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "is not set. With `make run` going: . .local/env" in done.stderr
