from __future__ import annotations

import asyncio

import pytest

from gateway.config import Config
from gateway.legs.sip.sip_legs import SipLegs
from gateway.trunks.trunk import Trunk
from tests.support.ports import free_ports

TRUNK_A, TRUNK_B = "trunk_" + "a" * 26, "trunk_" + "c" * 26
"""One on each child."""


@pytest.fixture
async def pool(request):
    """Two children, or as many as the parameter says, and a queue of what they say of trunks."""
    statuses: asyncio.Queue = asyncio.Queue()
    children = getattr(request, "param", 2)
    config = Config(
        account_sid="AC" + "0" * 32,
        auth_token="t",
        voice_url="http://127.0.0.1:1/",
        allow_private_trunks=True,
        sip_port=free_ports(2 * children),
        sip_children=children,
    )
    pool = SipLegs(config, None, lambda *status: statuses.put_nowait(status))
    pool.statuses = statuses
    await pool.start()
    yield pool
    await pool.stop()


def trunk(trunk_id: str, port: int) -> Trunk:
    return Trunk(
        trunk_id=trunk_id,
        revision=1,
        host="127.0.0.1",
        port=port,
        transport="udp",
        username="acct",
        password="s3cret",
    )


async def applied(pool, wanted: Trunk, until: str | None = None) -> None:
    """The trunk, once its child has it (or is that far with it)."""
    pool.apply(wanted)
    async with asyncio.timeout(10):
        while True:
            trunk_id, revision, status, *_ = await pool.statuses.get()
            ours = (trunk_id, revision) == (wanted.trunk_id, wanted.revision)
            if ours and until in (None, status):
                return


async def has_agents(child, count: int) -> None:
    """Until a child says in its pulse that it has so many user agents."""
    async with asyncio.timeout(10):
        while child.agents != count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)


class RecordingCall:
    """A call that records its leg's reports, as (name, arguments…)."""

    def __init__(self, events: list) -> None:
        self.events = events
        self.news = asyncio.Event()

    def __getattr__(self, name):
        def note(*arguments):
            self.events.append((name, *arguments))
            self.news.set()

        return note

    async def hears(self, name: str) -> tuple:
        """Wait for the first event of that name; return it."""
        async with asyncio.timeout(10):
            while True:
                self.news.clear()
                for event in self.events:
                    if event[0] == name:
                        return event
                await self.news.wait()
