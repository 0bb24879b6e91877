"""A front with two gateway processes behind a real edge, each with the trunk of one account at a
carrier, and with what surrounds them.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from gateway.http.auth import basic
from gateway.share import process_of
from local.listening import follow
from tests.sip.edge_fuzz_gateway import ECHOED, Application
from tests.sip.edge_support import Edge
from tests.sip.edge_talkers import INSIDE, Talker
from tests.sip.peers import HOST, Carrier, Sipp
from tests.sip.peers.processes import Program
from tests.sip.support import PASSWORD, Since, until
from tests.support.engine import ROOT
from tests.support.ports import free_port, free_ports
from tests.unit.gateway.control_server import SECRET, ControlServer, trunk_id

ACCOUNT, TOKEN = "AC" + "0" * 32, "t"
PROCESSES = 2
TRUNKS = [
    next(each for each in map(trunk_id, itertools.count()) if process_of(each, PROCESSES) == number)
    for number in range(PROCESSES)
]
"""A trunk of each process."""
USERS, DIDS = ["acct0", "acct1"], ["+15551230000", "+15551230001"]
_CALLS = f"/2010-04-01/Accounts/{ACCOUNT}/Calls"
_STARTS_WITHIN_S = 20.0
_HEARD = 0.7


class Front(Program):
    """`python -m gateway` with two processes."""

    def __init__(self, log: Path, env: dict[str, str]) -> None:
        super().__init__(sys.executable, "-m", "gateway", log=log, cwd=ROOT, env=env)
        self.url = f"http://{HOST}:{env['GATEWAY_PORT']}"

    async def __aenter__(self) -> Front:
        self.http = aiohttp.ClientSession(headers={"Authorization": basic(ACCOUNT, TOKEN)})
        await self.start()
        await self.until(lambda: '"processes": 2' in self.said(), _STARTS_WITHIN_S, "serving")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        await self.stop(grace_s=10)
        print(self.said())

    async def processes(self) -> list[dict[str, Any]]:
        """The state of each process."""
        async with self.http.get(f"{self.url}/status") as answer:
            return list((await answer.json())["processes"])

    async def pid(self, number: int) -> int:
        """The process id of a process that runs."""
        return int((await self.processes())[number]["pid"])

    async def trunks(self) -> list[dict[str, Any]]:
        """All trunks, of all processes."""
        async with self.http.get(f"{self.url}/trunks") as answer:
            return list((await answer.json())["trunks"])

    async def lag_s(self, number: int) -> float:
        """How late a process's audio was at the worst, in the last ten seconds."""
        async with self.http.get(f"{self.url}/metrics") as answer:
            page = await answer.text()
        found = re.search(rf'gateway_sip_lag_ms{{process="{number + 1}"}} ([\d.]+)', page)
        assert found, page
        return float(found[1]) / 1000

    async def registers(self, *trunks: str) -> None:
        """Until these trunks are registered."""
        async with asyncio.timeout(10):
            while set(trunks) - await self._registered():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)

    async def _registered(self) -> set[str]:
        shown = await self.trunks()
        return {each["trunk_id"] for each in shown if each["status"] == "registered"}

    async def dial(self, trunk: str, to: str, twiml: str) -> tuple[int, dict[str, Any]]:
        """POST …/Calls.json by a trunk: the status and the answer."""
        form = {"Byoc": trunk, "To": to, "From": "+33199005678", "Twiml": twiml}
        async with self.http.post(f"{self.url}{_CALLS}.json", data=form) as answer:
            return answer.status, await answer.json()

    async def call(self, sid: str) -> tuple[int, dict[str, Any]]:
        """GET …/Calls/SID.json: the status and the answer."""
        async with self.http.get(f"{self.url}{_CALLS}/{sid}.json") as answer:
            return answer.status, await answer.json()


