"""Tests of two gateways that divide the trunks of one account: each registers its own; if one is
killed or drained, the other registers them all, and calls get through in and out.
"""

from __future__ import annotations

import asyncio
import os
import re
import time

import pytest

from chalicelib import bootstrap
from chalicelib.domain.gateway_lease import holder
from local.agent import Rest
from local.stack import application_dependencies, temporary_stack
from operations.admin import main as admin
from operations.doctor import gateway as doctor
from operations.doctor.finding import Result
from operations.doctor.scene import Scene
from operations.installation import of_stack
from tests.sip.peers import HOST, Carrier, Sipp
from tests.sip.support import CALLED, PASSWORD, Agent, Tenant, hears, spoken
from tests.support.rolling import keeping

WITHIN_S = 30.0
TRUNKS = 8
NAMES = [f"t{number}" for number in range(TRUNKS)]
DIDS = {name: f"+1555123{number:04d}" for number, name in enumerate(NAMES)}
GATEWAYS = ("gateway", "gateway-2")


class Both:
    """The stack, its carrier, and the account that has the trunks."""

    def __init__(self, stack, carrier, deps):
        self.stack, self.carrier, self.deps = stack, carrier, deps
        self.owner = Tenant(Rest(stack.layout.api_url, stack.credentials.api_key))
        self.ids = {}

    async def connect(self):
        for name in NAMES:
            trunk = {
                "host": HOST, "port": self.carrier.port, "username": name, "password": PASSWORD,
                "caller_id": DIDS[name], "allowed_countries": ["FR"],
            }  # fmt: skip
            made = await self.owner.rest("PUT", f"/api/trunks/{name}", trunk)
            self.ids[name] = made["trunk_id"]
            await self.owner.rest("POST", f"/api/trunks/{name}/dids", {"e164": DIDS[name]})

    def wanted(self, *gateways):
        """Return the gateway that is to register each trunk, if these gateways are there."""
        leases = [each for each in self.deps.stores.gateway_leases.all() if each.name in gateways]
        return {name: holder(id_, leases).name for name, id_ in self.ids.items()}

    async def registered_at(self):
        """Return the gateways that have registered each trunk at the carrier."""
        ports = {self.stack.layout.ports[each.replace("gateway", "sip")]: each for each in GATEWAYS}
        found = {}
        for name, contacts in (await self.carrier.registered()).items():
            at = [int(re.search(r":(\d+)", one["Address"].split("@")[1])[1]) for one in contacts]
            found[name] = {ports[port] for port in at}
        return found

    async def until_registered(self, wanted, within_s=WITHIN_S, *, alone=True):
        """Until each trunk is registered by whom it is wanted of (`alone`: and by nobody else);
        return how long that took."""
        began = time.monotonic()
        while True:
            found = await self.registered_at()
            ready = [
                found.get(name) == {gateway} if alone else gateway in found.get(name, ())
                for name, gateway in wanted.items()
            ]
            if all(ready):
                return time.monotonic() - began
            assert time.monotonic() - began < within_s, (wanted, found)
            await asyncio.sleep(0.2)

    def doctor_says(self):
        """Return the findings of the doctor about gateways, by name."""
        scene = Scene(of_stack(self.stack.layout.stack_file), bootstrap.config(), self.deps)
        return {each.name: (each.result, each.seen) for each in doctor.answers(scene)}

    async def call_in(self, up, name):
        caller = f"+3361777{NAMES.index(name):05d}"
        calling = await up(
            Sipp.uac(
                "hangs_up", self.carrier.pstn_port, number=DIDS[name],
                caller=f"<sip:{caller}@{HOST}>", talk_ms=500, within_s=60,
            )
        )  # fmt: skip
        call = await self.owner.rings(caller)
        assert call["to"] == DIDS[name]
        await self.owner.accept(call)
        await calling.finished()
        assert await self.owner.ending(call) == ("ended", "caller_hangup")

    async def call_out(self, up, speech, name, number):
        called = await up(Sipp.uas("answers"))
        await self.carrier.route(number, called.address)
        call = await self.owner.dial(number, trunk=name)
        agent = await up(Agent(call))
        words = speech("greeting")
        await self.owner.is_active(call)
        await agent.say(spoken(words))
        await hears(called.rtp, words)
        await self.owner.leave(call)
        assert await self.owner.ending(call) == ("ended", "agent_hangup")


