"""Attacks of tenants, who have an account, a number and an API key, and take all they can get.

Each goes on until it is cancelled. `stack` describes the running stack, with the tenant's own key
and number in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from typing import Any

import aiohttp
import websockets

from local.agent import Refused
from local.carrier import carrier
from tests.neighbours.strangers import REQUESTS_A_SECOND, Attack
from tests.support.ports import free_port
from tests.support.running import Live

POLLS = 150
ENDPOINTS = 10
SLOW_S = 14.0
"""Seconds until an endpoint answers: just before the try times out."""
KEYS_A_SECOND = 70


async def long_polls(stack: dict[str, Any]) -> None:
    """Hold 150 long polls with one key, or as many as it may."""
    url = f"{stack['api_url']}/api/events?after=latest&wait=20"
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"X-API-Key": stack["api_key"]}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def poll() -> None:
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with session.get(url) as answer:
                        await answer.read()
                # Sooner than the refusal allows, but with no more requests than other attacks make.
                await asyncio.sleep(POLLS / REQUESTS_A_SECOND)

        await asyncio.gather(*(poll() for _ in range(POLLS)))


async def flooded_number(stack: dict[str, Any]) -> None:
    """Be called 20 times a second, by callers who stay until they are refused."""
    live = Live(stack)
    phone = live.phone()
    for serial in range(10**9):
        with contextlib.suppress(Exception):  # the call is refused
            call = await phone.place_call(
                live.number, from_=f"+1666{serial % 10**7:07d}", speak=False
            )
            call.keep_audio = False
        await asyncio.sleep(0.05)


async def keys_to_slow_endpoints(stack: dict[str, Any]) -> None:
    """Press 70 keys a second in a call whose ten endpoints each take 14 s to answer."""
    live = Live(stack)
    async with _slow_endpoints(live):
        while True:
            with contextlib.suppress(Exception):
                talk = await live.answered()
                while not talk.call.ended.is_set():
                    talk.call.dtmf(random.choice("0123456789*#"))
                    await asyncio.sleep(1 / KEYS_A_SECOND)
            await asyncio.sleep(1)


async def calls_to_slow_endpoints(stack: dict[str, Any]) -> None:
    """Let calls ring and be hung up, five a second, all of them told to ten slow endpoints."""
    live = Live(stack)
    phone = live.phone()

    async def ring(serial: int) -> None:
        with contextlib.suppress(Exception):
            call = await phone.place_call(live.number, from_=f"+1777{serial:07d}", speak=False)
            await asyncio.sleep(1)
            call.hangup()

    async with _slow_endpoints(live), asyncio.TaskGroup() as group:
        for serial in range(10**7):
            group.create_task(ring(serial))
            await asyncio.sleep(0.2)


async def sockets_of_one_call(stack: dict[str, Any]) -> None:
    """Open the agent's socket of one call again and again, a hundred at a time."""
    live = Live(stack)
    while True:
        with contextlib.suppress(Exception):
            call, call_id = await live.dial(speak=True)
            audio = (await live.rest("POST", f"/api/call/{call_id}/accept"))["audio"]
            await asyncio.gather(*(_open_again(audio, call.ended) for _ in range(100)))
        await asyncio.sleep(1)


async def audio_without_end(stack: dict[str, Any]) -> None:
    """Send audio, marks, `clear` and nested JSON as fast as the relay reads, and read nothing."""
    live = Live(stack)
    rubbish = ("[" * 50_000, json.dumps({"type": "mark", "name": "m"}), '{"type":"clear"}', "{")
    while True:
        with contextlib.suppress(Exception):
            call, call_id = await live.dial()
            audio = (await live.rest("POST", f"/api/call/{call_id}/accept"))["audio"]
            async with _socket(audio) as socket:
                while not call.ended.is_set():
                    await socket.send(bytes(16_000))
                    await socket.send(random.choice(rubbish))
                    await asyncio.sleep(0.005)
        await asyncio.sleep(0.5)


async def requests_without_end(stack: dict[str, Any]) -> None:
    """Send every kind of request an account may send, as fast as answers come, ten at a time."""
    live = Live(stack)

    async def ask() -> None:
        while True:
            for method, path, body in (
                ("GET", "/api/calls", None),
                ("GET", "/api/events", None),
                ("POST", "/api/keys", {"label": "one more"}),
                ("POST", "/api/number", {}),
                ("POST", "/api/webhooks", {"url": "http://127.0.0.1:9/"}),
            ):
                with contextlib.suppress(Refused, OSError):
                    await live.rest(method, path, body)
                await asyncio.sleep(0.1)

    await asyncio.gather(*(ask() for _ in range(5)))


async def dials_without_end(stack: dict[str, Any]) -> None:
    """Dial out through a trunk of one's own, with a hundred caller IDs, as often as it is let."""
    live, port, phone = Live(stack), free_port(), free_port()
    settings = {"host": "127.0.0.1", "port": port, "username": "greedy", "password": "s3cret-pw"}
    async with carrier(port, "greedy", "s3cret-pw", ("127.0.0.1", phone)) as registrar:
        trunk = settings | {"caller_id": "+33199005678", "allowed_countries": ["FR"]}
        await live.rest("PUT", "/api/trunk", trunk)
        await registrar.registered.wait()
        callers = [f"+331990056{n:02d}" for n in range(100)]
        for caller in callers:
            with contextlib.suppress(Refused):
                await live.rest("POST", "/api/trunk/dids", {"e164": caller})
        while True:
            wanted = {
                "platform": "sip",
                "meeting_url": f"sip:+3319900{random.randrange(10_000):04d}@127.0.0.1",
                "caller_id": random.choice(callers),
                "ring_timeout_s": 5,
            }
            with contextlib.suppress(Refused, OSError):
                await live.rest("POST", "/api/call", wanted)
            await asyncio.sleep(0.1)


def _socket(audio: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {audio['token']}"}
    return websockets.connect(audio["url"] + "?format=mulaw", additional_headers=headers)


async def _open_again(audio: dict[str, Any], over: asyncio.Event) -> None:
    while not over.is_set():
        with contextlib.suppress(Exception):
            async with _socket(audio) as socket:
                await socket.recv()
        await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def _slow_endpoints(live: Live) -> Any:
    """Make ten endpoints of the account that answer after 14 s, break off, or answer nonsense."""
    server = await asyncio.start_server(_answer_badly, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = [
        await live.rest("POST", "/api/webhooks", {"url": f"http://127.0.0.1:{port}/{n}"})
        for n in range(ENDPOINTS)
    ]
    try:
        yield made
    finally:
        server.close()


async def _answer_badly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, EOFError):
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(SLOW_S)
        writer.write(
            random.choice(
                (
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n",
                    b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"action": "\\ud800"} ',
                    b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
                    b"\x00\xff\r\n\r\n",
                )
            )
        )
    writer.close()


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        long_polls,
        flooded_number,
        keys_to_slow_endpoints,
        calls_to_slow_endpoints,
        sockets_of_one_call,
        audio_without_end,
        requests_without_end,
        dials_without_end,
    )
}
