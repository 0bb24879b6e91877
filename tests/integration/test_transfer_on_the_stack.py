"""Tests of hold and transfer through the whole system, by the audio that each party hears: caller,
agent, and a third party on a trunk.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager

import numpy as np
import pytest

from local import listening
from local.agent import Talk
from local.carrier import carrier
from local.layout import HOST
from local.sip_phone import sip_phone
from tests.integration.test_two_trunks import connect
from tests.support.clips import clip, samples
from tests.support.ports import free_port

CALLED = "+33199001234"


@pytest.fixture
async def third_party(live, aclient):
    """A phone at a carrier to which the account's trunk is connected."""
    password = secrets.token_hex(8)
    phone_port, port = free_port(), free_port()
    async with (
        sip_phone(phone_port) as phone,
        carrier(port, "acct42", password, (HOST, phone_port)),
    ):
        await connect(aclient, "main", port, password, "+33199005678")
        try:
            yield phone
        finally:
            await aclient.trunks.disconnect(name="main")


@asynccontextmanager
async def conversation(live):
    """A caller and an agent who have heard each other."""
    talking = await live.answered(agents := clip("goodbye.wav", 1))
    await asyncio.wait_for(talking.talk.played.wait(), 10)
    await talking.call.wait_heard(agents)
    try:
        yield talking
    finally:
        talking.call.hangup()
        await talking.over()


def loudest(audio: bytes) -> int:
    return int(np.abs(samples(audio)).max()) if audio else 0


async def state_of(live, call_id, wanted):
    """Wait until the transfer is in a state; return the call."""
    async with asyncio.timeout(15):
        while True:
            call = await live.rest("GET", f"/api/call/{call_id}")
            if call.get("transfer", {}).get("state") == wanted:
                return call
            await asyncio.sleep(0.05)


def has(heard: bytes | bytearray, said: bytes) -> bool:
    """Return whether the clip is in what was heard. Its clock may have slipped on the way, as the
    third party's audio came over RTP.
    """
    return listening.follow(samples(said), samples(bytes(heard))).share > 0.6


async def talks(play, said: bytes, heard) -> None:
    """Play the clip until it is in what `heard()` returns: the way may be made just now."""
    for _ in range(4):
        await play(said)
        await asyncio.sleep(0.5)
        if has(heard(), said):
            return
    raise AssertionError("not heard")


async def test_a_held_caller_hears_music_and_neither_side_the_other(live):
    async with conversation(live) as talking:
        path = f"/api/call/{talking.call_id}"
        await live.rest("POST", f"{path}/hold")
        before, agents_before = len(talking.call.received), len(talking.talk.heard)
        await talking.call.play(callers := clip("caller.wav", 2))
        await talking.call.wait_frames(before + 100)
        music = talking.call.audio()[-80 * 160 :]
        assert loudest(music) > 1000
        assert not has(talking.talk.heard, callers)
        assert loudest(bytes(talking.talk.heard)[agents_before + 8000 :]) == 0
        resumed = await live.rest("POST", f"{path}/resume")
        assert "hold" not in resumed
        await talks(talking.call.play, callers, lambda: talking.talk.heard)
        frames = len(talking.call.received)
        await talking.call.wait_frames(frames + 50)
        assert loudest(talking.call.audio()[-20 * 160 :]) == 0


async def test_a_cold_transfer_lets_caller_and_third_party_hear_each_other(live, third_party):
    async with conversation(live) as talking:
        path = f"/api/call/{talking.call_id}"
        begun = await live.rest("POST", f"{path}/transfer", {"to": CALLED, "mode": "cold"})
        assert begun["transfer"]["state"] in ("dialling", "ringing")
        third = await third_party.answer_next(ring_s=1)
        await state_of(live, talking.call_id, "completed")
        await asyncio.wait_for(talking.running, 10)
        assert talking.talk.told[-1]["reason"] == "transferred"
        thirds, callers = clip("greeting.wav", 3), clip("caller.wav", 3)
        await asyncio.gather(
            talks(third.play, thirds, talking.call.audio),
            talks(talking.call.play, callers, lambda: third.heard),
        )
        await third.hang_up()
        await asyncio.wait_for(talking.call.ended.wait(), 5)
        over = await live.rest("GET", path)
        assert over["end_reason"] == "peer_ended"


@pytest.mark.deep
async def test_a_third_party_that_declines_gives_the_caller_back(live, third_party):
    async with conversation(live) as talking:
        path = f"/api/call/{talking.call_id}"
        await live.rest("POST", f"{path}/transfer", {"to": CALLED, "mode": "cold"})
        call = await third_party.next_call()
        third_party.talking(call).hang_up_at_once()
        failed = await state_of(live, talking.call_id, "failed")
        assert failed["state"] == "active"
        assert "hold" not in failed
        await talks(talking.call.play, clip("caller.wav", 2), lambda: talking.talk.heard)


@pytest.mark.deep
async def test_a_warm_transfer_lets_the_agent_talk_first(live, third_party):
    async with conversation(live) as talking:
        path = f"/api/call/{talking.call_id}"
        begun = await live.rest("POST", f"{path}/transfer", {"to": CALLED, "mode": "warm"})
        leg = await live.rest("GET", f"/api/call/{begun['transfer']['call_id']}")
        consulting = Talk(leg["audio"], "?format=mulaw")
        running = asyncio.create_task(consulting.run(agents := clip("goodbye.wav", 2)))
        third = await third_party.answer_next()
        await state_of(live, talking.call_id, "consulting")
        await asyncio.wait_for(consulting.played.wait(), 10)
        assert has(third.heard, agents)
        await live.rest("POST", f"{path}/transfer/complete")
        await asyncio.wait_for(asyncio.gather(running, talking.running), 10)
        assert consulting.told[-1]["reason"] == talking.talk.told[-1]["reason"] == "transferred"
        await talks(talking.call.play, clip("caller.wav", 3), lambda: third.heard)
        talking.call.hangup()
        await asyncio.wait_for(third.ended.wait(), 5)
