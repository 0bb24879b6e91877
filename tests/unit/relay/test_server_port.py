"""The relay's port besides the sockets: health, metrics, drain."""

from __future__ import annotations

import asyncio

import pytest
from websockets.exceptions import InvalidStatus

from tests.unit.relay.stack import Stack, audio, closed, media, message, played


async def test_health_metrics_and_nothing_else(stack: Stack) -> None:
    assert await stack.get("/healthz") == (200, "ok")
    assert (await stack.get("/"))[0] == 404
    assert (await stack.get("/media/agent/call_1?token=x"))[0] == 404
    with pytest.raises(InvalidStatus):
        await stack.open("/media/elsewhere")
    await closed(await stack.open("/media/provider/wrong"))
    provider, agent = await stack.both()
    await provider.send(media(b"\x01" * 160))
    await audio(agent, 160)
    status, text = await stack.get("/metrics")
    assert status == 200
    for line in (
        "chamade_relay_calls 1",
        'chamade_relay_legs{leg="agent"} 1',
        'chamade_relay_legs{leg="provider"} 1',
        'chamade_relay_frames_total{direction="to_agent"} 1',
        'chamade_relay_attach_failures_total{leg="provider",code="bad_token"} 1',
    ):
        assert line in text.splitlines()


async def test_fault_in_routing_shows_nothing(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret")

    monkeypatch.setattr(stack.relay, "_route", broken)
    assert await stack.get("/healthz") == (500, "internal error\n")


async def test_drain_waits_for_calls_and_takes_no_new_ones(stack: Stack) -> None:
    provider, agent = await stack.both()
    draining = asyncio.create_task(stack.relay.drain())
    await asyncio.sleep(0)
    assert await stack.get("/healthz") == (503, "draining\n")
    with pytest.raises(InvalidStatus):
        await stack.provider()
    with pytest.raises(InvalidStatus):
        await stack.open("/media/agent/call_2?token=x")
    await agent.send(b"\x01" * 160)
    assert await played(provider, 160) == b"\x01" * 160
    assert (await closed(agent))[0] == 1001
    assert (await closed(provider))[0] == 1001
    await draining


async def test_drain_ends_as_soon_as_the_last_call_does(stack: Stack) -> None:
    provider, agent = await stack.both()
    draining = asyncio.create_task(stack.relay.drain())
    await asyncio.sleep(0)
    stack.app.end("caller_hangup")
    await provider.close()
    assert (await message(agent))["type"] == "stop"
    assert (await closed(agent))[0] == 1000
    await draining
