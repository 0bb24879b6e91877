"""Tests that SIP children are started, watched and replaced, and that their lost calls are
reported.
"""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from gateway.calls.leg import Destination
from tests.unit.gateway.sip.conftest import TRUNK_A, TRUNK_B, RecordingCall, applied, trunk


class Swallower(asyncio.DatagramProtocol):
    """A registrar that never answers, and counts."""

    def __init__(self) -> None:
        self.came = asyncio.Event()

    def datagram_received(self, data, addr):
        self.came.set()


@pytest.fixture
async def silent():
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        Swallower, local_addr=("127.0.0.1", 0)
    )
    protocol.port = transport.get_extra_info("sockname")[1]
    yield protocol
    transport.close()


async def test_a_killed_child_is_replaced_and_gets_its_trunks_again(pool, silent):
    pool.apply(trunk(TRUNK_A, silent.port))
    await asyncio.wait_for(silent.came.wait(), 5)
    child = pool._trunks.child_of(TRUNK_A)
    old = child.pid
    silent.came.clear()
    os.kill(old, signal.SIGKILL)
    await asyncio.wait_for(silent.came.wait(), 5)
    assert child.pid != old
    assert child.restarts == 1


async def test_only_the_calls_of_a_killed_child_are_broken(pool, silent):
    recorded: dict[str, list] = {TRUNK_A: [], TRUNK_B: []}
    for trunk_id, events in recorded.items():
        await applied(pool, trunk(trunk_id, silent.port))
        destination = Destination(to="+33199001234", from_="+33199005678", trunk_id=trunk_id)
        leg = pool.route(destination)
        leg.attach(RecordingCall(events), "CA1")
        leg.ring()
    victim, other = pool._trunks.child_of(TRUNK_A), pool._trunks.child_of(TRUNK_B)
    assert victim is not other
    os.kill(victim.pid, signal.SIGKILL)
    victim.ready.clear()
    await asyncio.wait_for(victim.ready.wait(), 10)
    assert [name for name, *_ in recorded[TRUNK_A]] == ["on_broken"]
    assert recorded[TRUNK_B] == []
    assert other.restarts == 0


@pytest.mark.deep
async def test_a_child_that_hangs_is_killed_and_replaced(pool):
    child = pool.children[0]
    old = child.pid
    child.ready.clear()
    os.kill(old, signal.SIGSTOP)
    await asyncio.wait_for(child.ready.wait(), 20)
    assert child.pid != old


@pytest.mark.deep
async def test_a_silent_registrar_is_reported_within_ten_seconds(pool, silent):
    pool.apply(trunk(TRUNK_A, silent.port))
    seen = []
    async with asyncio.timeout(12):
        while not seen or seen[-1][2] != "failed":
            seen.append(await pool.statuses.get())
    assert seen[0][:3] == (TRUNK_A, 1, "registering")
    assert seen[-1][3:] == (None, "no answer")


async def test_a_call_through_an_unknown_trunk_fails_at_once(pool):
    events: list = []
    leg = pool.route(Destination(to="+33199001234", from_="+331", trunk_id=TRUNK_A))
    leg.attach(RecordingCall(events), "CA1")
    leg.ring()
    assert events == [("on_hangup", 503, "the trunk is not connected")]


async def test_no_child_outlives_its_gateway(pool):
    pids = [child.pid for child in pool.children]
    await pool.stop()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
