"""The callers of two calls that are bridged, by their providers' streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection, connect

from common import media_token
from tests.unit.relay.fake_control import EXPIRES_S, SECRET
from tests.unit.relay.stack import START, media, played

ONE, TWO = b"\x11" * 160, b"\x22" * 160


async def open_stream(closing: AsyncExitStack, port: int, call_id: str) -> ClientConnection:
    """Open the stream of a call's caller."""
    token = media_token.issue(SECRET, call_id, "provider", EXPIRES_S)
    url = f"ws://127.0.0.1:{port}/media/provider/{token}"
    options = {"compression": None, "max_size": None, "close_timeout": 1}
    ws = await closing.enter_async_context(connect(url, **options))
    await ws.send('{"event":"connected","protocol":"Call","version":"1.0.0"}')
    await ws.send(json.dumps(START))
    return ws


async def heard_within(seconds: float, caller: ClientConnection) -> bytes:
    """Return what a caller's provider is sent meanwhile."""
    sound = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                sound += await played(caller, 160)
    return sound


async def hears(speaker: ClientConnection, listener: ClientConnection, sound: bytes) -> None:
    """Let one caller speak until the other hears it, and nothing else."""
    for _ in range(500):
        await speaker.send(media(sound))
        try:
            async with asyncio.timeout(0.02):
                heard = await played(listener, 160)
        except TimeoutError:
            continue
        assert heard == sound
        return
    pytest.fail("the other caller hears nothing")


async def talk(one: ClientConnection, two: ClientConnection) -> None:
    await hears(one, two, ONE)
    await hears(two, one, TWO)
