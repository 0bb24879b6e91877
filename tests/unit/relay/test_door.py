"""The relay's door: signatures, replays, bad input, and commands about a call that is here."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest

from common import control
from relay.core.requests_to_agent import MAX_REQUESTS
from relay.core.seen_ids import MAX_IDS_PER_CALL
from runtime.strangers import Strangers
from tests.unit.relay.chamade_host import ChamadeHost
from tests.unit.relay.door_client import (
    PATH,
    DoorStack,
    command,
    request,
    talking,
    until,
    with_door,
)
from tests.unit.relay.fake_control import SECRET, FakeApplication
from tests.unit.relay.stack import Stack, closed, media, message, played


async def test_a_post_that_is_not_signed_with_the_secret_is_refused(door: DoorStack) -> None:
    good = command("clear")
    assert (await door.post(good, secret="other"))[0] == 401
    assert (await door.post(good, at_s=time.time() - 90))[0] == 401
    assert (await door.post(good, headers={"X-Chamade-Signature": "t=1,v1=é"}))[0] == 401
    status, answer = await door.post(good)
    assert (status, answer["error"]["code"]) == (200, "not_here"), "the id was not used up"


async def test_a_signature_is_good_for_one_call_only(door: DoorStack) -> None:
    status, answer = await door.post(command("clear"), signed_path="/door/call/call_2")
    assert (status, answer["error"]["code"]) == (401, "bad_signature")


async def test_an_id_that_comes_twice_is_refused(door: DoorStack, host: ChamadeHost) -> None:
    await talking(door, host)
    twice = command("dtmf", params={"digits": "7"})
    assert await door.post(twice) == (200, {"ok": True, "result": {"queued": 1}})
    status, answer = await door.post(twice)
    assert (status, answer["error"]["code"]) == (409, "replayed")
    assert len(await played(door.caller, 1440)) == 1440, "one key of 100 ms, and 80 ms of silence"
    await door.send("clear")
    assert (await message(door.caller))["event"] == "clear", "the key was pressed once"


BAD_BODIES: dict[str, bytes | dict[str, Any]] = {
    "nothing": b"",
    "a list": b"[]",
    "half an object": b"{",
    "no method": b'{"id":"req_12345678"}',
    "not UTF-8": b"\xff",
    "nested too deep": b"[" * 60_000,
    "unknown method": command("dance"),
    "short id": command("clear", id="short"),
    "id with a space": command("clear", id="req 12345678"),
    "long wait": command("clear", wait_s=26),
    "owner that is a file": command("clear", owner="file:///etc/passwd"),
    "wrong key": command("dtmf", params={"digits": "12E"}),
    "parameters in a list": command("dtmf", params=[]),
    "request without a method": command("request", params={"params": {}}),
    "call that is a number": command("changed", params={"call": 7}),
    "another call": command("changed", params={"call": {"call_id": "call_2"}}),
}


@pytest.mark.parametrize("bad", BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_malformed_command_is_refused_and_changes_nothing(
    door: DoorStack, host: ChamadeHost, bad: bytes | dict[str, Any]
) -> None:
    socket = await talking(door, host)
    status, answer = await door.post(bad)
    assert (status, answer["error"]["code"]) == (400, "malformed")
    assert answer["error"]["detail"]
    await door.caller.send(media(b"\x05" * 160))
    assert await socket.heard(160) == b"\x05" * 160


async def test_a_command_of_more_than_64_kib_is_refused(door: DoorStack) -> None:
    status, answer = await door.post(command("request", params={"x": "y" * 70_000}))
    assert (status, answer["error"]["code"]) == (413, "too_large")


async def test_a_body_that_does_not_come_is_given_up(
    door: DoorStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.network.door.BODY_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(door.door_url.split(":")[2]))
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".encode())
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 10)
    writer.close()


async def test_strangers_connections_are_bounded_and_the_applications_stays(
    app: FakeApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.network.door.Strangers", lambda: Strangers(most=3))
    async with with_door(app) as door:
        port = int(door.door_url.split(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(as_http(command("clear")))
            assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"}}"), 10)
            strangers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
            assert await asyncio.wait_for(strangers[0][0].read(), 10) == b"", "the oldest is closed"


def as_http(body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    signature = control.sign(SECRET, PATH, content, int(time.time()))
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
    return f"{head}{control.HEADER}: {signature}\r\n\r\n".encode() + content


async def test_a_call_that_no_relay_holds_is_not_here(door: DoorStack) -> None:
    answer = await door.send("clear")
    assert answer["error"]["code"] == "not_here"


async def test_keys_are_pressed_behind_the_audio_that_is_queued(
    door: DoorStack, host: ChamadeHost
) -> None:
    socket = await talking(door, host)
    speech = bytes(range(160)) * 10
    await socket.socket.send(speech)
    assert await played(door.caller, len(speech)) == speech
    answer = await door.send("dtmf", params={"digits": "1w2"})
    assert answer == {"ok": True, "result": {"queued": 2}}
    sound = await played(door.caller, 2 * 1440 + 4000)
    assert len(sound) == 2 * 1440 + 4000
    assert sound[:800] != sound[1440 + 4000 : 1440 + 4000 + 800], "two different keys"
    assert set(sound[1440 : 1440 + 4000]) == {0xFF}, "half a second of silence"


async def test_clear_empties_the_callers_queue_and_tells_the_agent(
    door: DoorStack, host: ChamadeHost
) -> None:
    socket = await talking(door, host)
    await socket.socket.send(b"\x11" * 8000)
    await socket.say("mark", name="end")
    await message(door.caller, "mark")
    assert await door.send("clear") == {"ok": True, "result": {}}
    assert (await message(door.caller, "clear"))["streamSid"] == "MZ1"
    assert await socket.next("mark") == {"type": "mark", "name": "end", "played": False}
    await socket.socket.send(b"\x12" * 160)
    assert await played(door.caller, 160) == b"\x12" * 160


async def test_clear_and_keys_reach_a_call_whose_agent_came_by_itself(door: DoorStack) -> None:
    caller, agent = await door.both()
    await agent.send(b"\x13" * 8000)
    await agent.send('{"type": "mark", "name": "end"}')
    await message(caller, "mark")
    assert (await door.send("clear"))["ok"] is True
    assert (await message(agent, "mark"))["played"] is False
    assert (await door.send("dtmf", params={"digits": "5"}))["result"] == {"queued": 1}
    answer = (await door.post(request()))[1]
    assert answer["error"]["code"] == "no_requests"


async def test_without_a_stream_commands_are_refused(door: DoorStack) -> None:
    agent = await door.agent()
    await door.app.reported("watch")
    for method, params in [("clear", {}), ("dtmf", {"digits": "1"}), ("request", {"method": "x"})]:
        answer = await door.send(method, params=params)
        assert answer["error"]["code"] == "no_stream"
    await agent.close()


async def test_a_call_without_any_agent_takes_no_requests(door: DoorStack) -> None:
    await door.stream()
    assert (await door.post(request()))[1]["error"]["code"] == "no_agent"


async def test_a_changed_call_that_is_over_ends_at_once(door: DoorStack, host: ChamadeHost) -> None:
    socket = await talking(door, host)
    door.app.end("agent_hangup")
    change = {"call": door.app.call(), "ends_at_ms": None, "agent": None}
    assert await door.send("changed", params=change) == {"ok": True, "result": {}}
    last = (await socket.over())[-1]
    assert last == {"type": "stop", "reason": "agent_hangup", "state": "ended"}
    assert socket.socket.close_code == 1000
    assert (await closed(door.caller))[0] == 1000
    assert door.app.bodies == []


async def test_a_changed_call_that_goes_on_has_a_new_end(
    door: DoorStack, host: ChamadeHost
) -> None:
    await talking(door, host)
    door.app.endings["max_duration"] = "max_duration"
    ends_at_ms = int((time.time() + 0.3) * 1000)
    await door.send("changed", params={"call": door.app.call(), "ends_at_ms": ends_at_ms})
    assert (await closed(door.caller))[0] == 1000
    assert [body["type"] for body in door.app.bodies] == ["max_duration"]


async def test_a_relay_with_a_door_says_where_it_is_when_it_attaches(
    app: FakeApplication, stack: Stack
) -> None:
    async with with_door(app, door_url="http://10.0.1.7:8706") as door:
        await door.stream()
        assert app.attaches[-1]["door_url"] == "http://10.0.1.7:8706"
    await stack.provider()
    await until(lambda: len(app.attaches) == 2)
    assert "door_url" not in app.attaches[-1]


async def test_the_counts_have_the_commands(door: DoorStack) -> None:
    await door.send("clear")
    await door.post(command("clear"), secret="other")
    page = (await door.get("/metrics"))[1]
    assert 'door_commands_total{answer="not_here",method="clear"} 1.0' in page
    assert 'door_commands_total{answer="bad_signature",method=""} 1.0' in page


async def test_a_draining_relay_still_takes_commands(
    app: FakeApplication, host: ChamadeHost
) -> None:
    async with with_door(app, drain_s=30.0) as door:
        socket = await talking(door, host)
        draining = asyncio.create_task(door.relay.drain())
        asking = asyncio.create_task(door.post(request()))
        await socket.reply(await socket.next("request"), ok=True, result={"state": "queued"})
        assert (await asking)[1]["result"] == {"state": "queued"}
        assert door.relay.counters.draining
        app.end("agent_hangup")
        await door.send("changed", params={"call": app.call()})
        await draining


async def test_the_door_tells_its_health_as_the_relay_does(
    app: FakeApplication, host: ChamadeHost
) -> None:
    async with with_door(app, drain_s=30.0) as door:
        await talking(door, host)
        assert await _health(door) == (200, "ok")
        draining = asyncio.create_task(door.relay.drain())
        await until(lambda: door.relay.counters.draining)
        assert await _health(door) == (503, "draining\n")
        app.end("agent_hangup")
        await door.send("changed", params={"call": app.call()})
        await draining


async def _health(door: DoorStack) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{door.door_url}/healthz") as answer,
    ):
        return answer.status, await answer.text()


async def test_too_many_requests_of_a_call_are_refused(door: DoorStack, host: ChamadeHost) -> None:
    socket = await talking(door, host)
    asking = [asyncio.create_task(door.post(request())) for _ in range(MAX_REQUESTS)]
    requests = [await socket.next("request") for _ in range(MAX_REQUESTS)]
    answer = (await door.post(request()))[1]
    assert answer["error"]["code"] == "too_many"
    assert (await door.send("clear"))["ok"] is True, "the caller can still be given quiet"
    for each in requests:
        await socket.reply(each, ok=True)
    answers = await asyncio.gather(*asking)
    assert all(answer == (200, {"ok": True, "result": {}}) for answer in answers)


async def test_a_call_with_too_many_commands_is_refused_and_another_is_not(door: DoorStack) -> None:
    await door.stream()
    seen = door.relay._door._seen
    for n in range(MAX_IDS_PER_CALL):
        seen.add(f"req_{n}", "call_1", time.monotonic())
    status, answer = await door.post(command("clear"))
    assert (status, answer["error"]["code"]) == (200, "too_many")
    _, answer = await door.post(command("clear"), path="/door/call/call_2")
    assert answer["error"]["code"] == "not_here", "it was read, and no relay holds that call"
