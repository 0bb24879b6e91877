"""Two bridged calls at relays that are processes of their own, of which one dies or hangs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from websockets.asyncio.client import ClientConnection

from tests.support.engine import ROOT
from tests.support.ports import free_port
from tests.unit.relay.fake_control import SECRET
from tests.unit.relay.pair_application import PairApplication
from tests.unit.relay.peer_callers import open_stream, talk

pytestmark = pytest.mark.deep


class RelayProcess:
    """A relay of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port


@asynccontextmanager
async def relay_process(pair: PairApplication, name: str) -> AsyncIterator[RelayProcess]:
    port = free_port()
    settings = {
        "CHAMADE_CONTROL_URL": pair.url,
        "CHAMADE_CONTROL_SECRET": SECRET,
        "RELAY_PORT": str(port),
        "RELAY_ID": name,
        "RELAY_DRAIN_S": "0",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relay", env=os.environ | settings, cwd=ROOT
    )
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except OSError:
                    await asyncio.sleep(0.05)
            writer.close()
        yield RelayProcess(process, port)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


Start = Callable[[str], Awaitable[RelayProcess]]


@pytest.fixture
async def start(pair: PairApplication) -> AsyncIterator[Start]:
    """Starts a relay of a name."""
    async with AsyncExitStack() as running:

        async def start(name: str) -> RelayProcess:
            return await running.enter_async_context(relay_process(pair, name))

        yield start


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as closing:
        yield closing


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("dying", ["call_1", "call_2"])
async def test_when_a_relay_dies_or_hangs_its_caller_goes_on_by_another_one(
    start: Start,
    closing: AsyncExitStack,
    pair: PairApplication,
    dying: str,
    how: signal.Signals,
) -> None:
    relays = {"call_2": await start("b"), "call_1": await start("a")}
    pair.bridge()
    callers: dict[str, ClientConnection] = {}
    for call_id, relay in relays.items():
        callers[call_id] = await open_stream(closing, relay.port, call_id)
    await talk(callers["call_1"], callers["call_2"])
    relays[dying].process.send_signal(how)
    next_one = await start("c")
    callers[dying] = await open_stream(closing, next_one.port, dying)
    await talk(callers["call_1"], callers["call_2"])
