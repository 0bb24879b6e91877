"""Tests of an account with two trunks, on the whole system: a call goes on to the second carrier
when the first one is silent, with the numbers as that one wants them.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack

from local.carrier import carrier
from local.layout import HOST
from local.sip_phone import sip_phone
from tests.support.ports import free_port

FIRST, SECOND, CALLED = "+33199005678", "+33199005679", "+33199001234"


async def test_a_call_goes_on_to_the_second_trunk_when_the_first_carrier_is_silent(aclient):
    async with asyncio.timeout(90), AsyncExitStack() as carriers, AsyncExitStack() as dying:
        phone = await carriers.enter_async_context(sip_phone(phone_port := free_port()))
        password = secrets.token_hex(8)
        ports = free_port(), free_port()
        for port, context in zip(ports, (dying, carriers), strict=True):
            await context.enter_async_context(carrier(port, "acct42", password, (HOST, phone_port)))
        await connect(aclient, "second", ports[1], password, SECOND, number_format="00")
        await connect(aclient, "main", ports[0], password, FIRST, fallback=["second"])
        try:
            await dying.aclose()
            url = f"sip:{CALLED}@{HOST}:{ports[0]}"
            call = await aclient.calls.dial(url, trunk="main")
            assert (call.trunk, call.from_) == ("main", FIRST)
            incoming = await phone.next_call()
            assert "0033199001234@" in (incoming.invite.headers.get("To") or "")
            await phone.answer(incoming)
            answered = await event(aclient, "call.answered", call_id=call.call_id)
            now = answered.call
            assert (now.trunk, now.from_, now.line) == ("second", SECOND, SECOND)
            await aclient.calls.leave(call.call_id)
        finally:
            for name in ("main", "second"):
                await aclient.trunks.disconnect(name=name)


async def connect(client, name, port, password, caller_id, **settings):
    """Connect a trunk; wait until it is registered."""
    trunk = await client.trunks.connect(
        HOST, "acct42", password, name=name, port=port, caller_id=caller_id, **settings
    )
    await event(client, "trunk.registered", trunk_id=trunk.trunk_id)


async def event(client, kind, call_id=None, trunk_id=None):
    """Wait for an event about the call or the trunk; return it."""
    async for each in client.events():
        about = each.data.get("trunk", {}).get("trunk_id") if trunk_id else each.call_id
        if (each.type, about) == (kind, trunk_id or call_id):
            return each
    raise AssertionError(f"no {kind}")
