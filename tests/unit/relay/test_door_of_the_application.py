"""Tests that the application's own client gets through a relay's door, to a host and back."""

from __future__ import annotations

import asyncio

import pytest

from chalicelib.providers.relay_door import (
    CLEAR,
    DTMF,
    REQUEST,
    DoorRefused,
    DoorUnavailable,
    SignedRelayDoor,
)
from common import voice_requests
from tests.support.ports import free_port
from tests.unit.relay.chamade_host import ChamadeHost
from tests.unit.relay.door_client import DoorStack, talking
from tests.unit.relay.fake_control import SECRET
from tests.unit.relay.stack import closed, message, played


def client(door: DoorStack, secret: str = SECRET) -> SignedRelayDoor:
    return SignedRelayDoor(door.door_url, secret)


async def test_a_text_reaches_the_host_and_the_reply_comes_back(
    door: DoorStack, host: ChamadeHost
) -> None:
    socket = await talking(door, host)
    say = voice_requests.Say(utterance_id="utt_1", text="Où ça ?", wait=True)
    params = {"method": say.METHOD, "params": say.params()}
    asking = asyncio.to_thread(client(door).ask, "call_1", None, REQUEST, params, 24)
    asked = asyncio.create_task(asking)
    got = await socket.next("request")
    assert voice_requests.read(got["method"], got["params"]) == say
    await socket.reply(got, ok=True, result={"utterance_id": "utt_1", "state": "finished"})
    assert await asked == {"utterance_id": "utt_1", "state": "finished"}


async def test_a_refusal_of_the_host_keeps_its_choices(door: DoorStack, host: ChamadeHost) -> None:
    socket = await talking(door, host)
    listen = voice_requests.Listen(after=3)
    params = {"method": listen.METHOD, "params": listen.params()}
    asked = asyncio.create_task(
        asyncio.to_thread(client(door).ask, "call_1", None, REQUEST, params)
    )
    error = {"code": "unknown_voice", "detail": "no such voice", "choices": ["amy"]}
    await socket.reply(await socket.next("request"), ok=False, error=error)
    with pytest.raises(DoorRefused) as refused:
        await asked
    assert (refused.value.code, refused.value.error["choices"]) == ("unknown_voice", ["amy"])


async def test_keys_are_pressed_and_audio_is_dropped(door: DoorStack, host: ChamadeHost) -> None:
    await talking(door, host)
    done = await asyncio.to_thread(client(door).ask, "call_1", None, DTMF, {"digits": "7"})
    assert done == {"queued": 1}
    assert len(await played(door.caller, 1440)) == 1440
    assert await asyncio.to_thread(client(door).ask, "call_1", None, CLEAR, {}) == {}
    assert (await message(door.caller))["event"] == "clear"


async def test_a_call_that_was_left_ends_at_the_relay_at_once(
    door: DoorStack, host: ChamadeHost
) -> None:
    await talking(door, host)
    door.app.end("agent_hangup")
    news = {"call": door.app.call(), "ends_at_ms": None, "agent": None}
    await asyncio.to_thread(client(door).tell, "call_1", None, news)
    assert (await closed(door.caller))[0] == 1000


async def test_a_call_that_no_relay_holds_is_not_here(door: DoorStack) -> None:
    with pytest.raises(DoorRefused) as refused:
        await asyncio.to_thread(client(door).ask, "call_9", None, CLEAR, {})
    assert refused.value.code == "not_here"


async def test_another_secret_and_a_door_that_is_shut_are_unavailable(door: DoorStack) -> None:
    with pytest.raises(DoorUnavailable):
        await asyncio.to_thread(client(door, "other").ask, "call_1", None, CLEAR, {})
    shut = SignedRelayDoor(f"http://127.0.0.1:{free_port()}", SECRET)
    with pytest.raises(DoorUnavailable):
        await asyncio.to_thread(shut.ask, "call_1", None, CLEAR, {})
    await asyncio.to_thread(shut.tell, "call_1", None, {})
