"""Who is let in to the relay, and what the others are told."""

from __future__ import annotations

import pytest

from tests.unit.relay.fake_control import AGENT_TOKEN, PROVIDER_TOKEN
from tests.unit.relay.stack import START, Stack, closed, message


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
