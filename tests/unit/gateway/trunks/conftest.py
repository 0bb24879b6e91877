"""A registry of trunks between an application (real HTTP) and a host that notes what it gets."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest

from gateway.trunks.application import Application
from gateway.trunks.registry import Trunks
from tests.unit.gateway.control_server import (
    PATIENCE,
    SECRET,
    ControlServer,
)


class Host:
    """Notes `("apply", id, revision)`, `("recognise", id, revision)` and `("drop", id)`."""

    def __init__(self):
        self.calls = asyncio.Queue()
        self.holds = {}

    def apply(self, trunk):
        self.holds[trunk.trunk_id] = trunk
        self.calls.put_nowait(("apply", trunk.trunk_id, trunk.revision))

    def recognise(self, trunk):
        self.holds[trunk.trunk_id] = trunk
        self.calls.put_nowait(("recognise", trunk.trunk_id, trunk.revision))

    def drop(self, trunk_id):
        del self.holds[trunk_id]
        self.calls.put_nowait(("drop", trunk_id))

    async def next(self):
        async with asyncio.timeout(PATIENCE):
            return await self.calls.get()


@pytest.fixture
async def server():
    server = ControlServer()
    async with server.serving():
        yield server
    assert server.forged == 0


@pytest.fixture
def host():
    return Host()


@pytest.fixture
async def begin(server, host):
    """Starts a registry; `pause` and `refresh` as given."""
    tasks = []
    async with aiohttp.ClientSession() as session:

        def start(refresh=60.0, resolver=None, at=None, **settings):
            application = Application(session, server.url, SECRET, "gateway-7")
            settings = {"pause": lambda _: 0.01} | settings
            trunks = Trunks(application, refresh=refresh, resolver=resolver, **settings)
            tasks.append(asyncio.create_task(trunks.run(at(trunks) if at else host)))
            return trunks

        yield start
        for task in tasks:
            assert not task.done()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