@pytest.fixture
def as_before():
    """The stack is in this process, and puts its settings into the environment."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    bootstrap.config.cache_clear()
    bootstrap.dependencies.cache_clear()


@pytest.fixture
async def both(tmp_path, up, as_before):
    carrier = await up(
        Carrier(dict.fromkeys(NAMES, PASSWORD), dids={did: name for name, did in DIDS.items()})
    )
    stack = temporary_stack(tmp_path / "state", lambda _: None, gateways=2)
    holding = []
    await keeping(lambda: holding.append(stack.__enter__()))
    running = holding[0]
    try:
        found = Both(
            running, carrier, application_dependencies(running.layout, running.credentials)
        )
        await found.connect()
        yield found
    finally:
        await keeping(lambda: stack.__exit__(None, None, None))
        for name in GATEWAYS:
            print((tmp_path / "state" / "logs" / f"{name}.log").read_text()[-6000:])


def of(both, name):
    """The process of a gateway."""
    return next(part for part in both.stack.parts if part.name == name)


async def test_a_killed_gateway_s_trunks_are_registered_by_the_other_within_30_s(both, up, speech):
    divided = both.wanted(*GATEWAYS)
    await both.until_registered(divided)
    # By the first trunk of either, if each has one: ids are random.
    for name in {gateway: name for name, gateway in divided.items()}.values():
        await both.call_out(up, speech, name, CALLED)

    assert both.doctor_says()["gateways"] == (Result.OK, "gateway, gateway-2")
    lost = divided[NAMES[0]]
    other = next(each for each in GATEWAYS if each != lost)
    of(both, lost).process.kill()
    took_s = await both.until_registered(dict.fromkeys(NAMES, other), alone=False)
    print(f"all trunks of a killed gateway were registered elsewhere after {took_s:.1f} s")
    assert took_s < WITHIN_S
    await both.call_in(up, NAMES[0])
    await both.call_out(up, speech, NAMES[0], CALLED)
    said = both.doctor_says()
    assert said["gateways"] == (Result.WARN, f"only {other} takes calls")
    assert said["gateway trunks"][0] is Result.OK
    assert both.stack.dead_part() is None  # `make run` goes on with one


@pytest.mark.deep
async def test_a_drained_gateway_s_trunks_are_registered_elsewhere_before_it_leaves_them(
    both, up, speech, monkeypatch, capsys
):
    from local import environment

    divided = both.wanted(*GATEWAYS)
    await both.until_registered(divided)
    drained = divided[NAMES[0]]
    other = next(each for each in GATEWAYS if each != drained)
    for name, value in environment.application(both.stack.layout, both.stack.credentials).items():
        monkeypatch.setenv(name, value)
    seen = []
    watching = asyncio.create_task(_watch(both, seen))
    assert await asyncio.to_thread(admin, ["drain", "gateway", "--name", drained]) == 0
    took_s = await both.until_registered(dict.fromkeys(NAMES, other))
    watching.cancel()
    print(f"the trunks of a drained gateway had moved after {took_s:.1f} s; {capsys.readouterr()}")
    # At no moment was a trunk without a registration.
    assert all(found.get(name) for found in seen for name in NAMES)
    await both.call_in(up, NAMES[0])
    await both.call_out(up, speech, NAMES[0], CALLED)
    assert await asyncio.to_thread(admin, ["drain", "gateway", "--name", drained, "--end"]) == 0
    await both.until_registered(divided)


async def _watch(both, seen):
    while True:
        seen.append(await both.registered_at())
        await asyncio.sleep(0.1)
