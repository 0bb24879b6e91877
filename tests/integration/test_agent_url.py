"""Tests of agents that the relay dials: whole calls, with an agent written for Twilio at the other
end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from twilio.request_validator import RequestValidator

from gateway.softphone import wav
from local import demo_sip, listening
from local.agent import Talk, event_of
from local.carrier import carrier
from local.sip_phone import SipPhone, sip_phone
from tests.support.clips import AUDIO, clip, samples
from tests.support.engine import ROOT
from tests.support.ports import free_port
from tests.support.running import Live
from tests.unit.relay.twilio_agent import TwilioAgent, twilio_agent

PIPECAT = ROOT / ".venv" / "pipecat" / "bin" / "python"


@contextlib.asynccontextmanager
async def line(live: Live, agent_url: str | None) -> AsyncIterator[str]:
    """A number that is answered at once and whose agent is dialled."""
    number = (await live.rest("POST", "/api/number"))["e164"]
    changes = {"auto_answer": True, "agent_url": agent_url}
    changed = await live.rest("PATCH", f"/api/number/{number}", changes)
    assert changed["agent_url"] == agent_url
    try:
        yield number
    finally:
        await live.rest("DELETE", f"/api/number/{number}")


@pytest.fixture
async def agent() -> AsyncIterator[TwilioAgent]:
    async with twilio_agent() as agent:
        yield agent


async def test_caller_and_dialled_agent_hear_each_other_completely(live, agent):
    agents, callers = clip("goodbye.wav"), clip("caller.wav", 3)
    async with line(live, agent.url) as number:
        call, call_id = await live.dial(number)
        stream = await agent.stream()
        token = (await live.rest("GET", "/api/account/agent-token"))["token"]
        signature = stream.headers["X-Twilio-Signature"]
        assert RequestValidator(token).validate(agent.url, {}, signature)
        start = (await stream.begun())["start"]
        shown = await live.rest("GET", f"/api/call/{call_id}")
        assert start["callSid"] == shown["provider_call_id"]
        assert start["customParameters"] == {
            "call_id": call_id, "direction": "inbound", "from": shown["from"],
            "to": number, "line": number,
        }  # fmt: skip
        assert "agent_url" not in shown
        await stream.play(agents)
        await stream.say("mark", mark={"name": "said"})
        await call.play(callers)
        assert (await stream.next("mark"))["mark"] == {"name": "said"}
        await call.wait_heard(agents)
        call.hangup()
        rest = await stream.over()
        over = await live.rest.wait_for(call_id, "ended")
    assert over["end_reason"] == "caller_hangup"
    assert agents in call.audio()
    assert [m["event"] for m in rest][-1] == "stop"


async def test_the_caller_is_heard_bit_for_bit_and_keys_arrive(live, agent):
    callers = clip("caller.wav", 2)
    async with line(live, agent.url) as number:
        call, call_id = await live.dial(number)
        stream = await agent.stream()
        await stream.begun()
        await call.play(callers)
        audio = await stream.heard(len(callers) + 8000)
        assert callers in audio
        for digit in "42#":
            call.dtmf(digit)
        assert [(await stream.next("dtmf"))["dtmf"]["digit"] for _ in "42#"] == list("42#")
        digits = ""
        async for digit in keys_of(live, call_id):
            digits += digit
            if digits == "42#":
                break
        await stream.socket.close()
        over = await live.rest.wait_for(call_id, "ended")
        assert over["end_reason"] == "agent_hangup"
        await asyncio.wait_for(call.ended.wait(), 5)


async def keys_of(live: Live, call_id: str) -> AsyncIterator[str]:
    seen: set[str] = set()
    while True:
        event = await asyncio.wait_for(
            event_of(
                live.rest,
                lambda e: (
                    e["type"] == "call.dtmf"
                    and e["call_id"] == call_id
                    and e["event_id"] not in seen
                ),
            ),
            10,
        )
        seen.add(event["event_id"])
        yield event["data"]["digits"]


async def test_clear_stops_the_audio_that_the_caller_hears(live, agent):
    async with line(live, agent.url) as number:
        call, _ = await live.dial(number)
        stream = await agent.stream()
        await stream.begun()
        await stream.play(clip("greeting.wav", 6))
        await stream.say("mark", mark={"name": "greeting"})
        await call.wait_frames(75)
        await stream.say("clear")
        assert (await stream.next("mark"))["mark"] == {"name": "greeting"}
        frames = len(call.received)
        await call.wait_frames(frames + 30)
        quiet = samples(b"".join(frame for _, frame in call.received[-20:]))
        assert np.abs(quiet).max() == 0
        call.hangup()
        await stream.over()


async def test_an_agent_whose_process_dies_is_dialled_again_and_the_call_goes_on(live, agent):
    async with line(live, agent.url) as number:
        call, call_id = await live.dial(number)
        stream = await agent.stream()
        await stream.begun()
        port = int(agent.url.split(":")[2].split("/")[0])
        agent.server.close(close_connections=False)
        stream.break_off()
        began = time.monotonic()
        await agent.server.wait_closed()
        async with twilio_agent(port=port) as restarted:
            again = await restarted.stream()
            assert time.monotonic() - began < 5
            start = await again.begun()
            assert start["start"]["customParameters"]["call_id"] == call_id
            speech = clip("goodbye.wav", 1)
            await again.play(speech)
            await call.wait_heard(speech)
            call.hangup()
            await again.over()
        assert (await live.rest.wait_for(call_id, "ended"))["end_reason"] == "caller_hangup"


async def test_an_agent_that_connects_by_itself_replaces_the_dialled_one(live, agent):
    async with line(live, agent.url) as number:
        call, call_id = await live.dial(number)
        stream = await agent.stream()
        await stream.begun()
        audio = (await live.rest("GET", f"/api/call/{call_id}"))["audio"]
        talk = Talk(audio)
        running = asyncio.create_task(talk.run(clip("goodbye.wav", 1)))
        await asyncio.wait_for(talk.played.wait(), 10)
        assert (await stream.over())[-1]["event"] == "stop"
        call.hangup()
        await asyncio.wait_for(running, 10)


@contextlib.asynccontextmanager
async def trunk(live: Live) -> AsyncIterator[SipPhone]:
    """A trunk with the number `DID`, registered, and a phone behind its carrier."""
    sip, phones = free_port(), free_port()
    async with (
        sip_phone(phones) as phone,
        carrier(sip, "acct42", "pw-of-42", ("127.0.0.1", phones)),
    ):
        settings = {"host": "127.0.0.1", "port": sip, "username": "acct42", "password": "pw-of-42"}
        await live.rest("PUT", "/api/trunk", {**settings, "caller_id": demo_sip.DID})
        await event_of(live.rest, lambda event: event["type"] == "trunk.registered")
        yield phone
        await live.rest("DELETE", "/api/trunk")


async def test_an_outbound_call_has_an_agent_url_of_its_own(live, agent):
    speech, callees = wav.read(AUDIO / "goodbye.wav"), clip("caller.wav", 3)
    async with trunk(live) as phone:
        answering = asyncio.create_task(phone.answer_next())
        body = {
            "platform": "sip", "meeting_url": f"sip:{demo_sip.ABROAD}@127.0.0.1",
            "agent_url": agent.url, "metadata": {"order": 7, "from": "x", "deep": {"a": 1}},
        }  # fmt: skip
        call = await live.rest("POST", "/api/call", body)
        talking = await asyncio.wait_for(answering, 20)
        stream = await agent.stream()
        assert (await stream.begun())["start"]["customParameters"] == {
            "call_id": call["call_id"], "direction": "outbound", "from": demo_sip.DID,
            "to": demo_sip.ABROAD, "line": demo_sip.DID, "order": "7",
        }  # fmt: skip
        await stream.play(speech)
        await stream.say("mark", mark={"name": "said"})
        await talking.play(callees)
        await stream.next("mark")
        await asyncio.sleep(demo_sip._IN_FLIGHT_S)
        await stream.socket.close()
        await asyncio.wait_for(talking.ended.wait(), 10)
        over = await live.rest.wait_for(call["call_id"], "ended")
    assert over["end_reason"] == "agent_hangup"
    # A busy machine has gaps.
    assert listening.follow(samples(speech), samples(talking.heard)).share > 0.7


async def test_an_agent_that_cannot_be_reached_is_logged_with_the_reason(live):
    async with line(live, f"ws://127.0.0.1:{free_port()}/secret") as number:
        call, call_id = await live.dial(number)
        log = live.state_dir / "logs" / "relay.log"
        async with asyncio.timeout(5):
            while not (said := [x for x in log.read_text().splitlines() if call_id in x and
                                "the connection was refused" in x]):  # fmt: skip
                await call.wait_frames(len(call.received) + 5)
        assert "secret" not in said[0]
        call.hangup()
        await live.rest.wait_for(call_id, "ended")


@contextlib.asynccontextmanager
async def program(*command: str | Path, ready: int, **env: str) -> AsyncIterator[asyncio.Task]:
    """A bot as a process, listening on port `ready`; what it has printed when it is over."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed = asyncio.create_task(process.stdout.read())
    try:
        async with asyncio.timeout(30):
            while True:
                assert process.returncode is None, await printed
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", ready)
                    writer.close()
                    break
                await asyncio.sleep(0.1)
        yield printed
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def conversation(live: Live, number: str) -> tuple[bytes, str]:
    """Listen to the greeting, speak, and hear the bot repeat it; return all that came."""
    call, call_id = await live.dial(number)
    await asyncio.wait_for(call.wait_answered(), 5)
    greeting, callers = wav.read(AUDIO / "greeting.wav"), clip("caller.wav", 3)
    await call.wait_frames(len(greeting) // 160 + 150)
    await call.play(callers)
    await call.wait_frames(len(call.received) + len(callers) // 160 + 100)
    audio = call.audio()
    call.hangup()
    await live.rest.wait_for(call_id, "ended")
    return audio, call_id


async def check_parrot(live: Live, number: str) -> str:
    audio, call_id = await conversation(live, number)
    greeting, callers = wav.read(AUDIO / "greeting.wav"), clip("caller.wav", 3)
    greeted = listening.find(samples(greeting), samples(audio))
    assert greeted.heard, greeted
    repeated = listening.follow(samples(callers), samples(audio))
    assert repeated.heard, repeated
    assert repeated.at_ms > greeted.at_ms + len(greeting) / 8
    return call_id


@pytest.mark.deep
async def test_a_plain_twilio_agent_works_unchanged(live):
    port = free_port()
    token = (await live.rest("GET", "/api/account/agent-token"))["token"]
    command = (sys.executable, "examples/twilio_agent.py", "--port", str(port))
    async with (
        program(*command, ready=port, CHAMADE_AGENT_TOKEN=token) as printed,
        line(live, f"ws://127.0.0.1:{port}") as number,
    ):
        await check_parrot(live, number)
    assert b"call from +3361" in await printed


@pytest.mark.deep
@pytest.mark.skipif(not PIPECAT.exists(), reason="make .venv/.pipecat has not been run")
async def test_a_pipecat_bot_works_unchanged(live):
    port = free_port()
    command = (PIPECAT, "examples/pipecat_bot/bot.py", "--port", str(port))
    async with (
        program(*command, ready=port) as printed,
        line(live, f"ws://127.0.0.1:{port}/ws") as number,
    ):
        call_id = await check_parrot(live, number)
    assert f"call {call_id} from".encode() in await printed
