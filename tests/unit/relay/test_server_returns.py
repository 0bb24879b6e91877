"""Legs that wait, go, come back, or stay away."""

from __future__ import annotations

from tests.unit.relay.stack import Stack, audio, closed, media, message, played


async def test_an_agent_waits_while_the_call_rings_and_is_told_when_it_is_missed(
    stack: Stack,
) -> None:
    stack.app.state = "ringing"
    agent = await stack.agent()
    await stack.app.reported("watch")
    stack.app.state, stack.app.end_reason = "missed", "ring_timeout"
    assert await message(agent) == {"type": "stop", "reason": "ring_timeout", "state": "missed"}
    assert (await closed(agent))[0] == 1000


async def test_an_agent_comes_back_in_time(stack: Stack) -> None:
    provider, agent = await stack.both()
    agent.transport.abort()
    again = await stack.agent()
    assert (await message(again, "start"))["resumed"] is True
    await provider.send(media(b"\x07" * 160))
    assert await audio(again, 160) == b"\x07" * 160
    await again.send(b"\x08" * 160)
    assert await played(provider, 160) == b"\x08" * 160


async def test_agent_that_stays_away_ends_the_call(stack: Stack) -> None:
    stack.app.endings["agent_lost"] = "agent_lost"
    provider, agent = await stack.both()
    await agent.close()
    await stack.app.reported("agent_lost")
    assert (await closed(provider))[0] == 1000


async def test_agent_that_never_comes_is_reported(stack: Stack) -> None:
    stack.app.endings["no_agent"] = "no_agent"
    provider = await stack.provider()
    await stack.app.reported("no_agent")
    assert (await closed(provider))[0] == 1000


async def test_second_agent_replaces_the_first(stack: Stack) -> None:
    provider, first = await stack.both()
    second = await stack.agent()
    assert await closed(first) == (4409, "replaced by a newer connection")
    assert (await message(second))["resumed"] is True
    await provider.send(media(b"\x09" * 160))
    assert await audio(second, 160) == b"\x09" * 160


async def test_stream_that_breaks_and_comes_back_keeps_the_agents_socket(stack: Stack) -> None:
    provider, agent = await stack.both()
    provider.transport.abort()
    await stack.app.reported("watch")
    again = await stack.provider()
    await again.send(media(b"\x0a" * 160))
    assert await audio(agent, 160) == b"\x0a" * 160
    await agent.send(b"\x0b" * 160)
    assert await played(again, 160) == b"\x0b" * 160


async def test_a_stopped_stream_of_an_ended_call_stops_the_agent(stack: Stack) -> None:
    provider, agent = await stack.both()
    stack.app.end("caller_hangup")
    await provider.send('{"event":"stop","streamSid":"MZ1","stop":{"callSid":"CA1"}}')
    assert (await message(agent, "stop"))["reason"] == "caller_hangup"
    assert (await closed(agent))[0] == 1000


async def test_stream_that_stays_away_is_reported(stack: Stack) -> None:
    stack.app.endings["media_lost"] = "media_failed"
    provider, agent = await stack.both()
    await provider.close()
    assert (await message(agent, "stop"))["reason"] == "media_failed"


async def test_live_audio_survives_an_application_that_does_not_answer(stack: Stack) -> None:
    provider, agent = await stack.both()
    stack.app.broken = 1000
    await agent.send('{"type":"hangup"}')
    await provider.send(media(b"\x01" * 160))
    assert await audio(agent, 160) == b"\x01" * 160
