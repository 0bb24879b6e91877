"""Tests of the Python client, synchronous and asynchronous, on a running stack: it dials, manages
the account, and reads events.
"""

from __future__ import annotations

import asyncio
import secrets

import pytest

from chamade import Client, Conflict, Forbidden, NotFound
from gateway.softphone import wav
from local import listening
from tests.support.client_line import caller_on, connected_trunk
from tests.support.clips import AUDIO, WITHIN_S, samples


async def test_a_call_is_dialled_talked_on_and_hung_up(client, aclient):
    async with asyncio.timeout(60), connected_trunk(aclient) as (phone, uri):
        answering = asyncio.create_task(phone.answer_next())

        def dial():
            number = uri.removeprefix("sip:").partition("@")[0]
            with client.call(number, rate=8000, metadata={"for": "a test"}) as call:
                assert call.info.state == "connecting"
                assert call.answered()
                assert call.audio.play(str(AUDIO / "goodbye.wav"))
                call.audio.play(bytes(8000))
            return call

        call = await asyncio.wait_for(asyncio.to_thread(dial), 30)
        talking = await answering
        await asyncio.wait_for(talking.ended.wait(), WITHIN_S)
        spoken = wav.read(AUDIO / "goodbye.wav")
        # Most of it: across SIP a machine that is busy with other tests tears a hole into it.
        assert listening.follow(samples(spoken), samples(talking.heard)).share > 0.7
        over = client.calls.get(call.id)
        assert (over.state, over.end_reason, over.metadata) == (
            "ended", "agent_hangup", {"for": "a test"},
        )  # fmt: skip


def test_creating_twice_with_one_idempotency_key_creates_once(client):
    key = secrets.token_hex(8)
    once, twice = (client.numbers.activate(idempotency_key=key) for _ in range(2))
    assert once == twice
    client.numbers.release(once.e164)
    assert once.e164 not in [number.e164 for number in client.numbers.list()]


def test_the_client_manages_accounts_keys_and_tokens(client, live):
    made = client.keys.create("laptop")
    with Client(live.stack["api_url"], made.key) as other:
        assert other.account.get().account_id == client.account.get().account_id
        assert other.account.agent_token() == client.account.agent_token()
    client.keys.revoke(made.key_id)
    with pytest.raises(NotFound):
        client.keys.revoke(made.key_id)
    with Client(live.stack["api_url"]) as nobody:
        new = nobody.account.create("Somebody else")
    with Client(live.stack["api_url"], new.key) as other:
        assert list(other.calls.list()) == []
        with pytest.raises(Conflict):
            other.keys.revoke(other.keys.list()[0].key_id)


async def test_hosted_speech_is_refused_without_the_beta(live, client, line):
    caller = await caller_on(live, line)
    ringing = await asyncio.to_thread(next, client.incoming(line))
    with pytest.raises(Forbidden) as gated:
        client.calls.say(ringing.call.call_id, "Hello")
    assert gated.value.code == "hosted_voice_gated"
    assert client.calls.refuse(ringing.call.call_id).state == "declined"
    await asyncio.wait_for(caller.ended.wait(), WITHIN_S)


async def test_events_resume_after_the_last_handled_one(live, aclient, line):
    async def of_this_line(events):
        async for event in events:
            if event.call is not None and event.call.line == line:
                return event
        raise AssertionError("events never end")

    async with asyncio.timeout(30):
        events = aclient.events("latest")
        await events.begin()
        caller = await caller_on(live, line)
        ringing = await of_this_line(events)
        caller.hangup()
        missed = await of_this_line(events)
        assert (ringing.type, missed.type) == ("call.ringing", "call.missed")
        again = await of_this_line(aclient.events(events.cursor))
        assert again == missed
