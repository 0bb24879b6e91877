"""Admission to the relay on real sockets, and the answers to those that are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.unit.relay.fake_control import AGENT_TOKEN, PROVIDER_TOKEN, SECRET, agent_token
from tests.unit.relay.stack import START, Stack, closed, message


async def test_attach_carries_the_public_url_and_the_signature(stack: Stack) -> None:
    await stack.both()
    by_leg = {body["leg"]: body for body in stack.app.attaches}
    assert by_leg["provider"]["handshake"] == {
        "url": f"wss://relay.example/media/provider/{PROVIDER_TOKEN}",
        "signature": "signed",
    }
    assert by_leg["agent"]["call_id"] == "call_1"


async def test_the_token_may_be_a_bearer_token(stack: Stack) -> None:
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
        ("if_free=yes", "if_free"),
        ("if_free", "if_free"),
    ],
)
async def test_wrong_format_is_closed_with_the_reason(
    stack: Stack, query: str, reason: str
) -> None:
    code, said = await closed(await stack.agent(query))
    assert code == 4400
    assert reason in said


async def refused(stack: Stack, path: str, **options: Any) -> tuple[int, str]:
    """Status and body of the answer to an upgrade."""
    with pytest.raises(InvalidStatus) as no:
        await stack.open(path, **options)
    response = no.value.response
    return response.status_code, response.body.decode()


FORGED = agent_token("call_1", secret="a guess")
OTHERS = agent_token("call_2")
EXPIRED = agent_token("call_1", expires_s=1_700_000_000)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/media/agent/call_1", "no token"),
        ("/media/agent/call_1?token=wrong", "malformed"),
        (f"/media/agent/call_1?token={FORGED}", "not signed"),
        (f"/media/agent/call_1?token={OTHERS}", "another call's"),
        (f"/media/agent/call_1?token={EXPIRED}", "expired"),
        (f"/media/agent/call_1?token={PROVIDER_TOKEN}", "provider's"),
        ("/media/provider/wrong", "malformed"),
        (f"/media/provider/{PROVIDER_TOKEN}x", "not signed"),
        (f"/media/provider/{AGENT_TOKEN}", "agent's"),
    ],
)
async def test_a_bad_token_is_answered_401_without_a_request_to_the_application(
    stack: Stack, path: str, why: str
) -> None:
    status, said = await refused(stack, path)
    assert status == 401
    assert why in said
    assert stack.app.attaches == []
    assert not stack.relay.counters.legs


async def test_a_token_of_the_former_secret_is_good_while_that_secret_is_accepted(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotated = replace(stack.relay._config, control_secret=f"new,{SECRET}")
    monkeypatch.setattr(stack.relay, "_config", rotated)
    await stack.both()
    monkeypatch.setattr(stack.relay, "_config", replace(rotated, control_secret="new"))
    assert (await refused(stack, f"/media/agent/call_1?token={AGENT_TOKEN}"))[0] == 401


async def test_a_call_that_the_application_does_not_know_is_closed_after_the_upgrade(
    stack: Stack,
) -> None:
    unknown = await stack.open(f"/media/agent/call_9?token={agent_token('call_9')}")
    assert (await closed(unknown))[0] == 4401


# Browsers, which can set no header


async def test_the_token_may_be_a_subprotocol_which_is_not_repeated(stack: Stack) -> None:
    await stack.provider()
    offered = ["chamade.v1", f"chamade.token.{AGENT_TOKEN}"]
    agent = await stack.open("/media/agent/call_1?format=mulaw", subprotocols=offered)
    assert agent.subprotocol == "chamade.v1"
    assert (await message(agent))["type"] == "start"


async def test_a_forged_token_in_a_subprotocol_is_answered_401(stack: Stack) -> None:
    offered = ["chamade.v1", f"chamade.token.{FORGED}"]
    assert (await refused(stack, "/media/agent/call_1", subprotocols=offered))[0] == 401


async def test_the_header_wins_over_the_subprotocol_and_that_over_the_query(
    stack: Stack,
) -> None:
    good, offered = {"Authorization": f"Bearer {AGENT_TOKEN}"}, [f"chamade.token.{FORGED}"]
    path = f"/media/agent/call_1?token={AGENT_TOKEN}"
    assert (await refused(stack, path, subprotocols=offered))[0] == 401
    agent = await stack.open(
        "/media/agent/call_1?token=x", additional_headers=good, subprotocols=["chamade.v1"]
    )
    assert agent.subprotocol == "chamade.v1"


async def test_without_subprotocols_none_is_agreed_to(stack: Stack) -> None:
    assert (await stack.agent()).subprotocol is None


async def test_provider_of_a_ringing_call_is_closed(stack: Stack) -> None:
    stack.app.state = "ringing"
    assert (await closed(await stack.provider()))[0] == 4409


async def test_a_call_that_is_over_admits_nobody(stack: Stack) -> None:
    stack.app.end("caller_hangup")
    assert (await closed(await stack.provider()))[0] == 4410
    assert (await closed(await stack.agent()))[0] == 4410


async def test_an_attach_is_repeated_after_a_server_error(stack: Stack) -> None:
    stack.app.broken = 2
    await stack.provider()
    await stack.both()


async def test_a_socket_is_closed_with_1013_if_the_application_stays_broken(stack: Stack) -> None:
    stack.app.broken = 99
    assert (await closed(await stack.agent()))[0] == 1013
    assert (await closed(await stack.provider()))[0] == 1013


async def test_a_provider_that_sends_no_start_is_closed(stack: Stack) -> None:
    assert (await closed(await stack.provider(start=None)))[0] == 4408


async def test_start_of_another_call_is_closed(stack: Stack) -> None:
    other = {**START, "start": {**START["start"], "callSid": "CA2"}}  # type: ignore[dict-item]
    assert (await closed(await stack.provider(other)))[0] == 4403
