"""The calls of the long run. Each is one call of one kind, and raises AssertionError if it fails.

`calls in` are made by a carrier's phone, `calls out` by the application through a trunk.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from gateway.sip.dialog.inbound import InboundCall
from gateway.sip.errors import Refusal
from tests.load.sip_long import application as app
from tests.load.sip_long.application import Application
from tests.load.sip_long.carrier import Carrier
from tests.load.sip_long.phone import WITHIN_S, Phone

RTP_TIMEOUT_S = 10.0
"""The gateway's: how long a call may be without audio."""
SESSION_S = 90
"""The session interval: the shortest that is taken."""


@dataclass(frozen=True)
class World:
    """The things that a call needs."""

    application: Application
    gateway: str
    """URL of its REST API."""
    carrier: Carrier
    trunk_id: str
    pace: float
    """Multiplies how long calls talk."""

    async def talks(self, seconds: float) -> None:
        """Let a call go on for a while."""
        await asyncio.sleep(seconds * self.pace * random.uniform(0.5, 1.5))


Scenario = Callable[[World], Awaitable[Phone]]


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
        await _until(lambda before=agreed: phone.agreed > before or phone.ended.is_set())
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
    await _ends(phone, 487)
    return phone


async def in_cancels_at_once(world: World) -> Phone:
    phone = _call_in(world, app.TALKS)
    await asyncio.sleep(random.uniform(0, 0.1))
    phone.command("hangup")
    await phone.is_over()  # with 487, or 200 if the answer was quicker
    return phone


async def in_is_busy(world: World) -> Phone:
    phone = _call_in(world, app.BUSY)
    await _ends(phone, 486)
    return phone


async def in_is_declined(world: World) -> Phone:
    phone = _call_in(world, app.DECLINES)
    await _ends(phone, 404)
    return phone


class _Nonsense:
    """Audio whose offers and answers are of no use."""

    def __init__(self, description: str) -> None:
        self._text = description.replace("\n", "\r\n").encode()

    def make_offer(self, direction: object) -> bytes:
        return self._text

    repeat_offer = take_offer = make_offer

    def take_answer(self, answer: bytes) -> None:
        raise Refusal(488, "no answer suits")

    def rollback(self) -> None:
        pass

    def fork(self) -> _Nonsense:
        return self


_HEAD = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
_WRONG = (
    _HEAD + "m=audio 4000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\n",
    _HEAD + "m=video 4000 RTP/AVP 31\n",
    _HEAD + "m=audio 4000 RTP/SAVP 0\n",
    "v=0\no=- 1 1 IN IP6 ::1\ns=-\nc=IN IP6 ::1\nt=0 0\nm=audio 4000 RTP/AVP 0\n",
    "this is no session description\n",
)


async def in_offers_nonsense(world: World) -> Phone:
    phone = Phone(world.carrier, media=_Nonsense(random.choice(_WRONG)))
    _call_in(world, app.TALKS, phone=phone)
    await _ends(phone, 400, 415, 488)
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


# Calls out.


async def _call_out(
    world: World, answers: Callable[[InboundCall], Phone], **more: str
) -> tuple[str, str]:
    number = app.number(app.DIALLED, app.TALKS)
    world.carrier.expect(number, answers)
    sid = await world.application.dial(world.gateway, number, world.trunk_id, **more)
    return sid, number


async def _out(
    world: World,
    then: Callable[[Phone, str], Awaitable[None]],
    *expected: str,
    phone: Phone | None = None,
    **more: str,
) -> Phone:
    """Have the gateway call a phone; `then` is what the phone does when it rings."""
    phone = phone or Phone(world.carrier)
    came = asyncio.Event()

    def answers(_: InboundCall) -> Phone:
        came.set()
        return phone

    sid, number = "", ""
    try:
        sid, number = await _call_out(world, answers, **more)
        async with asyncio.timeout(WITHIN_S):
            await came.wait()
        await then(phone, sid)
        async with asyncio.timeout(WITHIN_S):
            status = await world.application.final_status(sid)
        assert status in expected, f"the application was told {status}"
    finally:
        if phone.call is None:
            phone.close()
        world.carrier.forget(number)
        world.application.forget(sid)
    return phone


async def out_talks(world: World) -> Phone:
    async def then(phone: Phone, _: str) -> None:
        await _answers(phone)
        await world.talks(8)
        await phone.hears_itself()
        await phone.hangs_up()

    return await _out(world, then, "completed")


