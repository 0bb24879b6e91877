"""Tests that a SIP child process that dies takes its own calls with it and nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from tests.sip.peers import HOST, Sipp, free_port
from tests.sip.support import (
    DID,
    USER,
    Agent,
    Since,
    child_of,
    children,
    fresh_caller,
    hears,
    spoken,
    until,
)

CALLS = 5
BACK_WITHIN_S = 5.0


@pytest.fixture
async def on_second_child(accounts, carrier, sip_port):
    """A tenant whose trunk is registered by the second child, and its carrier. The first child
    holds all calls to routing numbers.
    """
    others = []
    while True:
        tenant = next(accounts)
        await tenant.register(carrier)
        if await child_of(carrier, sip_port) == 1:
            break
        before = len(carrier.registrations(USER))
        await tenant.rest("DELETE", "/api/trunk")
        await carrier.registers(USER, count=before + 1)
        others.append(next(accounts))  # takes the place at the first child
        await others[-1].connect(free_port())
    yield tenant, carrier
    for each in (tenant, *others):
        await each.rest("DELETE", "/api/trunk")


@pytest.mark.deep
async def test_a_killed_child_ends_its_own_calls_only(up, on_second_child, line, softphone, speech):
    tenant, carrier = on_second_child
    await tenant.add(DID, auto_answer=True)
    await up(
        Sipp.uac("is_hung_up", carrier.pstn_port, number=DID, calls=CALLS, echo=True, within_s=30)
    )
    doomed = await asyncio.gather(*(_nth_active(tenant, nth) for nth in range(CALLS)))
    agents = [await up(Agent(call)) for call in doomed]
    await asyncio.gather(*(agent.talk.started.wait() for agent in agents))

    owner = line.owner
    callers, theirs = speech("caller"), speech("greeting")
    phone = await softphone(user=fresh_caller(), says=spoken(callers, times=9))
    calling = await phone.dial(line.uri)
    surviving = await owner.rings(phone.user)
    survivor = await up(Agent(surviving))
    await owner.accept(surviving)
    await survivor.say(theirs)
    await asyncio.gather(hears(phone, theirs), hears(survivor, callers))

    first, second = children(line.port)
    registered = len(carrier.registrations(USER))
    ears = Since(phone), Since(survivor)
    killed_at = time.time()
    os.kill(second.pid, signal.SIGKILL)
    saying = asyncio.create_task(survivor.say(theirs))

    endings = await asyncio.gather(*(tenant.ending(call) for call in doomed))
    assert set(endings) == {("failed", "media_failed")}
    told_s = time.time() - killed_at
    *_, again = await carrier.registers(USER, count=registered + 1)
    back_s = again.at - killed_at
    print(f"calls told {told_s:.2f} s, trunk registered {back_s:.2f} s after the kill")
    assert back_s < BACK_WITHIN_S
    for agent in agents:
        assert (await agent.dismissed())["reason"] == "media_failed"

    # Nobody at the other child has noticed.
    await saying
    await asyncio.gather(hears(ears[0], theirs), hears(ears[1], callers))
    assert all(ear.flow > 0.9 for ear in ears), [ear.flow for ear in ears]
    assert (await owner.call(surviving["call_id"]))["state"] == "active"
    await calling.hang_up()
    assert await owner.ending(surviving) == ("ended", "caller_hangup")

    # And the next one takes calls; once, though the carrier still has the killed one's contact.
    types = [event["type"] for event in await tenant.events()]
    assert types.count("trunk.registered") == 2
    now_first, now_second = children(line.port)
    assert now_first == first
    assert now_second.pid != second.pid
    await until(lambda: not second.alive)
    assert len((await carrier.registered())[USER]) == 2
    from_ = fresh_caller()
    caller = await up(
        Sipp.uac(
            "hangs_up", carrier.pstn_port, number=DID, caller=f"<sip:{from_}@{HOST}>", talk_ms=200
        )
    )
    call = await tenant.rings(from_)
    await caller.finished()
    assert await tenant.ending(call) == ("ended", "caller_hangup")
    rang = [e["data"]["call"] for e in await tenant.events() if e["type"] == "call.ringing"]
    assert [each["from"] for each in rang].count(from_) == 1


@pytest.mark.deep
async def test_a_child_that_hangs_is_replaced(on_second_child, line):
    _, carrier = on_second_child
    _, hanging = children(line.port)
    registered = len(carrier.registrations(USER))
    os.kill(hanging.pid, signal.SIGSTOP)
    await carrier.registers(USER, count=registered + 1, within_s=15)
    assert not hanging.alive


async def _nth_active(tenant, nth):
    """The account's nth call, once it is active."""
    seen = []

    def is_nth(data):
        seen.append(data["call"]["call_id"])
        return len(dict.fromkeys(seen)) == nth + 1

    data = await tenant.happens("call.answered", is_nth)
    return await tenant.call(data["call"]["call_id"])
