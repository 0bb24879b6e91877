"""The relay dials the agent: handshake, audio, hanging up, coming back, standing down."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection

from relay.network.control import Control
from relay.network.server import Relay
from tests.unit.relay.stack import Stack, closed, media, message, played
from tests.unit.relay.twilio_agent import HEADERS, TwilioAgent, talking, twilio_agent


async def test_the_agent_is_dialled_when_the_stream_is_up(stack: Stack, agent: TwilioAgent) -> None:
    provider = await stack.provider()
    stream = await agent.stream()
    assert stream.path == "/voice?key=secret"
    assert HEADERS.items() <= stream.headers.items()
    assert stream.headers["Host"] == agent.url.split("/")[2]
    start = (await stream.begun())["start"]
    assert (start["accountSid"], start["callSid"]) == ("AC1", "CA1")
    assert start["customParameters"]["call_id"] == "call_1"
    caller, speech = bytes(range(160)) * 10, bytes(range(255, 95, -1)) * 30
    for at in range(0, len(caller), 160):
        await provider.send(media(caller[at : at + 160]))
    await stream.play(speech)
    assert await stream.heard(len(caller)) == caller
    assert await played(provider, len(speech)) == speech


async def test_the_callers_words_during_dialling_reach_the_agent(
    stack: Stack, agent: TwilioAgent
) -> None:
    held = asyncio.Event()

    async def slow(socket: object, _: object) -> None:
        await held.wait()

    agent.answer = slow  # type: ignore[assignment]
    provider = await stack.provider()
    words = bytes(range(160)) * 20
    for at in range(0, len(words), 160):
        await provider.send(media(words[at : at + 160]))
    await (await provider.ping())
    held.set()
    stream = await agent.stream()
    await stream.begun()
    assert await stream.heard(len(words)) == words
    stream.break_off()
    await asyncio.sleep(0.05)
    await provider.send(media(b"\x05" * 160))
    again = await agent.stream()
    await again.begun()
    assert await again.heard(160) == b"\x05" * 160


async def test_an_agent_that_ends_during_the_handshake_is_dialled_again(
    stack: Stack, agent: TwilioAgent
) -> None:
    ended = 0

    async def end_once(socket: ServerConnection, _: object) -> None:
        nonlocal ended
        ended += 1
        if ended == 1:
            socket.transport.abort()

    agent.answer = end_once  # type: ignore[assignment]
    await stack.provider()
    await (await agent.stream()).begun()
    assert ended == 2


async def test_a_dialled_agent_can_set_and_clear_marks(stack: Stack, agent: TwilioAgent) -> None:
    provider, stream = await talking(stack, agent)
    await stream.say("mark", mark={"name": "end"})
    await provider.send(json.dumps(await message(provider, "mark")))
    assert (await stream.next())["mark"] == {"name": "end"}
    await stream.say("mark", mark={"name": "never"})
    await stream.say("clear")
    assert (await stream.next())["mark"] == {"name": "never"}
    assert (await message(provider, "clear"))["streamSid"] == "MZ1"


@pytest.mark.parametrize("code", [1000, None])
async def test_a_dialled_agent_hangs_up_by_closing_normally(
    stack: Stack, agent: TwilioAgent, code: int | None
) -> None:
    stack.app.endings["agent_hangup"] = "agent_hangup"
    provider, stream = await talking(stack, agent)
    if code is None:
        stream.socket.protocol.send_close()
        stream.socket.transport.write(b"".join(stream.socket.protocol.data_to_send()))
    else:
        await stream.socket.close(code)
    assert (await closed(provider))[0] == 1000
    assert [body["type"] for body in stack.app.bodies] == ["agent_hangup"]


@pytest.mark.parametrize("code", [0, 1001, 1011, 4000])
async def test_a_dialled_agent_that_is_lost_is_dialled_again_at_once(
    stack: Stack, agent: TwilioAgent, code: int
) -> None:
    provider, stream = await talking(stack, agent)
    first = stream.sid
    began = time.monotonic()
    if code:
        await stream.socket.close(code)
    else:
        stream.break_off()
    again = await agent.stream()
    await again.begun()
    assert time.monotonic() - began < 0.3
    assert again.sid != first
    await provider.send(media(b"\x05" * 160))
    await again.play(b"\x06" * 160)
    assert await again.heard(160) == b"\x05" * 160
    assert await played(provider, 160) == b"\x06" * 160
    assert not stack.app.bodies


async def test_a_dialled_agent_that_breaks_again_and_again_is_given_up(
    stack: Stack, agent: TwilioAgent
) -> None:
    stack.app.endings["agent_lost"] = "agent_lost"
    provider = await stack.provider()
    began = time.monotonic()
    ending = asyncio.create_task(closed(provider))
    while not ending.done():
        dialled = asyncio.create_task(agent.streams.get())
        await asyncio.wait((ending, dialled), return_when=asyncio.FIRST_COMPLETED)
        if dialled.done():
            (await dialled).break_off()
        else:
            dialled.cancel()
    assert 0.3 < time.monotonic() - began < 2, "the grace of the first loss, not of the last"


async def test_redirects_are_not_followed(stack: Stack, agent: TwilioAgent) -> None:
    stack.app.endings["no_agent"] = "no_agent"
    async with twilio_agent() as other:

        def elsewhere(socket, _):
            response = socket.respond(HTTPStatus.FOUND, "")
            response.headers["Location"] = other.url
            return response

        agent.answer = elsewhere
        await closed(await stack.provider())
        assert other.streams.empty()
    assert stack.app.bodies[-1]["why"].startswith("it answered with HTTP 302.")


async def test_the_agent_is_dialled_with_the_headers_of_the_last_answer(
    stack: Stack, agent: TwilioAgent
) -> None:
    provider, stream = await talking(stack, agent)
    fresh = {**HEADERS, "X-Twilio-Signature": "ZnJlc2g="}
    stack.app.agent = {"url": agent.url, "headers": fresh}
    await stack.provider()
    await closed(provider)
    stream.break_off()
    again = await agent.stream()
    assert again.headers["X-Twilio-Signature"] == "ZnJlc2g="


async def test_no_agent_is_dialled_if_one_has_come_by_itself(
    stack: Stack, agent: TwilioAgent
) -> None:
    own = await stack.agent()
    await stack.app.reported("watch")
    provider = await stack.provider()
    assert (await message(own))["type"] == "start"
    await provider.send(media(b"\x07" * 160))
    await own.recv()
    assert agent.streams.empty()


async def test_an_agent_that_comes_by_itself_replaces_the_dialled_one(
    stack: Stack, agent: TwilioAgent
) -> None:
    _, stream = await talking(stack, agent)
    own = await stack.agent()
    assert (await message(own))["type"] == "start"
    assert [m["event"] for m in await stream.over()] == ["stop"]
    assert stream.socket.close_code == 1000
    await own.close()
    later = await stack.agent()
    assert (await message(later))["resumed"] is True
    assert agent.streams.empty(), "it is not dialled any more"
    assert not stack.app.bodies


async def test_the_end_of_the_call_ends_its_stream(stack: Stack, agent: TwilioAgent) -> None:
    provider, stream = await talking(stack, agent)
    stack.app.end("caller_hangup")
    await provider.close()
    last = (await stream.over())[-1]
    assert (last["event"], last["stop"]) == ("stop", {"accountSid": "AC1", "callSid": "CA1"})
    assert stream.socket.close_code == 1000


async def test_a_new_stream_keeps_the_dialled_connection(stack: Stack, agent: TwilioAgent) -> None:
    provider, stream = await talking(stack, agent)
    await provider.close()
    provider = await stack.provider()
    await stream.play(b"\x08" * 160)
    await stream.say("mark", mark={"name": "m"})
    await provider.send(media(b"\x09" * 160))
    assert await stream.heard(160) == b"\x09" * 160
    assert agent.streams.empty()


async def test_draining_sends_stop_and_dials_no_more(stack: Stack, agent: TwilioAgent) -> None:
    provider, stream = await talking(stack, agent)
    await stack.relay.drain()
    assert [m["event"] for m in await stream.over()] == ["stop"]
    assert (await closed(provider))[0] == 1001
    assert agent.streams.empty()
    assert not stack.app.bodies


async def test_keys_are_reported_in_order_with_a_rising_sequence(
    stack: Stack, agent: TwilioAgent
) -> None:
    provider, stream = await talking(stack, agent)
    stack.app.report_s = 0.05
    for digit in "12*#A":
        key = {"event": "dtmf", "dtmf": {"digit": digit}, "streamSid": "MZ1"}
        await provider.send(json.dumps(key))
    assert [(await stream.next("dtmf"))["dtmf"]["digit"] for _ in range(5)] == list("12*#A")
    while sum(len(body["digits"]) for body in stack.app.bodies) < 5:
        await stack.app.reported("dtmf")
    assert "".join(body["digits"] for body in stack.app.bodies) == "12*#A"
    sequences = [body["sequence"] for body in stack.app.bodies]
    assert sequences == sorted(set(sequences))


async def test_a_relay_that_lost_the_call_closes_its_dialled_agent(
    stack: Stack, agent: TwilioAgent
) -> None:
    provider, stream = await talking(stack, agent)
    stack.app.refuse_reports = "owned_elsewhere"
    await provider.close()
    assert [m["event"] for m in await stream.over()] == ["stop"]
    assert stream.socket.close_code == 1000


async def test_after_a_relays_death_the_relay_with_the_new_stream_dials(
    stack: Stack, agent: TwilioAgent
) -> None:
    _, stream = await talking(stack, agent)
    config = replace(stack.relay._config, relay_id="relay-2")
    async with Control(config) as control:
        second = Stack(stack.app, Relay(config, control))
        second.port = await second.relay.start()
        async with second.closing:
            for leg in list(stack.relay._calls.legs):
                leg.transport.disconnect(False)
            assert await stream.over() == []
            await second.provider()
            again = await agent.stream()
            start = await again.begun()
            assert start["start"]["customParameters"]["call_id"] == "call_1"
        await second.relay.drain()
