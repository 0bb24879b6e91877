"""`?dialect=twilio` on the agent's socket: Twilio's messages, both ways."""

from __future__ import annotations

import base64
import json
from typing import Any

from websockets.asyncio.client import ClientConnection

from tests.unit.relay.stack import Stack, closed, media, message, played


async def twilio(stack: Stack, query: str = "dialect=twilio") -> tuple[ClientConnection, str]:
    """An agent that came by itself, after its `start`; and its stream's SID."""
    agent = await stack.agent(query)
    assert (await message(agent))["event"] == "connected"
    start = await message(agent)
    assert start["event"] == "start"
    return agent, start["streamSid"]


def says(event: str, sid: str, **more: Any) -> str:
    return json.dumps({"event": event, "streamSid": sid, **more})


def sound(sid: str, ulaw: bytes) -> str:
    return says("media", sid, media={"payload": base64.b64encode(ulaw).decode()})


async def test_start_describes_the_call_as_twilio_does(stack: Stack) -> None:
    stack.app.metadata = {"customer": "A7"}
    await stack.provider()
    agent = await stack.agent("dialect=twilio&format=mulaw&rate=8000")
    connected, start = await message(agent), await message(agent)
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    detail = start["start"]
    assert (detail["accountSid"], detail["callSid"]) == ("AC1", "CA1")
    assert detail["streamSid"] == start["streamSid"] != "MZ1"
    assert detail["customParameters"] == {
        "call_id": "call_1", "direction": "inbound", "from": "+33612345678",
        "to": "+15555500103", "line": "+15555500103", "customer": "A7",
    }  # fmt: skip
    assert "keys" not in detail


async def test_audio_goes_both_ways_byte_for_byte(stack: Stack) -> None:
    provider = await stack.provider()
    agent, sid = await twilio(stack)
    caller = bytes(range(256)) * 5
    for at in range(0, len(caller), 160):
        await provider.send(media(caller[at : at + 160]))
    heard = [await message(agent, "media") for _ in range(len(caller) // 160)]
    assert b"".join(base64.b64decode(m["media"]["payload"]) for m in heard) == caller
    assert [m["media"]["timestamp"] for m in heard] == [str(20 * n) for n in range(len(heard))]
    assert [m["sequenceNumber"] for m in heard] == [str(n + 2) for n in range(len(heard))]
    speech = bytes(reversed(range(256))) * 70
    await agent.send(sound(sid, speech))
    await agent.send([sound(sid, b"\x01" * 160)[:50], sound(sid, b"\x01" * 160)[50:]])
    assert await played(provider, len(speech) + 160) == speech + b"\x01" * 160


async def test_marks_come_back_when_played_and_when_cleared(stack: Stack) -> None:
    provider = await stack.provider()
    agent, sid = await twilio(stack)
    await agent.send(says("mark", sid, mark={"name": "one"}))
    await provider.send(json.dumps(await message(provider, "mark")))
    first = await message(agent)
    assert (first["event"], first["mark"], first["streamSid"]) == ("mark", {"name": "one"}, sid)
    await agent.send(sound(sid, b"\x01" * 8000))
    await agent.send(says("mark", sid, mark={"name": "two"}))
    await agent.send(says("clear", sid))
    assert (await message(agent))["mark"] == {"name": "two"}
    assert (await message(provider, "clear", "mark"))["event"] == "mark"
    assert (await message(provider, "clear", "mark"))["event"] == "clear"


async def test_keys_and_the_end_of_the_call_are_sent(stack: Stack) -> None:
    stack.app.endings["agent_lost"] = "x"
    provider = await stack.provider()
    agent, sid = await twilio(stack)
    await provider.send('{"event":"dtmf","dtmf":{"track":"x","digit":"5"},"streamSid":"MZ1"}')
    key = await message(agent)
    assert key == {"event": "dtmf", "sequenceNumber": "2", "streamSid": sid,
                   "dtmf": {"track": "inbound_track", "digit": "5"}}  # fmt: skip
    stack.app.end("caller_hangup")
    await provider.close()
    assert await message(agent) == {
        "event": "stop", "sequenceNumber": "3", "streamSid": sid,
        "stop": {"accountSid": "AC1", "callSid": "CA1"},
    }  # fmt: skip
    assert (await closed(agent))[0] == 1000


async def test_malformed_messages_are_ignored_and_logged_a_few_times(stack: Stack, caplog) -> None:
    provider = await stack.provider()
    agent, sid = await twilio(stack)
    for _ in range(30):
        await agent.send("nonsense")
        await agent.send(sound("MZ-of-another", b"\x02" * 160))
    await agent.send(b"binary")
    await agent.send(sound(sid, b"\x01" * 160))
    assert await played(provider, 160) == b"\x01" * 160
    noted = [r.code for r in caplog.records if getattr(r, "code", "")]
    assert noted.count("bad_message") == noted.count("bad_stream_sid") == 5
    assert "binary" in noted


async def test_marks_beyond_the_limit_come_back_at_once(stack: Stack) -> None:
    await stack.provider()
    agent, sid = await twilio(stack)
    for n in range(257):
        await agent.send(says("mark", sid, mark={"name": str(n)}))
    assert (await message(agent))["mark"] == {"name": "256"}


async def test_a_twilio_agent_waits_for_the_stream(stack: Stack) -> None:
    agent = await stack.agent("dialect=twilio")
    await stack.app.reported("watch")
    provider = await stack.provider()
    assert (await message(agent))["event"] == "connected"
    await message(agent, "start")
    await provider.send(media(b"\x03" * 160))
    got = await message(agent)
    assert base64.b64decode(got["media"]["payload"]) == b"\x03" * 160


async def test_the_first_words_are_kept_for_a_twilio_agent(stack: Stack) -> None:
    provider = await stack.provider()
    words = bytes(range(256)) * 5
    for at in range(0, len(words), 160):
        await provider.send(media(words[at : at + 160]))
    await (await provider.ping())
    agent, _ = await twilio(stack)
    await provider.send(media(b"\x03" * 160))
    heard = [await message(agent) for _ in range(len(words) // 160 + 1)]
    said = b"".join(base64.b64decode(m["media"]["payload"]) for m in heard)
    assert said == words + b"\x03" * 160
    assert [m["media"]["timestamp"] for m in heard] == [str(20 * n) for n in range(len(heard))]


async def test_closing_is_no_hang_up_for_an_agent_that_came_by_itself(stack: Stack) -> None:
    await stack.provider()
    agent, sid = await twilio(stack)
    await agent.close()
    _, new_sid = await twilio(stack)
    assert new_sid != sid
    assert not stack.app.bodies


async def test_an_agent_may_be_replaced_by_one_of_the_other_dialect(stack: Stack) -> None:
    provider = await stack.provider()
    agent, sid = await twilio(stack)
    await agent.send(says("mark", sid, mark={"name": "old"}))
    echo = await message(provider, "mark")
    own = await stack.agent("format=mulaw")
    assert (await message(own))["type"] == "start"
    assert (await closed(agent))[0] == 4409
    await provider.send(json.dumps(echo))
    assert await message(own) == {"type": "mark", "name": "old", "played": True}
    await own.send('{"type":"mark","name":"newer"}')
    echo = await message(provider, "mark")
    newest, _ = await twilio(stack)
    await provider.send(json.dumps(echo))
    await provider.send(media(b"\x03" * 160))
    assert (await message(newest))["event"] == "media", "marks of another stream are not its own"
    assert (await closed(own))[0] == 4409
