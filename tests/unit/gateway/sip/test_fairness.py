"""Tests that a trunk that dials all it can takes nothing from another."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter

import numpy as np
import pytest

from gateway.calls.leg import Release
from gateway.config import Config
from tests.sip.peers import Rtp
from tests.sip.peers.registrar import Registrar, busy, rings
from tests.unit.gateway.sip.conftest import TRUNK_A, TRUNK_B, applied, dialled, sip_legs, trunk

LOUD, QUIET = TRUNK_A, TRUNK_B
DIALS, CALLER_IDS = 1000, 100
DONE = Release("completed", 200, "")
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
MOST = Config.__dataclass_fields__["max_calls_per_trunk"].default


@pytest.fixture
async def legs():
    """The SIP of a gateway with ports enough."""
    async with sip_legs(rtp_ports=(10_000, 19_999)) as legs:
        yield legs


async def dials_all_it_can(legs):
    """A thousand dials, by a hundred caller IDs; ten at a time, as REST calls come."""
    for nth in range(DIALS):
        yield dialled(legs, LOUD, f"+3319900{nth % CALLER_IDS:04}")
        if nth % 10 == 9:
            await asyncio.sleep(0.015)


async def settled(legs, left=0):
    async with asyncio.timeout(30):
        while len(legs._legs) > left:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


async def both(legs, loud, quiet):
    await applied(legs, trunk(LOUD, loud.port), until="registered")
    await applied(
        legs, dataclasses.replace(trunk(QUIET, quiet.port), username="quiet"), until="registered"
    )


@pytest.mark.deep
async def test_a_thousand_ringing_dials_hold_no_more_places_than_their_trunk_has(legs):
    async with Registrar(rings) as loud, Registrar(rings) as quiet:
        await both(legs, loud, quiet)
        calls = [each async for each in dials_all_it_can(legs)]
        over = [call.events[0] for _, call in calls if call.events and call.events[0][1:]]
        assert len(over) == DIALS - MOST
        assert set(over) == {
            ("on_hangup", 503, "this trunk has as many calls as it may have at a time")
        }
        await loud.until(lambda: len({m.get("call-id") for m in loud.invites}) == MOST, 20)
        leg, call = dialled(legs, QUIET, "+33199005678")
        await call.hears("on_ringing")
        leg.hangup(DONE)
        for each, _ in calls:
            each.hangup(DONE)
        await settled(legs)
        leg, call = dialled(legs, LOUD, "+33199005678")
        await call.hears("on_ringing")  # its places are its own again
        leg.hangup(DONE)


@pytest.mark.deep
async def test_a_thousand_refused_dials_do_not_disturb_another_trunks_audio(legs):
    async with Registrar(busy) as loud, Registrar(lambda _: "200 OK") as quiet, Rtp() as rtp:
        quiet.sdp = SDP.format(port=rtp.port)
        await both(legs, loud, quiet)
        talking, call = dialled(legs, QUIET, "+33199005678")
        await call.hears("on_answered")
        playing = asyncio.create_task(rtp.play(np.full(8000 * 5, 1000, np.int16), media_of(quiet)))
        await call.hears("on_audio")
        loop = asyncio.get_running_loop()
        began, before = loop.time(), frames(call)
        calls = [each async for each in dials_all_it_can(legs)]
        await settled(legs, left=1)
        second, another = dialled(legs, QUIET, "+33199005679")
        await another.hears("on_answered")
        took, received = loop.time() - began, frames(call) - before
        playing.cancel()
        codes = Counter(call.events[0][1] for _, call in calls)
        print(f"{took:.1f} s, {dict(codes)}, {received} frames received")
        assert codes[486] >= MOST
        assert codes[486] + codes[503] == DIALS
        assert {name for name, *_ in call.events} <= {"on_ringing", "on_answered", "on_audio"}
        assert received > 0.9 * took / 0.02
        for leg in (talking, second):
            leg.hangup(DONE)
        await settled(legs)


def media_of(registrar):
    lines = registrar.invites[0].body.splitlines()
    port = next(line for line in lines if line.startswith("m=audio ")).split()[1]
    return "127.0.0.1", int(port)


def frames(call):
    return sum(1 for name, *_ in call.events if name == "on_audio")
