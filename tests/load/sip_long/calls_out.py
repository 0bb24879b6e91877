"""Calls that the application makes through a trunk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.sip.dialog.inbound import InboundCall
from tests.load.sip_long import application as app
from tests.load.sip_long.nonsense import nonsense
from tests.load.sip_long.phone import WITHIN_S, Phone
from tests.load.sip_long.world import World, ends, until


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
        await ends(phone, 487)

    return await _out(world, then, "no-answer", Timeout="4")


async def out_is_cancelled(world: World) -> Phone:
    async def then(phone: Phone, sid: str) -> None:
        await world.talks(1)
        await world.application.clear(world.gateway, sid)
        await ends(phone, 487)

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
            await until(lambda before=agreed: phone.agreed > before or phone.ended.is_set())
            await world.talks(2)
        await phone.hears_itself()
        await phone.hangs_up()

    return await _out(world, then, "completed")


async def out_is_answered_with_nonsense(world: World) -> Phone:
    async def then(phone: Phone, _: str) -> None:
        phone.command("answer")
        await phone.is_over()

    phone = Phone(world.carrier, media=nonsense())
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
