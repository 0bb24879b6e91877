"""A call on hold, at relays on real sockets: as the application's answers and the door say."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.client import ClientConnection

from relay.network.clips import KEPT, Clips
from relay.network.control import NoAnswerError
from relay.protocol.hold_music import MUSIC
from tests.unit.relay.chamade_host import ChamadeHost
from tests.unit.relay.door_client import DoorStack, talking, until
from tests.unit.relay.fake_control import FakeApplication
from tests.unit.relay.stack import Stack, media, message, played
from tests.unit.relay.test_relay_pipe import Start, both_hear, relay_of  # noqa: F401

HOLD = {"number": 1, "mode": "hold", "source": {"kind": "music"}}
RESUMED = {"number": 2, "mode": "agent", "source": None}


async def changed(door: DoorStack, line: dict[str, object]) -> None:
    door.app.line = line
    assert (await door.send("changed", params=door.app.news()))["ok"]


async def next_event(provider: ClientConnection) -> str:
    async with asyncio.timeout(5):
        return str(json.loads(await provider.recv())["event"])


async def test_the_door_begins_and_ends_a_hold_at_once(door: DoorStack) -> None:
    provider, agent = await door.both()
    await changed(door, HOLD)
    assert await message(agent) == {"type": "held", "why": "hold"}
    assert await next_event(provider) == "clear"
    assert await played(provider, 8000) == MUSIC[:8000]
    await agent.send(b"\x22" * 160)
    await provider.send(media(b"\x11" * 160))
    await changed(door, RESUMED)
    assert await message(agent) == {"type": "unheld"}
    while await next_event(provider) != "clear":
        pass
    await both_hear(provider, agent)


async def test_an_answer_to_a_report_begins_a_hold(stack: Stack) -> None:
    """The door may have been missed."""
    provider, agent = await stack.both()
    stack.app.line = HOLD
    await agent.send('{"type":"hangup"}')
    assert await message(agent, "held") == {"type": "held", "why": "hold"}
    assert await played(provider, 8000) == MUSIC[:8000]


async def test_a_call_that_comes_to_a_relay_on_hold_is_held_from_the_begin(stack: Stack) -> None:
    stack.app.line = HOLD
    provider = await stack.provider()
    assert await played(provider, 8000) == MUSIC[:8000]
    agent = await stack.agent()
    assert [(await message(agent))["type"] for _ in range(2)] == ["start", "held"]


async def test_a_clip_is_fetched_once_for_all_holds(door: DoorStack) -> None:
    clip = bytes(range(160, 210)) * 80
    door.app.clips["clip_1"] = clip
    provider, _ = await door.both()
    source = {"kind": "clip", "clip_id": "clip_1", "loop": True}
    await changed(door, HOLD | {"source": source})
    assert await played(provider, 8000) == clip * 2
    await changed(door, RESUMED)
    await changed(door, HOLD | {"number": 3, "source": source})
    assert await played(provider, 8000) == clip * 2
    assert door.app.asked_for == ["clip_1"]


async def test_a_clip_that_the_application_does_not_have_is_music(door: DoorStack) -> None:
    provider, _ = await door.both()
    await changed(door, HOLD | {"source": {"kind": "clip", "clip_id": "clip_9"}})
    assert await played(provider, 8000) == MUSIC[:8000]


async def test_a_relay_keeps_sixteen_clips() -> None:
    asked: list[str] = []

    async def fetch(_: str, clip_id: str) -> bytes:
        asked.append(clip_id)
        return clip_id.encode()

    clips = Clips(fetch)
    for number in range(KEPT):
        await clips.get("call_1", f"clip_{number}")
    await clips.get("call_1", "clip_0")
    await clips.get("call_1", "one_more")
    assert len(clips) == KEPT
    assert await clips.get("call_1", "clip_0") == b"clip_0"
    assert len(asked) == KEPT + 1
    await clips.get("call_1", "clip_1")
    assert len(asked) == KEPT + 2


async def test_calls_that_want_a_clip_at_once_ask_for_it_once() -> None:
    asked: list[str] = []
    go_on = asyncio.Event()

    async def fetch(call_id: str, _: str) -> bytes:
        asked.append(call_id)
        await go_on.wait()
        if len(asked) == 1:
            raise NoAnswerError("HTTP 500")
        return b"\x22"

    clips = Clips(fetch)
    for answer in (NoAnswerError, bytes):
        go_on.clear()
        wanted = [asyncio.create_task(clips.get(f"call_{n}", "clip_1")) for n in range(20)]
        await asyncio.sleep(0)
        go_on.set()
        got = await asyncio.gather(*wanted, return_exceptions=True)
        assert {type(each) for each in got} == {answer}
    assert len(asked) == 2


async def test_a_clip_that_is_too_long_is_music(door: DoorStack) -> None:
    door.app.clips["clip_1"] = b"\x22" * 320_001
    provider, _ = await door.both()
    await changed(door, HOLD | {"source": {"kind": "clip", "clip_id": "clip_1"}})
    assert await played(provider, 8000) == MUSIC[:8000]


async def test_a_voice_host_that_was_dialled_is_held_the_same_way(
    door: DoorStack, host: ChamadeHost
) -> None:
    socket = await talking(door, host)
    await changed(door, HOLD)
    assert (await socket.next("held"))["why"] == "hold"
    assert await played(door.caller, 8000) == MUSIC[:8000]
    await changed(door, RESUMED)
    assert (await socket.next("unheld"))["type"] == "unheld"


async def test_an_agent_that_leaves_is_closed_and_not_dialled_again(
    door: DoorStack, host: ChamadeHost
) -> None:
    await talking(door, host)
    await changed(door, HOLD | {"agent": "leave"})
    await until(lambda: door.relay.counters.legs["agent"] == 0)
    assert await played(door.caller, 16000) == MUSIC[:16000]
    assert door.relay.counters.legs["agent"] == 0


@pytest.mark.parametrize("still_held", [False, True])
async def test_an_agent_that_is_led_to_another_relay_knows_whether_it_is_held(
    relay_of: Start,  # noqa: F811
    app: FakeApplication,
    still_held: bool,
) -> None:
    one, two, three = [await relay_of(name) for name in "abc"]
    app.line = HOLD
    provider = await one.provider()
    agent = await two.agent()
    assert [(await message(agent))["type"] for _ in range(2)] == ["start", "held"]
    await provider.close()
    app.line = HOLD | {"number": 2} if still_held else RESUMED
    moved = await three.provider()
    await one.relay.drain()
    assert await message(agent) == {"type": "unheld"}
    if still_held:
        assert (await message(agent))["type"] == "held"
        assert await played(moved, 8000) == MUSIC[:8000]
    else:
        await both_hear(moved, agent)
