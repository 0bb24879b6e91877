"""Attacks of strangers, who have no key and no token. Each goes on until it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp

Attack = Callable[[dict[str, Any]], Awaitable[None]]
"""An attack on the stack that `stack.json` describes."""

CLIENTS = 230
"""Clients of an attack: more than a relay lets wait at once."""
REQUESTS_A_SECOND = 50
"""Five times the rate that the firewall in AWS allows an address; one machine has no firewall."""

_UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_SIP = (
    "{method} sip:+1999{n:07d}@127.0.0.1:{port} SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK{n};rport\r\nMax-Forwards: 70\r\n"
    "From: <sip:stranger@127.0.0.1:{own}>;tag={n}\r\nTo: <sip:+1999{n:07d}@127.0.0.1>\r\n"
    "Call-ID: {n}@stranger\r\nCSeq: 1 {method}\r\nContact: <sip:stranger@127.0.0.1:{own}>\r\n"
    "Content-Length: 0\r\n\r\n"
)
_FORGED = "call_{n:024x}.{leg}.4102444800." + "A" * 43
"""A token of the right form that expires in the far future, with an invalid signature."""


async def sockets_without_token(stack: dict[str, Any]) -> None:
    """Open agents' sockets without a token and never answer CLOSE."""
    await _many(CLIENTS, lambda n: _upgrade_and_stay(stack["relay_url"], f"/media/agent/call_{n}"))


async def forged_agent_tokens(stack: dict[str, Any]) -> None:
    """Open agents' sockets with forged tokens and never answer CLOSE."""

    def path(n: int) -> str:
        return f"/media/agent/call_{n:024x}?token={_FORGED.format(n=n, leg='agent')}"

    await _many(CLIENTS, lambda n: _upgrade_and_stay(stack["relay_url"], path(n)))


async def forged_provider_tokens(stack: dict[str, Any]) -> None:
    """Open providers' sockets with forged tokens and never answer CLOSE."""

    def path(n: int) -> str:
        return f"/media/provider/{_FORGED.format(n=n, leg='provider')}"

    await _many(CLIENTS, lambda n: _upgrade_and_stay(stack["relay_url"], path(n)))


async def silent_connections(stack: dict[str, Any]) -> None:
    """Connect to every HTTP port, as often as it allows, and send nothing."""
    urls = [stack[name] for name in ("relay_url", "api_url", "gateway_url")]
    await asyncio.gather(*(_many(150, lambda _, url=url: _say(url, b"")) for url in urls))


async def slow_requests(stack: dict[str, Any]) -> None:
    """Send the headers of requests to every HTTP port, one byte a second."""
    urls = [stack[name] for name in ("relay_url", "api_url", "gateway_url")]
    await asyncio.gather(*(_many(100, lambda _, url=url: _trickle(url)) for url in urls))


async def unsigned_webhooks(stack: dict[str, Any]) -> None:
    """Post calls to the provider's webhooks without a signature."""
    url = f"{stack['api_url']}/webhooks/gateway/voice"
    form = {"CallSid": "CA" + "0" * 32, "From": "+33612345678", "To": stack["numbers"][0]}
    await _requests(lambda session: session.post(url, data=form))


async def unsigned_control(stack: dict[str, Any]) -> None:
    """Post relays' questions without a signature."""
    url = f"{stack['api_url']}/media/attach"
    await _requests(lambda session: session.post(url, data=os.urandom(2048)))


async def wrong_keys(stack: dict[str, Any]) -> None:
    """Ask for calls with keys that nobody has."""
    headers = {"X-API-Key": "chmd_live_" + "0" * 49}
    url = f"{stack['api_url']}/api/calls"
    await _requests(lambda session: session.get(url, headers=headers))


async def gateway_requests(stack: dict[str, Any]) -> None:
    """Ask the gateway for calls, and open its sockets, without its credentials."""
    calls = f"{stack['gateway_url']}/2010-04-01/Accounts/AC0/Calls.json"
    sockets = f"{stack['gateway_url']}/legs/call?to={stack['numbers'][0]}"
    await asyncio.gather(
        _requests(lambda session: session.post(calls, data={"To": "sip:a@b"})),
        _requests(lambda session: session.get(sockets)),
    )


async def sip_strangers(stack: dict[str, Any]) -> None:
    """Send to the SIP port calls to numbers that do not exist, other requests, and garbage."""
    port = int(stack["sip_uri"].rpartition(":")[2])
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port)
    )
    own = transport.get_extra_info("sockname")[1]
    for serial in range(10**9):
        method = random.choice(("INVITE", "OPTIONS", "REGISTER", "BYE", "SUBSCRIBE"))
        transport.sendto(_SIP.format(method=method, n=serial, port=port, own=own).encode())
        transport.sendto(os.urandom(random.randrange(1, 1400)))
        await asyncio.sleep(1 / REQUESTS_A_SECOND)


async def _many(count: int, one: Callable[[int], Awaitable[None]]) -> None:
    """Keep `count` runs of `one` going; each begins again when it ends."""

    async def again(n: int) -> None:
        while True:
            with contextlib.suppress(OSError, EOFError, TimeoutError, ValueError):
                await one(n)
            # After a refusal try again, but not thousands of times a second: the attack is to take
            # room, and the tests need the machine's cores, too.
            await asyncio.sleep(0.5)

    await asyncio.gather(*(again(n) for n in range(count)))


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return await asyncio.open_connection(parts.hostname, parts.port)


async def _say(url: str, text: bytes) -> None:
    """Connect, send `text`, and stay until the other side closes."""
    reader, writer = await _connect(url)
    try:
        writer.write(text)
        while await reader.read(65536):
            continue
    finally:
        writer.close()


async def _upgrade_and_stay(url: str, path: str) -> None:
    host = urlsplit(url).netloc
    await _say(url, _UPGRADE.format(path=path, host=host).encode())


async def _trickle(url: str) -> None:
    reader, writer = await _connect(url)
    try:
        for byte in (
            _UPGRADE.format(path="/healthz", host="slow")
            .replace("\r\n\r\n", "\r\nX: " + "y" * 600)
            .encode()
        ):
            writer.write(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                if not await asyncio.wait_for(reader.read(4096), 1):
                    return
    finally:
        writer.close()


async def _requests(ask: Callable[[aiohttp.ClientSession], Any]) -> None:
    """Send `REQUESTS_A_SECOND` requests a second; wait for answers for at most 5 s."""
    timeout = aiohttp.ClientTimeout(total=5)
    connector = aiohttp.TCPConnector(limit=REQUESTS_A_SECOND)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:

        async def send() -> None:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with ask(session) as answer:
                    await answer.read()

        under_way: set[asyncio.Task[None]] = set()
        while True:
            if len(under_way) < 4 * REQUESTS_A_SECOND:
                task = asyncio.create_task(send())
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.sleep(1 / REQUESTS_A_SECOND)


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        sockets_without_token,
        forged_agent_tokens,
        forged_provider_tokens,
        silent_connections,
        slow_requests,
        unsigned_webhooks,
        unsigned_control,
        wrong_keys,
        gateway_requests,
        sip_strangers,
    )
}
