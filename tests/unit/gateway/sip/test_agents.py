"""Tests that a trunk has one user agent, and that unused ones are given back so that handles never
run out.
"""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from gateway.legs.sip.child.handles import HANDLES

from gateway.calls.leg import Destination, Release
from tests.sip.peers.registrar import Registrar, rings
from tests.unit.gateway.sip.conftest import (
    TRUNK_A,
    TRUNK_B,
    RecordingCall,
    applied,
    has_agents,
    trunk,
)

CALLER, CALLED = "+33199005678", "+33199001234"
OWN = 2
"""Agents of a child that belong to no trunk."""
DONE = Release("completed", 200, "")


@pytest.fixture
async def registrar():
    async with Registrar(rings) as registrar:
        yield registrar


def dialled(pool, trunk_id, caller=CALLER):
    call = RecordingCall([])
    leg = pool.route(Destination(to=CALLED, from_=caller, trunk_id=trunk_id))
    leg.attach(call, "CA1")
    leg.ring()
    return leg, call


@pytest.mark.parametrize("pool", [1], indirect=True)
async def test_changing_a_trunk_more_often_than_there_are_handles_leaves_one_agent(registrar, pool):
    [child] = pool.children
    await applied(pool, trunk(TRUNK_B, registrar.port), until="registered")
    one = trunk(TRUNK_A, registrar.port)
    for revision in range(2, HANDLES + 200):
        changed = dataclasses.replace(one, revision=revision, password=f"s3cret{revision}")
        await applied(pool, changed)
    await applied(pool, dataclasses.replace(one, revision=9999), until="registered")
    await has_agents(child, OWN + 2)
    assert child.restarts == 0
    await registrar.until(lambda: len(registrar.bindings["acct"]) == 2)
    leg, call = dialled(pool, TRUNK_B)
    await call.hears("on_ringing")
    leg.hangup(DONE)


@pytest.mark.parametrize("pool", [1], indirect=True)
async def test_a_hundred_caller_ids_share_one_agent(registrar, pool):
    [child] = pool.children
    await applied(pool, trunk(TRUNK_A, registrar.port), until="registered")
    for nth in range(100):
        caller = f"+3319900{nth:04}"
        leg, call = dialled(pool, TRUNK_A, caller)
        await call.hears("on_ringing")
        assert f"<sip:{caller}@" in registrar.invites[-1].get("from")
        leg.hangup(DONE)
    await has_agents(child, OWN + 1)


async def test_a_dropped_trunk_is_unregistered_and_its_agent_released(registrar, pool):
    await applied(pool, trunk(TRUNK_A, registrar.port), until="registered")
    child = pool._trunks.child_of(TRUNK_A)
    pool.drop(TRUNK_A)
    await registrar.until(lambda: not registrar.registered)
    await has_agents(child, OWN)


async def test_a_call_outlasts_a_change_of_its_trunk_and_its_agent_is_released_after_it(
    registrar, pool
):
    await applied(pool, trunk(TRUNK_A, registrar.port), until="registered")
    child = pool._trunks.child_of(TRUNK_A)
    leg, call = dialled(pool, TRUNK_A)
    await call.hears("on_ringing")
    changed = dataclasses.replace(trunk(TRUNK_A, registrar.port), revision=2, password="another")
    await applied(pool, changed, until="registered")
    await has_agents(child, OWN + 2)
    assert [name for name, *_ in call.events] == ["on_ringing"]
    leg.hangup(DONE)
    await registrar.until(lambda: registrar.requests["CANCEL"])
    await has_agents(child, OWN + 1)
    await registrar.until(lambda: registrar.registered == 1)


async def test_agents_are_released_even_if_the_registrar_never_answers(pool):
    async with Registrar() as registrar:
        registrar.datagram_received = lambda data, addr: None
        child = None
        for revision in range(1, 60):
            await applied(
                pool,
                dataclasses.replace(
                    trunk(TRUNK_A, registrar.port), revision=revision, password=f"p{revision}"
                ),
            )
            child = pool._trunks.child_of(TRUNK_A)
            if revision % 20 == 0:  # let it get as far as a REGISTER
                await asyncio.sleep(0.1)
        await has_agents(child, OWN + 1)
        pool.drop(TRUNK_A)
        await has_agents(child, OWN)
        assert child.restarts == 0


async def test_an_outbound_invite_does_not_show_the_registered_contact(registrar, pool):
    await applied(pool, trunk(TRUNK_A, registrar.port), until="registered")
    leg, call = dialled(pool, TRUNK_A)
    await call.hears("on_ringing")
    [registered] = registrar.bindings["acct"]
    assert registered.startswith("acct-")
    [invite] = registrar.invites
    assert f"<sip:{CALLER}@" in invite.get("contact")
    assert registered not in invite.encode().decode()
    leg.hangup(DONE)


async def test_a_trunk_without_tls_offers_no_encryption_but_accepts_it(registrar, pool):
    await applied(pool, trunk(TRUNK_A, registrar.port), until="registered")
    leg, call = dialled(pool, TRUNK_A)
    await call.hears("on_ringing")
    assert "a=crypto" not in registrar.invites[0].body
    leg.hangup(DONE)


async def test_a_caller_id_invalid_in_a_header_fails_its_call(registrar, pool):
    await applied(pool, trunk(TRUNK_A, registrar.port), until="registered")
    _, call = dialled(pool, TRUNK_A, "sip:a@b>;x")
    assert (await call.hears("on_hangup"))[1] == 503
    assert not registrar.invites


async def test_a_call_can_be_dialled_before_its_trunk_is_registered(registrar, pool):
    pool.apply(dataclasses.replace(trunk(TRUNK_A, registrar.port), realm="carrier.example"))
    await pool.statuses.get()
    leg, call = dialled(pool, TRUNK_A)
    await call.hears("on_ringing")
    assert "sip:+33199005678@carrier.example" in registrar.invites[0].get("from")
    leg.hangup(DONE)