async def out_is_cleared(world: World) -> Phone:
    async def then(phone: Phone, sid: str) -> None:
        await _answers(phone)
        await world.talks(3)
        await world.application.clear(world.gateway, sid)
        await phone.is_over()

    return await _out(world, then, "completed")


async def out_is_busy(world: World) -> Phone:
    return await _out(world, _rejects(486), "busy")


async def out_is_declined(world: World) -> Phone:
    return await _out(world, _rejects(603), "busy")


async def out_finds_nobody(world: World) -> Phone:
    return await _out(world, _rejects(404), "failed")


async def out_is_not_answered(world: World) -> Phone:
    async def then(phone: Phone, _: str) -> None:
        await _ends(phone, 487)

    return await _out(world, then, "no-answer", Timeout="4")


async def out_is_cancelled(world: World) -> Phone:
    async def then(phone: Phone, sid: str) -> None:
        await world.talks(1)
        await world.application.clear(world.gateway, sid)
        await _ends(phone, 487)

    return await _out(world, then, "canceled")


async def out_presses_keys(world: World) -> Phone:
    async def then(phone: Phone, _: str) -> None:
        await _answers(phone)
        assert phone.audio is not None
        phone.audio.press("9")
        await phone.hears_key("9")
        await phone.hangs_up()

    return await _out(world, then, "completed")


async def out_has_early_audio(world: World) -> Phone:
    async def then(phone: Phone, _: str) -> None:
        phone.command("progress")
        await world.talks(2)
        await _answers(phone)
        await phone.hangs_up()

    return await _out(world, then, "completed")


async def out_is_held(world: World) -> Phone:
    async def then(phone: Phone, _: str) -> None:
        await _answers(phone)
        for direction in ("sendonly", "sendrecv"):
            agreed = phone.agreed
            phone.command("hold", direction)
            await _until(lambda before=agreed: phone.agreed > before or phone.ended.is_set())
            await world.talks(2)
        await phone.hears_itself()
        await phone.hangs_up()

    return await _out(world, then, "completed")


async def out_is_answered_with_nonsense(world: World) -> Phone:
    async def then(phone: Phone, _: str) -> None:
        phone.command("answer")
        await phone.is_over()

    phone = Phone(world.carrier, media=_Nonsense(random.choice(_WRONG)))
    return await _out(world, then, "failed", "no-answer", "completed", phone=phone)


async def _answers(phone: Phone) -> None:
    phone.command("answer")
    await phone.is_up()
    await phone.hears_itself()


def _rejects(status: int) -> Callable[[Phone, str], Awaitable[None]]:
    async def then(phone: Phone, _: str) -> None:
        phone.command("reject", status)
        await phone.is_over()

    return then


async def _ends(phone: Phone, *statuses: int) -> None:
    ending = await phone.is_over()
    assert ending.status in statuses, f"ended with {ending.status}, not {statuses}"


async def _until(ready: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not ready():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


async def _while_muted(world: World, phone: Phone, method: bytes, doing: Awaitable[None]) -> None:
    """Send no request of that method while the call lasts."""
    assert phone.call is not None
    muted = world.carrier.wire.muted
    muted[phone.call.call_id] = method
    try:
        await doing
    finally:
        del muted[phone.call.call_id]


SCENARIOS: dict[Scenario, int] = {
    in_talks: 6,
    in_is_hung_up: 2,
    in_presses_keys: 2,
    in_presses_keys_by_info: 2,
    in_holds_and_resumes: 3,
    in_cancels: 3,
    in_cancels_at_once: 2,
    in_is_busy: 2,
    in_is_declined: 2,
    in_offers_nonsense: 2,
    in_is_encrypted: 3,
    in_refreshes_its_session: 1,
    in_vanishes: 1,
    in_loses_its_bye: 1,
    in_never_acknowledges: 1,
    in_is_silent_for_a_while: 1,
    in_falls_silent: 1,
    out_talks: 5,
    out_is_cleared: 2,
    out_is_busy: 2,
    out_is_declined: 1,
    out_finds_nobody: 1,
    out_is_not_answered: 2,
    out_is_cancelled: 2,
    out_presses_keys: 1,
    out_has_early_audio: 1,
    out_is_held: 1,
    out_is_answered_with_nonsense: 1,
}
"""The kinds of calls, and how often each comes among all."""