class Setting:
    """The front, its edge, its carrier and its application."""

    def __init__(
        self, front: Front, edge: Edge, carrier: Carrier, application: Application
    ) -> None:
        self.front, self.edge = front, edge
        self.carrier, self.application = carrier, application

    def echo(self) -> str:
        """A document by which a called party hears itself."""
        return self.application.document("echo")

    def caller(self, number: int, scenario: str = "is_hung_up", **options: Any) -> Sipp:
        """A caller of a process's trunk who is echoed."""
        options.setdefault("caller", f"<sip:{ECHOED}@{HOST}>")
        return Sipp.uac(scenario, self.carrier.pstn_port, number=DIDS[number], **options)

    async def new_sid(self, known: set[str]) -> str:
        """The SID of the call that came in since."""
        await until(lambda: set(self.application.sids) - known)
        [sid] = set(self.application.sids) - known
        return sid


@asynccontextmanager
async def setting(folder: Path, registrar: Talker | None = None) -> AsyncIterator[Setting]:
    """Everything, with both trunks registered: with the carrier, or with another registrar."""
    users = dict.fromkeys(USERS, PASSWORD)
    dids = dict(zip(DIDS, USERS, strict=True))
    first = free_ports(4)
    children = [f"{INSIDE}:{first + number}" for number in range(PROCESSES)]
    edge = await asyncio.to_thread(Edge, children, folder / "edge.log")
    control = ControlServer()
    try:
        async with (
            Carrier(users, dids=dids) as carrier,
            Application() as application,
            control.serving(),
        ):
            at = (registrar.ip, registrar.port) if registrar else (HOST, carrier.port)
            for trunk, user in zip(TRUNKS, USERS, strict=True):
                control.put(
                    trunk, host=at[0], port=at[1], username=user, password=PASSWORD,
                    realm=carrier.realm,
                )  # fmt: skip
            env = {
                "GATEWAY_PROCESSES": str(PROCESSES),
                "GATEWAY_ACCOUNT_SID": ACCOUNT,
                "GATEWAY_AUTH_TOKEN": TOKEN,
                "GATEWAY_VOICE_URL": application.voice_url,
                "GATEWAY_PORT": str(free_port()),
                "GATEWAY_CONTROL_URL": control.url,
                "GATEWAY_CONTROL_SECRET": SECRET,
                "GATEWAY_ALLOW_PRIVATE_TRUNKS": "1",
                "GATEWAY_SIP_PORT": str(first),
                "GATEWAY_SIP_EDGE": f"{INSIDE}:{edge.inside[1]}",
            }
            async with Front(folder / "front.log", env) as front:
                await front.registers(*TRUNKS)
                yield Setting(front, edge, carrier, application)
    finally:
        await asyncio.to_thread(edge.stop)


class Talking:
    """A call whose far end says the same words all the time, and hears its own echo."""

    def __init__(self, peer: Sipp, words: Any) -> None:
        self.peer, self._words = peer, words
        self._task = asyncio.create_task(self._say())

    async def _say(self) -> None:
        await self.peer.program.until(
            lambda: any(one.body for one in self.peer.messages if not one.sent), 10, "an SDP"
        )
        pause = np.zeros(1600, np.int16)
        while True:
            words = np.concatenate([self._words, pause])
            await self.peer.rtp.play(words, self.peer.remote_media)

    async def hears_itself(self) -> None:
        """Until it has heard its words, from now on."""
        since = Since(self.peer.rtp)
        heard = 0.0
        async with asyncio.timeout(20):
            while heard < _HEARD:
                await asyncio.sleep(0.5)
                recorded = since.heard()
                heard = (await asyncio.to_thread(follow, self._words, recorded)).share

    def longest_hole_s(self, since: float, until: float) -> float:
        """The longest time without a packet between two moments (monotonic)."""
        moments = [one.at for one in self.peer.rtp.packets if since <= one.at <= until]
        return max(after - before for before, after in itertools.pairwise([*moments, until]))

    def lost(self) -> int:
        """The packets that never came."""
        numbers = {one.sequence for one in self.peer.rtp.packets}
        first, last = (self.peer.rtp.packets[at].sequence for at in (0, -1))
        return (last - first) % 0x10000 + 1 - len(numbers)

    def stop(self) -> None:
        """Fall silent."""
        self._task.cancel()


def runs(pid: int) -> bool:
    """Return whether a process is there, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def kill(pid: int) -> None:
    """End a process as a crash does."""
    os.kill(pid, 9)
