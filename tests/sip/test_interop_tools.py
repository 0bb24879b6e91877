"""A registrar of another SIP stack, and the programs with which operators ask for OPTIONS."""

from __future__ import annotations

import json

import pytest

from tests.sip.peers import HOST
from tests.sip.peers.processes import Program, listens
from tests.sip.peers.stacks import PHONES
from tests.sip.support import PASSWORD, USER
from tests.support.ports import free_port


@pytest.fixture
async def run(tmp_path):
    """`program = await run("sipsak", …)`: it is stopped after the test."""
    programs = []

    async def start(*command):
        programs.append(Program(*command, log=tmp_path / f"log-{len(programs)}"))
        await programs[-1].start()
        return programs[-1]

    yield start
    for program in programs:
        await program.stop()


@pytest.fixture
async def registrar(run):
    """Net::SIP's; the port."""
    port = free_port()
    settings = {"host": HOST, "port": port, "user": USER, "password": PASSWORD}
    program = await run("perl", PHONES / "net_sip_registrar.pl", json.dumps(settings))
    await program.until(lambda: listens(port), 10, "listening")
    return port


async def test_a_trunk_registers_with_net_sips_registrar(tenant, registrar):
    await tenant.connect(registrar)
    trunk = (await tenant.happens("trunk.registered"))["trunk"]
    assert (trunk["status"], trunk["sip_code"]) == ("registered", 200)


async def test_net_sips_registrar_refuses_a_wrong_password(tenant, registrar):
    await tenant.connect(registrar, password="wrong")
    trunk = (await tenant.happens("trunk.failed"))["trunk"]
    assert trunk["sip_code"] == 401
    assert "password" in trunk["detail"]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["sipsak", "-vv", "-s", "sip:x@{at}"], "SIP/2.0 200 OK"),
        (["sipsak", "-vv", "-E", "tcp", "-s", "sip:x@{at}"], "SIP/2.0 200 OK"),
        (["sip-options", "--all", "sip:x@{at}"], "200 OK"),
    ],
    ids=["sipsak by UDP", "sipsak by TCP", "sofia-sip"],
)
async def test_the_gateway_answers_whoever_asks_for_its_options(run, sip_port, command, says):
    program = await run(*(part.format(at=f"{HOST}:{sip_port}") for part in command))
    assert await program.ended(15) == 0, program.said()
    assert says in program.said()
    assert "INVITE" in program.said()
