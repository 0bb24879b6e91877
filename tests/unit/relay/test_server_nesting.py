"""JSON that is nested too deep for any decoder: an ordinary error, and the socket goes on."""

from __future__ import annotations

import pytest

from common import media_stream
from tests.unit.relay.stack import Stack, audio, media, message, played

DEEP = ("[" * 200_000, '{"a":' * 100_000, '{"type":"mark","x":' + "[" * 200_000)
STREAM = '{"event":"media","media":' + '{"payload":' * 50_000


@pytest.mark.parametrize("text", DEEP)
async def test_deep_json_from_an_agent_is_answered_as_bad_json(stack: Stack, text: str) -> None:
    provider, agent = await stack.both()
    await agent.send(text)
    said = await message(agent, "error")
    assert said["code"] == ("bad_json" if "{" in text else "bad_field")
    await agent.send(b"\x01" * 160)
    assert await played(provider, 160) == b"\x01" * 160


async def test_deep_json_from_a_twilio_agent_is_ignored(stack: Stack) -> None:
    provider = await stack.provider()
    agent = await stack.agent("dialect=twilio")
    start = await message(agent, "start")
    await agent.send(STREAM)
    payload = media(b"\x01" * 160).replace("MZ1", start["streamSid"])
    await agent.send(payload)
    assert await played(provider, 160) == b"\x01" * 160


@pytest.mark.parametrize("text", [*DEEP, STREAM])
async def test_deep_json_from_a_provider_is_ignored(stack: Stack, text: str) -> None:
    provider, agent = await stack.both()
    await provider.send(text)
    await provider.send(media(b"\x01" * 160))
    assert await audio(agent, 160) == b"\x01" * 160


@pytest.mark.parametrize("text", [*DEEP, STREAM])
def test_no_media_stream_decoder_crashes_on_deep_json(text: str) -> None:
    raw = text.encode()
    assert media_stream.decode_media(raw) is None
    assert media_stream.MediaDecoder("MZ1")(raw) is None
    for parse in (media_stream.parse_from_provider, media_stream.parse_to_provider):
        with pytest.raises(ValueError, match="not a media stream message"):
            parse(raw)
