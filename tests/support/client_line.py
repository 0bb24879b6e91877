"""What the client's tests share: a phone that calls, and a carrier as the account's trunk."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager

from chamade import AsyncClient
from local.carrier import carrier
from local.layout import HOST
from local.sip_phone import sip_phone
from tests.support.ports import free_port


async def caller_on(live, line):
    """A phone that calls; and what rings."""
    call = await live.phone().place_call(line)
    await call.ringing.wait()
    return call


@asynccontextmanager
async def connected_trunk(client: AsyncClient):
    """A carrier with one phone behind it, connected as the account's trunk: where to call it."""
    ports = [free_port(), free_port()]
    password = secrets.token_hex(8)
    async with (
        sip_phone(ports[1]) as phone,
        carrier(ports[0], "acct42", password, (HOST, ports[1])),
    ):
        trunk = await client.trunk.connect(
            HOST, "acct42", password,
            port=ports[0], caller_id="+33199005678", allowed_countries=["FR"],
        )  # fmt: skip
        async for event in client.events():
            event_trunk_id = event.data.get("trunk", {}).get("trunk_id")
            if event.type == "trunk.registered" and event_trunk_id == trunk.trunk_id:
                break
        try:
            yield phone, f"sip:+33199001234@{HOST}"
        finally:
            await client.trunk.disconnect()
