"""The world of the `trunks` bench: a gateway, the crowd's carrier, and another tenant's carrier."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.rtp.plane import Plane
from tests.load.c_programs import compile_c
from tests.load.programs import Process, rss_mb, running, wait_until
from tests.load.sip_long import application as app
from tests.load.sip_long.application import Application
from tests.load.sip_long.carrier import Carrier
from tests.load.sip_long.phone import Phone
from tests.load.trunk_list import TrunkList, trunk_id
from tests.sip.peers.processes import listens
from tests.support.ports import HOST, free_port

QUIET, LOUD = 0, 1
"""Serial numbers of trunks: the other tenant's, and the crowd's first."""
_PORTS = range(40_000, 44_000)


class CrowdProcess:
    """The crowd's carrier (`crowd.py`), by its pipes."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def ask(self, what: str) -> dict[str, Any]:
        """Give a command; return the counts that answer it."""
        return await asyncio.to_thread(self._ask, what)

    def _ask(self, what: str) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{what}\n")
        stdin.flush()
        return dict(json.loads(stdout.readline()))


@dataclass
class World:
    """The things that the bench needs."""

    application: Application
    carrier: Carrier
    """The quiet tenant's."""
    crowd: CrowdProcess
    gateway: str
    pid: int

    @property
    def rss_mb(self) -> float:
        """Return the memory of the gateway."""
        return rss_mb([self.pid])

    async def call(self) -> tuple[Phone, float]:
        """Call the quiet tenant; return the phone once the call is up, and the seconds it took."""
        phone = Phone(self.carrier)
        began = self.carrier.now
        self.carrier.dial(phone, app.number(app.CALLED_IN, app.TALKS), "+33612345678")
        await phone.is_up()
        return phone, self.carrier.now - began


@asynccontextmanager
async def world(work: Path, crowd_size: int, register_s: int) -> AsyncIterator[World]:
    """Run all of it; the quiet tenant's trunk is registered, the crowd's begin to be."""
    account, secret = ("AC" + secrets.token_hex(16), secrets.token_hex(16)), secrets.token_hex(16)
    trunks, crowd_port = TrunkList(secret), free_port()
    async with AsyncExitStack() as stack:
        plane = Plane(HOST, _PORTS)
        stack.callback(plane.close)
        carrier = Carrier("quiet", "udp", plane)
        await carrier.start(free_port(), work)
        stack.callback(carrier.stop)
        trunks.add(trunk_id(QUIET), port=carrier.port, username="quiet")
        for at in range(crowd_size):
            transport = ("udp", "tcp")[at % 2]
            trunks.add(
                trunk_id(LOUD + at), port=crowd_port, username=f"acct{at}", transport=transport
            )
        command = [sys.executable, "-m", "tests.load.crowd", str(crowd_port)]
        log = work / "crowd.log"
        crowd = stack.enter_context(running(command, log, pipes=True))
        await asyncio.to_thread(wait_until, lambda: listens(crowd_port, "tcp"), crowd, log)
        stream_url = stack.enter_context(_echo(work))
        application = Application(account, trunks, stream_url)
        await stack.enter_async_context(application.serving())
        settings = {
            "GATEWAY_ACCOUNT_SID": account[0],
            "GATEWAY_AUTH_TOKEN": account[1],
            "GATEWAY_VOICE_URL": f"{application.url}/voice",
            "GATEWAY_CONTROL_URL": application.url,
            "GATEWAY_CONTROL_SECRET": secret,
            "GATEWAY_ALLOW_PRIVATE_TRUNKS": "1",
            "GATEWAY_HOST": HOST,
            "GATEWAY_PORT": str(port := free_port()),
            "GATEWAY_SIP_PORT": str(free_port()),
            "GATEWAY_SIP_REGISTER_INTERVAL": str(register_s),
            "GATEWAY_LOG_LEVEL": "WARNING",
        }
        log = work / "trunks-gateway.log"
        process = stack.enter_context(running([sys.executable, "-m", "gateway"], log, settings))
        await asyncio.to_thread(wait_until, lambda: listens(port, "tcp"), process, log)
        await carrier.registered(60)
        url = f"http://{HOST}:{port}"
        yield World(application, carrier, CrowdProcess(crowd), url, process.pid)


@contextmanager
def _echo(work: Path) -> Iterator[str]:
    """Run an application's end of media streams; the URL to which they go."""
    port, log = free_port(), work / "trunks-echo.log"
    program = compile_c("sip_echo", work / "build")
    with running([program, str(port)], log) as process:
        wait_until(lambda: listens(port, "tcp"), process, log)
        yield f"ws://{HOST}:{port}"
