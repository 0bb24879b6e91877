"""Messages that are too long, malformed or late, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket

import pytest
from websockets.exceptions import ConnectionClosed

from relay.network.control import Answer, Control
from tests.unit.relay import raw
from tests.unit.relay.fake_control import AGENT_TOKEN
from tests.unit.relay.stack import START, Stack, closed, media, message, played


async def test_a_message_over_a_mebibyte_closes_the_socket(stack: Stack) -> None:
    _, agent = await stack.both()
    with contextlib.suppress(ConnectionClosed):
        await agent.send(bytes(2 << 20))
    assert (await closed(agent))[0] == 1009


async def test_fragments_over_a_mebibyte_close_the_socket(stack: Stack) -> None:
    _, agent = await stack.both()
    with contextlib.suppress(ConnectionClosed):
        await agent.send([bytes(600_000), bytes(600_000)])
    assert (await closed(agent))[0] == 1009


async def test_text_that_is_not_utf8_closes_the_socket(stack: Stack) -> None:
    _, agent = await stack.both()
    await agent.send(b"\xff\xfe", text=True)
    assert (await closed(agent))[0] == 1007


NOT_UTF8 = b'{"event":"media","media":{"payload":"AQID"},"streamSid":"MZ1\xff"}'


async def test_audio_of_a_stream_whose_name_is_not_utf8_closes_the_provider(stack: Stack) -> None:
    provider, _ = await stack.both()
    await provider.send(NOT_UTF8, text=True)
    assert (await closed(provider))[0] == 1007


async def test_audio_of_a_stream_whose_name_is_not_utf8_closes_a_twilio_agent(stack: Stack) -> None:
    await stack.provider()
    agent = await stack.agent("dialect=twilio")
    await message(agent, "start")
    await agent.send(NOT_UTF8, text=True)
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
async def test_broken_framing_closes_the_socket(
    stack: Stack, frames: list[tuple[int, bool, int]]
) -> None:
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


async def test_a_bounded_number_of_an_agents_texts_is_kept_before_admission(stack: Stack) -> None:
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


async def test_an_agent_of_a_call_that_moved_is_told_to_connect_again(stack: Stack) -> None:
    stack.app.refuse_reports = "owned_elsewhere"
    assert (await closed(await stack.agent()))[0] == 1013


async def test_a_refused_report_with_the_calls_status_counts_as_an_answer(stack: Stack) -> None:
    stack.app.state = "ringing"
    agent = await stack.agent()
    await stack.app.reported("watch")
    stack.app.end("caller_hangup")
    stack.app.refuse_reports = "call_over"
    assert (await message(agent, "stop"))["reason"] == "caller_hangup"


async def test_a_report_is_repeated_after_an_internal_error(
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


async def test_an_internal_error_in_an_attach_closes_the_socket_without_details(
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


async def test_the_end_of_the_longest_duration_ends_the_call(stack: Stack) -> None:
    stack.app.endings["max_duration"] = "max_duration"
    stack.app.ends_in_s = 0.3
    provider, agent = await stack.both()
    assert (await message(agent, "stop"))["reason"] == "max_duration"
    assert (await closed(provider))[0] == 1000


async def test_an_agent_that_does_not_read_loses_frames_and_is_told(stack: Stack) -> None:
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
