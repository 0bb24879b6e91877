"""Tests that the agent and the account are told who answered, through the whole system: a phone at
a carrier answers like a machine, or like a person.
"""

from __future__ import annotations

import asyncio

import pytest

from common import g711
from local.agent import Talk
from tests.integration.test_transfer_on_the_stack import CALLED, third_party  # noqa: F401
from tests.support.answers import HELD_OUT, far_ends

MESSAGES = ("answered_by", "greeting_ended")
SILENCE = bytes([g711.SILENCE]) * 8000


async def dialled(live, aclient, phone, **wanted):
    """Return a call that the phone has answered, the phone's side, and the agent's."""
    trunk = await aclient.trunks.get(name="main")
    call = await aclient.calls.dial(trunk.sip_uri(CALLED), **wanted)
    talking = await phone.answer_next()
    shown = await live.rest("GET", f"/api/call/{call.call_id}")
    agent = Talk(shown["audio"], "?format=mulaw")
    return call.call_id, talking, agent, asyncio.create_task(agent.run(SILENCE))


async def known(live, call_id, member):
    """Wait until the call shows such a member; return the call."""
    async with asyncio.timeout(20):
        while True:
            call = await live.rest("GET", f"/api/call/{call_id}")
            if member in call:
                return call
            await asyncio.sleep(0.1)


async def events_of(live, call_id):
    page = await live.rest("GET", "/api/events?limit=100")
    names = ("call.answered_by", "call.machine_greeting_ended")
    return [
        event["type"]
        for event in page["events"]
        if event["call_id"] == call_id and event["type"] in names
    ]


async def test_a_machine_and_its_beep_are_told_to_agent_and_account(live, aclient, third_party):  # noqa: F811
    machine = next(
        each for each in far_ends(HELD_OUT, (None,)) if each.by == "machine" and each.beep
    )
    call_id, talking, agent, running = await dialled(
        live, aclient, third_party, detect_answer="greeting_end"
    )
    playing = asyncio.create_task(talking.play(machine.ulaw))
    shown = await known(live, call_id, "greeting_ended_by")
    assert (shown["answered_by"], shown["greeting_ended_by"]) == ("machine", "beep")
    told = [each for each in agent.told if each["type"] in MESSAGES]
    assert [each["type"] for each in told] == list(MESSAGES)
    assert told[1]["at_ms"] == pytest.approx(machine.said_ms, abs=1500)
    assert await events_of(live, call_id) == ["call.answered_by", "call.machine_greeting_ended"]
    playing.cancel()
    await talking.hang_up()
    await asyncio.wait_for(running, 10)


@pytest.mark.deep
async def test_a_person_is_told_from_a_machine(live, aclient, third_party):  # noqa: F811
    person = next(each for each in far_ends(HELD_OUT, (None,)) if each.by == "human")
    call_id, talking, _, running = await dialled(live, aclient, third_party, detect_answer="on")
    playing = asyncio.create_task(talking.play(person.ulaw))
    assert (await known(live, call_id, "answered_by"))["answered_by"] == "human"
    playing.cancel()
    await talking.hang_up()
    await asyncio.wait_for(running, 10)
