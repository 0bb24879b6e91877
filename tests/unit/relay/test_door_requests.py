"""Requests through the door to an agent that the relay has dialled, and that agent's hosts."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import ClientConnection

from tests.support.ports import free_port
from tests.unit.relay.chamade_host import ChamadeHost, chamade_host
from tests.unit.relay.door_client import DoorStack, command, request, talking, until, with_door
from tests.unit.relay.fake_control import FakeApplication
from tests.unit.relay.stack import closed, media, message, played
from tests.unit.relay.twilio_agent import TwilioAgent
from tests.unit.relay.twilio_agent import talking as talking_twilio


def later(door: DoorStack, **fields: object) -> asyncio.Task[tuple[int, dict[str, dict[str, str]]]]:
    """Begin a request. Its result is status and answer."""
    return asyncio.create_task(door.post(request(**fields)))  # type: ignore[arg-type]


async def test_a_host_is_dialled_in_our_own_dialect_with_mulaw_both_ways(
    door: DoorStack, host: ChamadeHost
) -> None:
    caller = await door.provider()
    socket = await host.socket()
    assert (socket.path, socket.headers["X-Chamade-Signature"]) == ("/v1/call/call_1", "signed")
    start = await socket.next()
    assert (start["type"], start["protocol"], start["resumed"]) == ("start", "1", False)
    assert start["call"]["call_id"] == "call_1"
    assert (start["audio"]["format"], start["audio"]["sample_rate"]) == ("mulaw", 8000)
    words, speech = bytes(range(160)) * 10, bytes(range(255, 95, -1)) * 30
    for at in range(0, len(words), 160):
        await caller.send(media(words[at : at + 160]))
    await socket.socket.send(speech)
    assert await socket.heard(len(words)) == words
    assert await played(caller, len(speech)) == speech


async def test_a_request_reaches_the_agent_and_its_reply_comes_back_as_it_is(
    door: DoorStack, host: ChamadeHost
) -> None:
    socket = await talking(door, host)
    asked = {"text": "Bonjour, ça va ?", "nested": [1, {"a": None}], "long": "x" * 60_000}
    body = command("request", params={"method": "say", "params": asked})
    asking = asyncio.create_task(door.post(body))
    got = await socket.next()
    assert got == {"type": "request", "id": body["id"], "method": "say", "params": asked}
    result = {"utterance_id": "utt_1", "reply": {"text": "Très bien."}, "list": [1.5, None]}
    await socket.reply(got, ok=True, result=result)
    assert await asking == (200, {"ok": True, "result": result})


async def test_an_agents_error_comes_back_with_all_its_members(
    door: DoorStack, host: ChamadeHost
) -> None:
    socket = await talking(door, host)
    asking = later(door)
    error = {"code": "unknown_voice", "detail": "no such voice", "choices": ["amy", "tom"]}
    await socket.reply(await socket.next("request"), ok=False, error=error)
    assert (await asking)[1] == {"ok": False, "error": error}
    page = (await door.get("/metrics"))[1]
    assert 'door_commands_total{answer="agent_error",method="request"} 1.0' in page


async def test_replies_may_come_in_any_order(door: DoorStack, host: ChamadeHost) -> None:
    socket = await talking(door, host)
    first, second = later(door, text="one"), later(door, text="two")
    got = {each["params"]["text"]: each for each in [await socket.next(), await socket.next()]}
    await socket.reply(got["two"], ok=True, result={"n": 2})
    assert (await second)[1]["result"] == {"n": 2}
    assert not first.done()
    await socket.reply(got["one"], ok=True, result={"n": 1})
    assert (await first)[1]["result"] == {"n": 1}


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ({"ok": False}, "bad_reply"),
        ({"ok": False, "error": {"why": "?"}}, "bad_reply"),
        ({"ok": True, "result": "y" * 70_000}, "reply_too_long"),
    ],
)
async def test_a_bad_reply_is_an_error_and_the_call_goes_on(
    door: DoorStack, host: ChamadeHost, reply: dict[str, object], code: str
) -> None:
    socket = await talking(door, host)
    asking = later(door)
    await socket.reply(await socket.next("request"), **reply)
    assert (await asking)[1]["error"]["code"] == code
    await socket.socket.send(b"\x06" * 160)
    assert await played(door.caller, 160) == b"\x06" * 160


async def test_a_reply_that_nobody_waits_for_is_ignored_and_a_malformed_one_is_an_error(
    door: DoorStack, host: ChamadeHost
) -> None:
    socket = await talking(door, host)
    await socket.say("reply", id="req_unknown", ok=True)
    await socket.say("reply", id="req_unknown")
    assert (await socket.next())["code"] == "bad_field"


async def test_an_agent_that_does_not_reply_is_waited_for_in_vain(
    door: DoorStack, host: ChamadeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.network.door.REPLY_S", 0.1)
    socket = await talking(door, host)
    status, answer = await door.post(request(wait_s=0.1))
    assert (status, answer["error"]["code"]) == (200, "timeout")
    late = await socket.next("request")
    await socket.reply(late, ok=True)
    asking = later(door)
    await socket.reply(await socket.next("request"), ok=True, result={"n": 1})
    assert (await asking)[1]["result"] == {"n": 1}


async def test_a_request_while_the_agent_is_being_dialled_waits_for_it(
    door: DoorStack, host: ChamadeHost
) -> None:
    door.app.agent = host.agent(url=f"ws://127.0.0.1:{free_port()}/")
    await door.stream()
    asking = later(door)
    await door.app.reported("watch")
    door.app.agent = host.agent()
    await door.send("changed", params={"call": door.app.call(), "agent": host.agent()})
    socket = await host.socket()
    assert (await socket.next())["type"] == "start"
    await socket.reply(await socket.next(), ok=True, result={"n": 1})
    assert (await asking)[1]["result"] == {"n": 1}


async def test_a_request_to_an_agent_that_is_never_reached_says_so(
    door: DoorStack, host: ChamadeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.network.door.REPLY_S", 0.1)
    door.app.agent = host.agent(url=f"ws://127.0.0.1:{free_port()}/")
    await door.stream()
    answer = (await door.post(request(wait_s=0)))[1]
    assert answer["error"]["code"] == "no_agent"


async def test_whoever_does_not_wait_for_the_reply_any_more_frees_its_place(
    door: DoorStack, host: ChamadeHost
) -> None:
    socket = await talking(door, host)
    asking = later(door)
    got = await socket.next("request")
    bridge = door.relay._calls.held("call_1")
    assert bridge is not None
    assert len(bridge._agent.requests) == 1
    asking.cancel()
    await until(lambda: len(bridge._agent.requests) == 0)
    await socket.reply(got, ok=True)
    assert (await door.send("clear"))["ok"] is True


async def test_requests_of_a_call_that_ends_are_answered(
    door: DoorStack, host: ChamadeHost
) -> None:
    socket = await talking(door, host)
    asking = later(door)
    await socket.next("request")
    door.app.end("caller_hangup")
    await door.send("changed", params={"call": door.app.call()})
    assert (await asking)[1]["error"]["code"] == "call_over"


async def test_an_agent_of_twilios_dialect_takes_no_requests(
    door: DoorStack, agent: TwilioAgent
) -> None:
    del agent
    await door.stream()
    assert (await door.post(request()))[1]["error"]["code"] == "no_requests"


async def test_an_agent_that_came_by_itself_cannot_reply(door: DoorStack) -> None:
    _, agent = await door.both()
    await agent.send('{"type": "reply", "id": "req_1", "ok": true}')
    assert (await message(agent))["code"] == "unknown_type"


# Hosts that go


async def test_a_host_that_is_killed_is_replaced_by_the_next_one_in_one_dial(
    app: FakeApplication, door: DoorStack
) -> None:
    async with chamade_host() as first, chamade_host() as second:
        app.agent = first.agent(second.url, first.url)
        socket = await talking(door, first)
        asking = later(door)
        await socket.next("request")
        socket.break_off()
        assert (await asking)[1]["error"]["code"] == "agent_lost"
        again = await second.socket()
        assert (await again.next())["resumed"] is True
        assert first.sockets.empty()
        assert door.relay.counters.unreached.total() == 0, "the next host was dialled at once"
        await door.caller.send(media(b"\x05" * 160))
        await again.socket.send(b"\x06" * 160)
        assert await again.heard(160) == b"\x05" * 160
        assert await played(door.caller, 160) == b"\x06" * 160
        second_asking = later(door)
        await again.reply(await again.next("request"), ok=True, result={"n": 1})
        assert (await second_asking)[1]["result"] == {"n": 1}


async def test_a_host_that_vanishes_without_a_word_is_missed_soon(
    app: FakeApplication, door: DoorStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.network.dialler._PING_TRUSTED_S", 1.0)
    async with chamade_host() as first, chamade_host() as second:
        app.agent = first.agent(second.url)
        socket = await talking(door, first)
        socket.socket.transport.pause_reading()
        assert (await (await second.socket()).next())["resumed"] is True


async def test_hosts_that_cannot_be_reached_are_passed_over(
    app: FakeApplication, door: DoorStack, host: ChamadeHost
) -> None:
    dead = f"ws://127.0.0.1:{free_port()}/"
    app.agent = host.agent(dead, host.url, url=dead)
    await door.provider()
    assert (await (await host.socket()).next())["type"] == "start"
    assert door.relay.counters.unreached["refused"] == 2


async def test_a_trusted_host_may_have_a_private_address_and_no_other(
    app: FakeApplication, host: ChamadeHost
) -> None:
    async with with_door(app, allow_private_agents=False) as door:
        app.agent = host.agent(trusted=False)
        app.endings["no_agent"] = "no_agent"
        assert (await closed(await door.provider()))[0] == 1000
        assert host.sockets.empty()
        app.state, app.agent = "active", host.agent()
        await talking(door, host)


async def test_a_host_is_dialled_in_vain_with_a_format_that_there_is_not(
    door: DoorStack, host: ChamadeHost
) -> None:
    door.app.endings["no_agent"] = "no_agent"
    door.app.agent = host.agent(rate=16000)
    await closed(await door.provider())
    assert "mulaw is 8000 Hz only" in door.app.bodies[-1]["why"]


async def test_a_host_hangs_up_by_message(door: DoorStack, host: ChamadeHost) -> None:
    door.app.endings["agent_hangup"] = "agent_hangup"
    socket = await talking(door, host)
    await socket.say("hangup")
    last = (await socket.over())[-1]
    assert (last["type"], last["reason"]) == ("stop", "agent_hangup")
    assert (await closed(door.caller))[0] == 1000


async def test_a_host_that_stops_closes_with_1001_and_does_not_hang_up(
    app: FakeApplication, door: DoorStack
) -> None:
    async with chamade_host() as first, chamade_host() as second:
        app.agent = first.agent(second.url)
        socket = await talking(door, first)
        await socket.socket.close(1001)
        await (await second.socket()).next("start")
        assert app.bodies == []


async def test_a_host_that_loses_its_call_to_another_agent_or_relay_is_told_by_the_code(
    door: DoorStack, host: ChamadeHost
) -> None:
    socket = await talking(door, host)
    agent: ClientConnection = await door.agent()
    assert (await message(agent))["type"] == "start"
    assert await socket.over() == []
    assert socket.socket.close_code == 4409


async def test_a_relay_that_goes_away_tells_its_host_by_the_code(
    door: DoorStack, host: ChamadeHost
) -> None:
    socket = await talking(door, host)
    await door.relay.drain()
    assert await socket.over() == []
    assert socket.socket.close_code == 1001


async def test_twilios_agents_are_dialled_as_ever_by_a_relay_with_a_door(
    door: DoorStack, agent: TwilioAgent
) -> None:
    caller, stream = await talking_twilio(door, agent)
    await stream.play(b"\x08" * 160)
    assert await played(caller, 160) == b"\x08" * 160
    await stream.say("mark", mark={"name": "end"})
    await message(caller, "mark")
    assert (await door.send("clear"))["ok"] is True
    assert (await stream.next("mark"))["mark"] == {"name": "end"}
