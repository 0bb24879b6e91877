"""The relay on real sockets, against a small application: audio, admission, coming back, drain."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from relay.control import Answer, Control
from relay.wire import pcm
from relay.wire.agent import choose_format
from tests.unit.relay import raw
from tests.unit.relay.fake_control import AGENT_TOKEN, PROVIDER_TOKEN
from tests.unit.relay.stack import START, Stack, audio, closed, media, message, played
from wire import g711


def tone(rate: int, hz: float, seconds: float) -> bytes:
    t = np.arange(int(rate * seconds)) / rate
    return (np.sin(2 * np.pi * hz * t) * 8000).astype("<i2").tobytes()


def pitch(pcm: bytes, rate: int) -> float:
    samples = np.frombuffer(pcm, "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def params(query: str) -> tuple[str | None, str | None]:
    given = dict(part.split("=") for part in query.split("&"))
    return given.get("format"), given.get("rate")


# Audio


async def test_mulaw_arrives_byte_for_byte_both_ways(stack: Stack) -> None:
    provider, agent = await stack.both()
    caller = bytes(np.random.default_rng(1).integers(0, 256, 8000, np.uint8))
    speech = bytes(np.random.default_rng(2).integers(0, 256, 20000, np.uint8))
    for at in range(0, len(caller), 160):
        await provider.send(media(caller[at : at + 160]))
    await agent.send(speech)
    assert await audio(agent, len(caller)) == caller
    assert await played(provider, len(speech)) == speech


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
async def test_pcm_carries_the_same_tone_both_ways(stack: Stack, rate: int) -> None:
    provider, agent = await stack.both(f"format=pcm_s16le&rate={rate}")
    caller = g711.encode(tone(8000, 1000, 0.5))
    for at in range(0, len(caller), 160):
        await provider.send(media(caller[at : at + 160]))
    assert pitch(await audio(agent, rate), rate) == pytest.approx(1000, abs=4)
    speech = tone(rate, 700, 0.5)
    for at in range(0, len(speech), 641):
        await agent.send(speech[at : at + 641])
    assert pitch(g711.decode(await played(provider, 4000)), 8000) == pytest.approx(700, abs=4)


async def test_fragmented_audio_is_put_together(stack: Stack) -> None:
    provider, agent = await stack.both()
    await agent.send([b"\x01" * 100, b"\x02" * 100, b"\x03" * 100])
    assert await played(provider, 300) == b"\x01" * 100 + b"\x02" * 100 + b"\x03" * 100


async def test_audio_that_came_before_the_application_answered_is_not_lost(stack: Stack) -> None:
    agent = await stack.agent()
    await stack.app.reported("watch")
    stack.app.gate.clear()
    provider = await stack.provider()
    await provider.send(media(b"\x01" * 160))
    await provider.send('{"event":"dtmf","dtmf":{"digit":"7"},"streamSid":"MZ1"}')
    await provider.ping()
    stack.app.gate.set()
    assert await audio(agent, 160) == b"\x01" * 160
    assert await message(agent) == {"type": "dtmf", "digit": "7"}


@pytest.mark.parametrize("query", ["format=mulaw", "rate=8000", "rate=16000", "rate=24000"])
async def test_the_last_two_seconds_wait_for_an_agent_and_then_live_audio_goes_on(
    stack: Stack, query: str
) -> None:
    transcode, _ = pcm.transcoders(choose_format(None, *params(query)))
    provider = await stack.provider()
    words = bytes(np.random.default_rng(3).integers(0, 256, 20_000, np.uint8))
    for at in range(0, 17_600, 160):
        await provider.send(media(words[at : at + 160]))
    await (await provider.ping())
    agent = await stack.agent(query)
    assert (await message(agent))["resumed"] is False
    await provider.send(media(words[17_600:]))
    heard = words[1_600:] if transcode is None else transcode(words[1_600:])
    assert await audio(agent, len(heard)) == heard
    assert not stack.relay.counters.dropped["to_agent", "slow_agent"]


async def test_a_slow_application_costs_the_oldest_of_what_the_caller_says(stack: Stack) -> None:
    agent = await stack.agent()
    await stack.app.reported("watch")
    stack.app.gate.clear()
    provider = await stack.provider()
    for n in range(120):
        await provider.send(media(bytes([n]) * 160))
    await (await provider.ping())
    stack.app.gate.set()
    assert await audio(agent, 16_000) == b"".join(bytes([n]) * 160 for n in range(20, 120))
    assert stack.relay.counters.dropped["to_agent", "no_agent"] == 20


# Messages


async def test_marks_and_clear(stack: Stack) -> None:
    provider, agent = await stack.both()
    await agent.send('{"type":"mark","name":"one"}')
    first = await message(provider, "mark")
    await provider.send(json.dumps(first))
    assert await message(agent) == {"type": "mark", "name": "one", "played": True}
    await agent.send('{"type":"mark","name":"two"}')
    second = await message(provider, "mark")
    await agent.send('{"type":"clear"}')
    assert await message(agent) == {"type": "mark", "name": "two", "played": False}
    assert (await message(provider)) == {"event": "clear", "streamSid": "MZ1"}
    await provider.send(json.dumps(second))
    await provider.send('{"event":"dtmf","dtmf":{"digit":"#"},"streamSid":"MZ1"}')
    assert await message(agent) == {"type": "dtmf", "digit": "#"}


async def test_hangup_ends_the_call_for_both(stack: Stack) -> None:
    stack.app.endings["agent_hangup"] = "agent_hangup"
    provider, agent = await stack.both()
    await agent.send('{"type":"hangup"}')
    assert await message(agent) == {"type": "stop", "reason": "agent_hangup", "state": "ended"}
    assert (await closed(agent))[0] == 1000
    assert (await closed(provider))[0] == 1000


async def test_senseless_messages_are_answered_then_closed(stack: Stack) -> None:
    _, agent = await stack.both()
    for _ in range(20):
        await agent.send("nonsense")
    assert (await message(agent))["code"] == "bad_json"
    assert (await closed(agent))[0] == 4400


async def test_what_the_provider_says_that_is_unknown_is_let_pass(stack: Stack) -> None:
    provider, agent = await stack.both()
    for odd in ("nonsense", '{"event":"later"}', json.dumps(START), b"binary"):
        await provider.send(odd)
    await provider.send(media(b"\x05" * 160))
    assert await audio(agent, 160) == b"\x05" * 160


# Admission


async def test_attach_carries_the_public_url_and_the_signature(stack: Stack) -> None:
    await stack.both()
    by_leg = {body["leg"]: body for body in stack.app.attaches}
    assert by_leg["provider"]["handshake"] == {
        "url": f"wss://relay.example/media/provider/{PROVIDER_TOKEN}",
        "signature": "signed",
    }
    assert by_leg["agent"]["call_id"] == "call_1"


async def test_token_may_come_as_bearer(stack: Stack) -> None:
    await stack.provider()
    headers = {"Authorization": f"Bearer {AGENT_TOKEN}"}
    agent = await stack.open("/media/agent/call_1", additional_headers=headers)
    assert (await message(agent))["audio"]["sample_rate"] == 16000


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("format=opus", "format"),
        ("rate=44100", "rate"),
        ("format=mulaw&rate=16000", "mulaw"),
        ("dialect=telnyx", "dialect"),
        ("dialect=twilio&format=pcm_s16le", "twilio"),
        ("dialect=twilio&rate=16000", "twilio"),
    ],
)
async def test_wrong_format_is_closed_with_the_reason(
    stack: Stack, query: str, reason: str
) -> None:
    code, said = await closed(await stack.agent(query))
    assert code == 4400
    assert reason in said


@pytest.mark.parametrize("path", ["/media/agent/call_1", "/media/agent/call_1?token=wrong"])
async def test_agent_without_a_good_token_is_closed(stack: Stack, path: str) -> None:
    assert (await closed(await stack.open(path)))[0] == 4401


async def test_provider_with_a_wrong_token_is_closed(stack: Stack) -> None:
    assert (await closed(await stack.open("/media/provider/wrong")))[0] == 4401


async def test_provider_of_a_ringing_call_is_closed(stack: Stack) -> None:
    stack.app.state = "ringing"
    assert (await closed(await stack.provider()))[0] == 4409


async def test_call_that_is_over_takes_nobody(stack: Stack) -> None:
    stack.app.end("caller_hangup")
    assert (await closed(await stack.provider()))[0] == 4410
    assert (await closed(await stack.agent()))[0] == 4410


async def test_application_that_stumbles_is_asked_again(stack: Stack) -> None:
    stack.app.broken = 2
    await stack.provider()
    await stack.both()


async def test_application_that_stays_broken_means_try_again_later(stack: Stack) -> None:
    stack.app.broken = 99
    assert (await closed(await stack.agent()))[0] == 1013
    assert (await closed(await stack.provider()))[0] == 1013


async def test_provider_that_says_nothing_is_closed(stack: Stack) -> None:
    assert (await closed(await stack.provider(start=None)))[0] == 4408


async def test_start_of_another_call_is_closed(stack: Stack) -> None:
    other = {**START, "start": {**START["start"], "callSid": "CA2"}}  # type: ignore[dict-item]
    assert (await closed(await stack.provider(other)))[0] == 4403


# Waiting and coming back


async def test_agent_is_held_while_it_rings_and_hears_of_a_miss(stack: Stack) -> None:
    stack.app.state = "ringing"
    agent = await stack.agent()
    await stack.app.reported("watch")
    stack.app.state, stack.app.end_reason = "missed", "ring_timeout"
    assert await message(agent) == {"type": "stop", "reason": "ring_timeout", "state": "missed"}
    assert (await closed(agent))[0] == 1000


async def test_agent_comes_back_within_its_grace(stack: Stack) -> None:
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


async def test_stream_that_stops_ends_with_the_call(stack: Stack) -> None:
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


# Limits


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


# The port


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
