"""The relay and what is too much for it, broken, or late."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket

import pytest
from websockets.exceptions import ConnectionClosed

from relay.control import Answer, Control
from tests.unit.relay import raw
from tests.unit.relay.fake_control import AGENT_TOKEN
from tests.unit.relay.stack import START, Stack, closed, media, message, played


async def test_message_over_a_mebibyte_is_closed(stack: Stack) -> None:
    _, agent = await stack.both()
    with contextlib.suppress(ConnectionClosed):
        await agent.send(bytes(2 << 20))
    assert (await closed(agent))[0] == 1009


async def test_fragments_over_a_mebibyte_are_closed(stack: Stack) -> None:
    _, agent = await stack.both()
    with contextlib.suppress(ConnectionClosed):
        await agent.send([bytes(600_000), bytes(600_000)])
    assert (await closed(agent))[0] == 1009


async def test_text_that_is_not_utf8_is_closed(stack: Stack) -> None:
    _, agent = await stack.both()
    await agent.send(b"\xff\xfe", text=True)
    assert (await closed(agent))[0] == 1007


AGENT_PATH = f"/media/agent/call_1?token={AGENT_TOKEN}&format=mulaw"


@pytest.mark.parametrize(
    "frames",
    [
        [(raw.CONTINUATION, True, 0)],
        [(raw.TEXT, False, 0), (raw.TEXT, True, 0)],
        [(raw.BINARY, False, 0), (raw.BINARY, True, 0)],
        [(raw.TEXT, True, 4)],
        [(3, True, 0)],
    ],
)
async def test_broken_framing_is_closed(stack: Stack, frames: list[tuple[int, bool, int]]) -> None:
    async with raw.RawSocket(stack.port, AGENT_PATH) as agent:
        for opcode, fin, rsv in frames:
            agent.send(opcode, b"{}", fin=fin, rsv=rsv)
        assert await agent.closed() == 1002


@pytest.mark.parametrize(("payload", "code"), [(b"", 1000), (b"\x0f\xa0bye", 4000)])
async def test_close_is_answered(stack: Stack, payload: bytes, code: int) -> None:
    async with raw.RawSocket(stack.port, AGENT_PATH) as agent:
        agent.send(raw.CLOSE, payload)
        assert await agent.closed() == code


async def test_message_may_have_control_frames_between_its_fragments(stack: Stack) -> None:
    provider = await stack.provider()
    async with raw.RawSocket(stack.port, AGENT_PATH) as agent:
        assert (await agent.receive())[0] == raw.TEXT
        agent.send(raw.BINARY, b"\x01" * 5, fin=False)
        agent.send(10, b"unasked pong")
        agent.send(9, b"ping")
        agent.send(raw.CONTINUATION, b"\x02" * 5)
        assert await agent.receive() == (10, b"ping")
        assert await played(provider, 10) == b"\x01" * 5 + b"\x02" * 5


async def test_what_an_agent_says_before_it_is_let_in_is_kept_within_bounds(stack: Stack) -> None:
    await stack.provider()
    stack.app.gate.clear()
    agent = await stack.agent()
    await agent.send(b"\x01" * 160)
    await agent.send('{"type":"mark","name":"early"}')
    await agent.ping()
    stack.app.gate.set()
    assert [(await message(agent))["type"] for _ in range(2)] == ["start", "dropped"]
    stack.app.gate.clear()
    flood = await stack.agent()
    for _ in range(40):
        await flood.send("{}")
    assert (await closed(flood))[0] == 1008
    stack.app.gate.set()


async def test_call_that_moved_to_another_relay_sends_its_agent_there(stack: Stack) -> None:
    stack.app.refuse_reports = "owned_elsewhere"
    assert (await closed(await stack.agent()))[0] == 1013


async def test_refused_report_that_tells_the_call_is_as_good_as_an_answer(stack: Stack) -> None:
    stack.app.state = "ringing"
    agent = await stack.agent()
    await stack.app.reported("watch")
    stack.app.end("caller_hangup")
    stack.app.refuse_reports = "call_over"
    assert (await message(agent, "stop"))["reason"] == "caller_hangup"


async def test_fault_in_a_report_is_survived_and_the_report_repeated(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = iter([RuntimeError("a fault")])
    asked = Control.report

    async def stumbling(control: Control, call_id: str, kind: str, why: str) -> Answer:
        for fault in faults:
            raise fault
        return await asked(control, call_id, kind, why)

    monkeypatch.setattr(Control, "report", stumbling)
    await stack.agent()
    await stack.app.reported("watch")


async def test_fault_in_an_attach_closes_the_socket_and_shows_nothing(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the secret")

    monkeypatch.setattr(Control, "attach_agent", broken)
    assert await closed(await stack.agent()) == (1011, "internal error")


async def test_second_start_on_one_stream_is_ignored(stack: Stack) -> None:
    provider, agent = await stack.both()
    await provider.send(json.dumps({**START, "streamSid": "MZ2"}))
    await agent.send(b"\x01" * 160)
    assert (await message(provider))["streamSid"] == "MZ1"


async def test_duration_that_is_over_ends_the_call(stack: Stack) -> None:
    stack.app.endings["max_duration"] = "max_duration"
    stack.app.ends_in_s = 0.3
    provider, agent = await stack.both()
    assert (await message(agent, "stop"))["reason"] == "max_duration"
    assert (await closed(provider))[0] == 1000


async def test_agent_that_does_not_read_loses_frames_and_is_told(stack: Stack) -> None:
    provider = await stack.provider()
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", stack.port))
    agent = await stack.agent(sock=narrow, max_queue=2)
    assert (await message(agent))["type"] == "start"
    frames = [bytes([n]) * 8000 for n in range(200)]
    for frame in frames:
        await provider.send(media(frame))
    await provider.close()
    got: list[bytes] = []
    ms = 0
    async with asyncio.timeout(5):
        while 8000 * len(got) + 8 * ms < 8000 * len(frames):
            item = await agent.recv()
            if isinstance(item, bytes):
                got.append(item)
            else:
                said = json.loads(item)
                assert (said["direction"], said["why"]) == ("to_agent", "slow_agent")
                ms += said["ms"]
    assert all(frame in frames for frame in got), "frames are dropped whole"
    assert len(got) * 1000 + ms == len(frames) * 1000, (
        "every millisecond was heard or accounted for"
    )
    assert stack.relay.counters.dropped["to_agent", "slow_agent"] > 50
