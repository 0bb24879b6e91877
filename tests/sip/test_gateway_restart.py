"""Tests that a gateway that is killed and started again is back at once, and that the edge answers
its callers meanwhile.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sip.edge_fuzz_gateway import Application
from tests.sip.edge_support import edge_and_gateway
from tests.sip.peers import HOST, Sipp
from tests.sip.peers.processes import Program, listens
from tests.sip.support import DID, PASSWORD, USER
from tests.support.engine import ROOT
from tests.support.ports import free_port
from tests.unit.gateway.control_server import SECRET, ControlServer

BACK_WITHIN_S = 5.0
_STARTS_WITHIN_S = 10.0


class GatewayProcess(Program):
    """`python -m gateway` behind an edge, with the trunk of one carrier."""

    def __init__(self, log: Path, sip_port: int, env: dict[str, str]) -> None:
        super().__init__(sys.executable, "-m", "gateway", log=log, cwd=ROOT, env=env)
        self._sip_port = sip_port

    async def start(self) -> None:
        """Begin; return when it listens."""
        await super().start()
        await self.until(lambda: listens(self._sip_port), _STARTS_WITHIN_S, "listening")


@pytest.fixture
async def application(carrier) -> AsyncIterator[Application]:
    """Has every call answered."""
    async with Application() as app:
        yield app


@pytest.fixture
async def gateway(tmp_path, carrier, application) -> AsyncIterator[GatewayProcess]:
    """One that has registered its trunk."""
    edge, config = await asyncio.to_thread(edge_and_gateway, tmp_path / "edge.log")
    control = ControlServer()
    control.put(host=HOST, port=carrier.port, username=USER, password=PASSWORD, realm=carrier.realm)
    async with control.serving():
        env = {
            "GATEWAY_ACCOUNT_SID": config.account_sid,
            "GATEWAY_AUTH_TOKEN": config.auth_token,
            "GATEWAY_VOICE_URL": application.voice_url,
            "GATEWAY_PORT": str(free_port()),
            "GATEWAY_CONTROL_URL": control.url,
            "GATEWAY_CONTROL_SECRET": SECRET,
            "GATEWAY_ALLOW_PRIVATE_TRUNKS": "1",
            "GATEWAY_SIP_PORT": str(config.sip_port),
            "GATEWAY_SIP_EDGE": config.sip_edge,
        }
        process = GatewayProcess(tmp_path / "gateway.log", config.sip_port, env)
        await process.start()
        await carrier.registers(USER)
        yield process
        await process.stop(grace_s=10)
        print(process.said())
    await asyncio.to_thread(edge.stop)


@pytest.mark.deep
async def test_callers_of_a_killed_gateway_are_refused_by_the_edge(gateway, carrier, up):
    await gateway.kill()
    caller = await up(Sipp.uac("is_refused", carrier.pstn_port, number=DID, code=480))
    await caller.finished()
    [refusal] = caller.received(480)
    # The edge gives the gateway three seconds for its first word.
    assert refusal.at - caller.sent("INVITE")[0].at < 4


@pytest.mark.deep
async def test_a_gateway_that_was_killed_registers_and_takes_calls_again(
    gateway, carrier, application, up
):
    [before] = (await carrier.registered())[USER]
    registered = len(carrier.registrations(USER))
    await gateway.kill()
    started_at = time.time()
    await gateway.start()
    *_, again = await carrier.registers(USER, count=registered + 1)
    back_s = again.at - started_at
    print(f"registered {back_s:.2f} s after the start")
    assert back_s < BACK_WITHIN_S

    # The carrier still has the killed one's contact, so it calls both; it is one call.
    contacts = [each["Address"] for each in (await carrier.registered())[USER]]
    assert len(contacts) == 2
    assert before["Address"] in contacts
    caller = await up(Sipp.uac("hangs_up", carrier.pstn_port, number=DID, talk_ms=200))
    await caller.finished()
    assert len(application.sids) == 1
