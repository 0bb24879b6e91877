"""Calls that a carrier's phone makes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from typing import Any

from tests.load.sip_long import application as app
from tests.load.sip_long.nonsense import nonsense
from tests.load.sip_long.phone import WITHIN_S, Phone
from tests.load.sip_long.world import RTP_TIMEOUT_S, World, ends, until

SESSION_S = 90
"""The session interval: the shortest that is taken."""


def _call_in(world: World, what: str, *, phone: Phone | None = None, **more: Any) -> Phone:
    phone = phone or Phone(world.carrier)
    caller = f"+3361{random.randrange(10**8):08d}"
    try:
        world.carrier.dial(phone, app.number(app.CALLED_IN, what), caller, **more)
    except BaseException:
        phone.close()
        raise
    return phone


async def _up(world: World, what: str = app.TALKS, **more: Any) -> Phone:
    phone = _call_in(world, what, **more)
    await phone.is_up()
    await phone.hears_itself()
    return phone


async def in_talks(world: World) -> Phone:
    phone = await _up(world)
    await world.talks(8)
    await phone.hears_itself()
    await phone.hangs_up()
    return phone


async def in_is_hung_up(world: World) -> Phone:
    phone = await _up(world, app.HANGS_UP)
    assert (await phone.is_over()).status == 200
    return phone


async def in_presses_keys(world: World) -> Phone:
    phone = await _up(world)
    for key in "5#":
        assert phone.audio is not None
        phone.audio.press(key)
        await phone.hears_key(key)
    await phone.hangs_up()
    return phone


async def in_presses_keys_by_info(world: World) -> Phone:
    phone = await _up(world)
    for key in "7*":
        phone.command("press", key)
        await phone.hears_key(key)
    await phone.hangs_up()
    return phone


async def in_holds_and_resumes(world: World) -> Phone:
    phone = await _up(world)
    for direction in ("sendonly", "sendrecv"):
        agreed = phone.agreed
        phone.command("hold", direction)
        await until(lambda before=agreed: phone.agreed > before or phone.ended.is_set())
        await world.talks(2)
    await phone.hears_itself()
    await phone.hangs_up()
    return phone


async def in_cancels(world: World) -> Phone:
    phone = _call_in(world, app.RINGS)
    async with asyncio.timeout(WITHIN_S):
        await phone.ringing.wait()
    await world.talks(2)
    phone.command("hangup")
    await ends(phone, 487)
    return phone


async def in_cancels_at_once(world: World) -> Phone:
    phone = _call_in(world, app.TALKS)
    await asyncio.sleep(random.uniform(0, 0.1))
    phone.command("hangup")
    await phone.is_over()  # with 487, or 200 if the answer was quicker
    return phone


async def in_is_busy(world: World) -> Phone:
    phone = _call_in(world, app.BUSY)
    await ends(phone, 486)
    return phone


async def in_is_declined(world: World) -> Phone:
    phone = _call_in(world, app.DECLINES)
    await ends(phone, 404)
    return phone


async def in_offers_nonsense(world: World) -> Phone:
    phone = Phone(world.carrier, media=nonsense())
    _call_in(world, app.TALKS, phone=phone)
    await ends(phone, 400, 415, 488)
    return phone


async def in_is_encrypted(world: World) -> Phone:
    phone = await _up(world, phone=Phone(world.carrier, srtp="required"))
    await world.talks(8)
    await phone.hears_itself()
    await phone.hangs_up()
    return phone


async def in_refreshes_its_session(world: World) -> Phone:
    phone = await _up(world, session_expires=SESSION_S)
    assert phone.call is not None
    assert phone.call.session_timer.interval == SESSION_S
    await asyncio.sleep((SESSION_S + 15) * min(world.pace, 1.0))
    await phone.hears_itself()
    await phone.hangs_up()
    return phone


async def in_vanishes(world: World) -> Phone:
    phone = await _up(world)
    world.carrier.abandon(phone)
    await asyncio.sleep(RTP_TIMEOUT_S)
    return phone


async def in_loses_its_bye(world: World) -> Phone:
    phone = await _up(world)
    assert phone.call is not None
    await _while_muted(world, phone, b"BYE", phone.hangs_up())
    return phone


async def in_never_acknowledges(world: World) -> Phone:
    phone = _call_in(world, app.TALKS)
    await _while_muted(world, phone, b"ACK", _talk_without_ack(phone))
    return phone


async def _talk_without_ack(phone: Phone) -> None:
    await phone.is_up()
    ending = await phone.is_over()
    assert ending.status == 200, f"the gateway ended it with {ending.status}"


async def in_is_silent_for_a_while(world: World) -> Phone:
    phone = await _up(world)
    usual, phone.loses = phone.loses, 1.0
    await asyncio.sleep(4.0)
    phone.loses = usual
    await phone.hears_itself()
    await phone.hangs_up()
    return phone


async def in_falls_silent(world: World) -> Phone:
    phone = await _up(world)
    phone.loses = 1.0
    if phone.audio is not None:  # its reports would show that it is there
        leg: Any = phone.audio._leg
        leg.goodbye = lambda now: []
    await phone.is_over()
    return phone


async def _while_muted(world: World, phone: Phone, method: bytes, doing: Awaitable[None]) -> None:
    """Send no request of that method while the call lasts."""
    assert phone.call is not None
    muted = world.carrier.wire.muted
    muted[phone.call.call_id] = method
    try:
        await doing
    finally:
        del muted[phone.call.call_id]
