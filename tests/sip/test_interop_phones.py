"""Calls with phones of other SIP stacks: audio both ways, keys, hold, and hang-ups of both sides.

docs/sip.md has the table of what was played.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import numpy as np
import pytest

from local.listening import follow
from tests.sip.peers import Carrier
from tests.sip.peers.rtp import Samples
from tests.sip.peers.stacks import STACKS, Phone, Stack
from tests.sip.support import (
    BREATH_S,
    CALLED,
    DID,
    PASSWORD,
    USER,
    Agent,
    Since,
    fresh_caller,
    spoken,
    until,
)

pytestmark = pytest.mark.deep
KEYS = "42#"
PIECE, LOUD = 2400, 1000
"""Samples of speech that must be heard without a hole, and what is no pause in speech."""
MakePhone = Callable[..., Awaitable[Phone]]


def able(*what: str) -> pytest.MarkDecorator:
    """Return the parametrisation by the stacks that can do all of that."""
    stacks = [
        pytest.param(
            stack,
            id=stack.name,
            marks=pytest.mark.skipif(not stack.installed, reason="make .venv/.phones: no package"),
        )
        for stack in STACKS
        if stack.does.issuperset(what)
    ]
    return pytest.mark.parametrize("sip_stack", stacks)


@pytest.fixture
def phone(up, speech) -> MakePhone:
    """`phone = await phone(sip_stack, …)`: it says the example `caller`."""

    def make(stack: Stack, **options: object) -> Awaitable[Phone]:
        settings = {"user": fresh_caller(), "says": spoken(speech("caller"))} | options
        return up(Phone(stack, **settings))

    return make


@pytest.fixture
def talk(speech):
    """`await talk(phone, agent)`: until each has heard the other."""
    return lambda phone, agent: both_hear(phone, agent, speech("greeting"), speech("caller"))


@pytest.fixture
def dialled(up, tenant, phone):
    """`called, call, agent = await dialled(stack, carrier, …)`: it rings, the agent waits."""

    async def dial(stack: Stack, carrier: Carrier, **options: object):
        called = await phone(stack, user=CALLED, **options)
        await carrier.route(CALLED, called.address)
        call = await tenant.dial(host=carrier.host)
        agent = await up(Agent(call))
        await called.happens("incoming")
        return called, call, agent

    return dial


@pytest.fixture
def conversation(up, line, talk):
    """`call, agent = await conversation(phone)`: it has called in, and the two hear each other."""

    async def call_in(phone: Phone):
        await phone.do("dial", line.uri)
        call = await line.owner.rings(phone.user)
        agent = await up(Agent(call))
        await line.owner.accept(call)
        await phone.happens("established")
        await talk(phone, agent)
        return call, agent

    return call_in


async def both_hear(phone: Phone, agent: Agent, agents: Samples, phones: Samples) -> None:
    """Wait until each side hears, from now on, what the other one says; the agent says it thrice.

    A busy machine tears holes into each of the three, but not the same.
    """
    ears = Since(phone), Since(agent)
    await agent.say(spoken(agents, 3))
    for ear, said in zip(ears, (agents, phones), strict=True):
        with suppress(TimeoutError):
            await until(lambda ear=ear, said=said: is_heard(said, ear.heard()))
        recorded = ear.heard()
        assert is_heard(said, recorded), f"{ear.ear}: {follow(said, recorded)} of {len(recorded)}"


def is_heard(said: Samples, recorded: Samples) -> bool:
    """Return whether it was heard whole, or each piece of it in any of the times it was said."""
    if follow(said, recorded).heard:
        return True
    step = len(said) + int(8000 * BREATH_S)
    parts = [recorded[at : at + 2 * step] for at in range(0, len(recorded), step)]
    pieces = np.array_split(said, len(said) // PIECE)
    loud = [piece for piece in pieces if np.abs(piece).max() > LOUD]
    return all(any(follow(piece, part).heard for part in parts) for piece in loud)


@able()
async def test_a_call_of_a_phone_is_heard_both_ways_until_it_hangs_up(
    phone, line, conversation, sip_stack
):
    caller = await phone(sip_stack)
    call, agent = await conversation(caller)
    await caller.do("hang_up")
    assert await line.owner.ending(call) == ("ended", "caller_hangup")
    assert (await agent.dismissed())["reason"] == "caller_hangup"


@able("routes")
async def test_a_dialled_phone_is_heard_both_ways_until_the_agent_leaves(
    dialled, connected, carrier, talk, sip_stack
):
    codec = "pcma" if "alaw" in sip_stack.does else "pcmu"
    called, call, agent = await dialled(sip_stack, carrier, codec=codec)
    await called.do("accept")
    await connected.is_active(call)
    await talk(called, agent)
    await connected.leave(call)
    await called.happens("closed")
    assert await connected.ending(call) == ("ended", "agent_hangup")


@able()
async def test_a_dialled_phone_can_hang_up(dialled, connected, carrier, sip_stack):
    called, call, _ = await dialled(sip_stack, carrier)
    await called.do("accept")
    await called.happens("established")
    await called.do("hang_up")
    assert await connected.ending(call) == ("ended", "callee_hangup")


@able("keys")
async def test_keys_go_both_ways_as_telephone_events(phone, conversation, line, sip_stack):
    caller = await phone(sip_stack)
    call, agent = await conversation(caller)
    await caller.do("press", KEYS)
    await until(lambda: agent.keys() == KEYS)
    await agent.press(KEYS)
    await until(lambda: caller.keys() == KEYS)
    await line.owner.leave(call)
    await caller.happens("closed")


@able("info")
async def test_keys_in_info_reach_the_agent(phone, conversation, line, sip_stack):
    caller = await phone(sip_stack, keys="info")
    call, agent = await conversation(caller)
    await caller.do("press", KEYS)
    await until(lambda: agent.keys() == KEYS)
    await line.owner.leave(call)


@able("hold")
async def test_a_call_that_is_held_and_resumed_goes_on(phone, conversation, line, talk, sip_stack):
    caller = await phone(sip_stack)
    call, agent = await conversation(caller)
    await caller.do("hold")
    await caller.happens("held")
    await line.owner.happens("call.held", lambda data: data["call_id"] == call["call_id"])
    held = Since(caller)
    with suppress(TimeoutError):
        await until(lambda: len(held.heard()) > 8000, 1.5)
    assert held.flow < 0.2
    await caller.do("resume")
    await talk(caller, agent)
    await line.owner.happens("call.unheld", lambda data: data["call_id"] == call["call_id"])
    await line.owner.leave(call)
    await caller.happens("closed")


@able("srtp")
async def test_an_encrypted_call_of_a_phone_is_heard_both_ways(
    phone, conversation, line, sip_stack
):
    caller = await phone(sip_stack, encrypted=True)
    call, _ = await conversation(caller)
    assert caller.has_told("audio", "SRTP")
    await line.owner.leave(call)
    await caller.happens("closed")


@pytest.fixture
async def carrier_with_tls(up, authority, tenant):
    """A carrier by TLS with which the tenant is registered."""
    carrier = await up(Carrier({USER: PASSWORD}, dids={DID: USER}, tls=authority))
    carrier.host = "localhost"  # a name, for its certificate
    await tenant.register(carrier, port=carrier.tls_port, transport="tls", host=carrier.host)
    await tenant.add(DID)
    return carrier


@able("opportunistic")
async def test_a_phone_dialled_by_a_trunk_with_tls_is_encrypted_and_heard_both_ways(
    dialled, tenant, carrier_with_tls, talk, sip_stack
):
    called, call, agent = await dialled(sip_stack, carrier_with_tls, encrypted=True)
    await called.do("accept")
    await tenant.is_active(call)
    await talk(called, agent)
    assert called.has_told("audio", "SRTP")
    await tenant.leave(call)
    await called.happens("closed")
