"""The relay's port besides the sockets: health, metrics, drain."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.exceptions import InvalidStatus

from tests.unit.relay.stack import Stack, audio, closed, media, message, played


async def test_health_and_metrics_are_answered_and_other_paths_are_not_found(stack: Stack) -> None:
    assert await stack.get("/healthz") == (200, "ok")
    assert (await stack.get("/"))[0] == 404
    assert (await stack.get("/media/agent/call_1?token=x"))[0] == 404
    with pytest.raises(InvalidStatus):
        await stack.open("/media/elsewhere")
    with pytest.raises(InvalidStatus):
        await stack.open("/media/provider/wrong")
    provider, agent = await stack.both()
    await provider.send(media(b"\x01" * 160))
    await audio(agent, 160)
    status, text = await stack.get("/metrics")
    assert status == 200
    for line in (
        "chamade_relay_calls 1.0",
        'chamade_relay_legs{leg="agent"} 1.0',
        'chamade_relay_legs{leg="provider"} 1.0',
        'chamade_relay_frames_total{direction="to_agent"} 1.0',
        'chamade_relay_attach_failures_total{code="bad_token",leg="provider"} 1.0',
    ):
        assert line in text.splitlines()


async def test_an_internal_error_in_routing_is_answered_without_details(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret")

    monkeypatch.setattr(stack.relay, "_route", broken)
    assert await stack.get("/healthz") == (500, "internal error\n")


async def test_draining_waits_for_calls_and_refuses_new_ones(stack: Stack) -> None:
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


async def test_keys_that_wait_are_reported_before_the_relay_ends(
    stack: Stack,
) -> None:
    provider, agent = await stack.both()
    for digit in "12":
        await provider.send(
            json.dumps({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": digit}})
        )
        assert (await message(agent, "dtmf"))["digit"] == digit
    await stack.relay.drain()
    keys = [body["digits"] for body in stack.app.bodies if body["type"] == "dtmf"]
    assert keys == ["1", "2"]


async def test_draining_ends_with_the_last_call(stack: Stack) -> None:
    provider, agent = await stack.both()
    draining = asyncio.create_task(stack.relay.drain())
    await asyncio.sleep(0)
    stack.app.end("caller_hangup")
    await provider.close()
    assert (await message(agent))["type"] == "stop"
    assert (await closed(agent))[0] == 1000
    await draining
