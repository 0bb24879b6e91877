"""The long run itself: starts the gateway, places calls at a pace, samples, drains, judges."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import secrets
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.rtp.plane import Plane
from tests.load.programs import running, wait_until
from tests.load.sip_long import watch
from tests.load.sip_long.application import Application
from tests.load.sip_long.carrier import Carrier, NotThere
from tests.load.sip_long.scenarios import SCENARIOS
from tests.load.sip_long.world import RTP_TIMEOUT_S, Scenario, World
from tests.load.trunk_list import PASSWORD, TrunkList, trunk_id
from tests.sip.peers.kamailio import certificates
from tests.sip.peers.processes import listens
from tests.support.ports import HOST, free_port

REGISTER_S = 30
_REGISTERED_WITHIN_S = 120.0
_DRAIN_S = 150.0
_EXAMPLES = 20
_LATE_MS = 100.0


@dataclass(frozen=True)
class Plan:
    """How long, how many calls, and how often something happens."""

    seconds: float
    calls_a_minute: float
    restart_every_s: float = 600.0
    away_s: float = 5.0
    """For how long a carrier that restarts is away."""
    sample_every_s: float = 60.0
    pace: float = 1.0
    """Multiplies how long calls talk."""
    scenarios: dict[Scenario, int] = field(default_factory=lambda: dict(SCENARIOS))


@dataclass
class Tally:
    """How calls went."""

    began: Counter[str] = field(default_factory=Counter)
    well: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    """Calls that did not go as planned while their carrier restarted."""
    late: Counter[str] = field(default_factory=Counter)
    """Calls of which a step took too long. The machine may have been busy: no fault by itself."""
    wrong: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    sent: int = 0
    heard: int = 0
    foreign: int = 0
    """Frames that a call heard of another one."""

    def note(self, kind: Counter[str], name: str, carrier: str, why: object) -> None:
        """Count a call that did not go well."""
        kind[name] += 1
        if len(self.examples) < _EXAMPLES or kind is self.wrong:
            self.examples.append(f"{name} by {carrier}: {why!r}"[:300])


class LongRun:
    """One run; `verdict` is complete when `go` has returned."""

    def __init__(self, plan: Plan, work: Path, out: Path) -> None:
        self._plan, self._work, self._out = plan, work, out
        self.tally = Tally()
        self.samples: list[watch.Counts] = []
        self._carriers: dict[str, Carrier] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._watch_port = 0
        self._url = ""

    async def go(self) -> dict[str, Any]:
        """Run it; return the verdict."""
        self._work.mkdir(parents=True, exist_ok=True)
        self._out.parent.mkdir(parents=True, exist_ok=True)
        self._out.write_text("")
        async with AsyncExitStack() as stack:
            application = await self._start(stack)
            before = await self._settled()
            self._write({"before": before})
            began = time.monotonic()
            sampling = asyncio.create_task(self._sample(began))
            until = began + self._plan.seconds
            restarting = asyncio.create_task(self._restart(until))
            await self._place(application, until)
            await asyncio.gather(restarting, *self._calls, return_exceptions=True)
            sampling.cancel()
            for carrier in self._carriers.values():
                carrier.hang_up_all()
            after = await self._drained(before)
            verdict = self._judge(before, after)
            self._write({"verdict": verdict})
            return verdict

    # Setting up.

    async def _start(self, stack: AsyncExitStack) -> Application:
        account = "AC" + secrets.token_hex(16), secrets.token_hex(16)
        secret = secrets.token_hex(16)
        trunks = TrunkList(secret)
        plane = Plane(HOST, range(40_000, 48_000))
        stack.callback(plane.close)
        await certificates(self._work)
        await self._open_carriers(stack, plane, trunks)
        application = Application(account, trunks)
        await stack.enter_async_context(application.serving())
        port, sip_port, self._watch_port = free_port(), free_port(), free_port()
        settings = {
            "GATEWAY_ACCOUNT_SID": account[0],
            "GATEWAY_AUTH_TOKEN": account[1],
            "GATEWAY_VOICE_URL": f"{application.url}/voice",
            "GATEWAY_STATUS_URL": f"{application.url}/status",
            "GATEWAY_CONTROL_URL": application.url,
            "GATEWAY_CONTROL_SECRET": secret,
            "GATEWAY_ALLOW_PRIVATE_TRUNKS": "1",
            "GATEWAY_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "GATEWAY_SIP_PORT": str(sip_port),
            "GATEWAY_SIP_CA_FILE": str(self._work / "ca.pem"),
            "GATEWAY_SIP_REGISTER_INTERVAL": str(REGISTER_S),
            "GATEWAY_RTP_TIMEOUT": str(RTP_TIMEOUT_S),
            "GATEWAY_RTP_PORTS": "50000-57999",
        }
        command = [sys.executable, "-m", "tests.load.sip_long.watched", str(self._watch_port)]
        log = self._work / "gateway.log"
        process = stack.enter_context(running(command, log, settings))
        ready = asyncio.to_thread(
            wait_until, lambda: listens(self._watch_port, "tcp"), process, log
        )
        await ready
        self._url = f"http://{HOST}:{port}"
        for carrier in self._carriers.values():
            await carrier.registered(_REGISTERED_WITHIN_S)
        return application

    async def _open_carriers(self, stack: AsyncExitStack, plane: Plane, trunks: TrunkList) -> None:
        kinds = (
            ("udp", "udp", 0.0),
            ("lossy", "udp", 0.03),
            ("tcp", "tcp", 0.0),
            ("tls", "tls", 0.0),
        )
        for at, (name, transport, loses) in enumerate(kinds):
            carrier = Carrier(name, transport, plane, loses=loses)
            await carrier.start(free_port(), self._work)
            stack.callback(carrier.stop)
            self._carriers[trunk_id(at)] = carrier
            trunks.add(
                trunk_id(at),
                port=carrier.port,
                transport=transport,
                username=name,
                password=PASSWORD,
            )

    # The run.

    async def _place(self, application: Application, until: float) -> None:
        names = list(self._plan.scenarios)
        weights = list(self._plan.scenarios.values())
        turn = list(names)  # each kind once, before chance decides
        while time.monotonic() < until:
            scenario = turn.pop() if turn else random.choices(names, weights)[0]
            trunk, carrier = random.choice(list(self._carriers.items()))
            world = World(application, self._url, carrier, trunk, self._plan.pace)
            task = asyncio.create_task(self._call(scenario, world))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
            await asyncio.sleep(random.expovariate(self._plan.calls_a_minute / 60))

    async def _call(self, scenario: Scenario, world: World) -> None:
        tally, name, carrier = self.tally, getattr(scenario, "__name__", "call"), world.carrier
        began = carrier.now
        tally.began[name] += 1
        try:
            phone = await scenario(world)
        except NotThere as why:
            tally.note(tally.excused, name, carrier.name, why)
        except Exception as why:
            if carrier.was_away(began):
                kind = tally.excused
            else:
                kind = tally.late if isinstance(why, TimeoutError) else tally.wrong
            tally.note(kind, name, carrier.name, why)
        else:
            tally.well[name] += 1
            tally.sent += phone.sent
            tally.heard += phone.heard
            tally.foreign += phone.foreign
            if phone.foreign:
                tally.examples.append(f"{name} by {carrier.name}: {phone.told_foreign}")

    async def _restart(self, until: float) -> None:
        for carrier in itertools.cycle(self._carriers.values()):
            await asyncio.sleep(self._plan.restart_every_s)
            if time.monotonic() > until - 2 * self._plan.away_s:
                return
            try:
                await carrier.restart(self._plan.away_s, _REGISTERED_WITHIN_S)
            except TimeoutError:
                self.tally.note(self.tally.wrong, "restart", carrier.name, "not registered again")

    async def _sample(self, began: float) -> None:
        while True:
            await asyncio.sleep(self._plan.sample_every_s)
            sample = await watch.look(self._watch_port)
            sample = {"at_s": round(time.monotonic() - began), "placed": len(self._calls)} | sample
            self.samples.append(sample)
            self._write(
                sample | {"well": self.tally.well.total(), "wrong": self.tally.wrong.total()}
            )

    # The end.

    async def _settled(self) -> watch.Counts:
        await asyncio.sleep(2.0)
        return await watch.look(self._watch_port)

    async def _drained(self, before: watch.Counts) -> watch.Counts:
        """Return the counts once nothing is left behind, or when patience is."""
        deadline = time.monotonic() + _DRAIN_S
        while True:
            after = await watch.look(self._watch_port)
            if not watch.left_behind(before, after) or time.monotonic() > deadline:
                return after
            await asyncio.sleep(0.5)

    def _judge(self, before: watch.Counts, after: watch.Counts) -> dict[str, Any]:
        tally = self.tally
        half = self._plan.seconds / 2
        second = [(s["at_s"], s["rss_mb"]) for s in self.samples if s["at_s"] >= half]
        mb, percent = watch.growth(second)
        left = watch.left_behind(before, after)
        registers = {each.name: len(each.agent.came_at) for each in self._carriers.values()}
        grew = watch.grows(mb, percent)
        return {
            "sound": not (left or grew or tally.wrong or tally.foreign or after["not_handled"]),
            "left_behind": left,
            "growth_mb": round(mb, 2),
            "growth_percent_an_hour": round(percent, 2),
            "grew": grew,
            "calls": tally.began.total(),
            "well": tally.well.total(),
            "wrong": dict(tally.wrong),
            "late": dict(tally.late),
            "excused": dict(tally.excused),
            "kinds": dict(tally.began),
            "frames_sent": tally.sent,
            "frames_heard_again": tally.heard,
            "frames_of_other_calls": tally.foreign,
            "restarts": sum(len(each.restarts) for each in self._carriers.values()),
            "registers": registers,
            "most": {
                name: max((sample[name] for sample in self.samples), default=None)
                for name in (*watch.LEFT_BEHIND, *watch.AS_BEFORE, "rss_mb", "lag_ms")
            },
            "late_minutes": sum(sample["lag_ms"] > _LATE_MS for sample in self.samples),
            "before": before,
            "after": after,
            "examples": tally.examples,
        }

    def _write(self, line: dict[str, Any]) -> None:
        with self._out.open("a") as file:
            file.write(json.dumps(line) + "\n")
