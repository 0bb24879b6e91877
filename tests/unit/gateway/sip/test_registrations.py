"""Tests of what a registrar sees of a trunk: one contact at a time, which nobody else learns."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from gateway.calls.leg import Release
from gateway.legs.sip import trunk_lines
from tests.sip.peers.registrar import Registrar, rings
from tests.unit.gateway.sip.conftest import (
    CALLER,
    TRUNK_A,
    TRUNK_B,
    WITHIN_S,
    applied,
    dialled,
    sip_legs,
    trunk,
)

CHANGES = 60
DONE = Release("completed", 200, "")


@pytest.fixture
async def registrar():
    async with Registrar(rings) as registrar:
        yield registrar


@pytest.fixture
async def silent():
    """A registrar that answers nothing."""
    async with Registrar() as registrar:
        registrar.respond = lambda *_: None
        yield registrar


async def test_a_trunk_that_is_changed_often_has_one_contact_in_the_end(registrar, legs):
    await applied(legs, trunk(TRUNK_B, registrar.port), until="registered")
    one = trunk(TRUNK_A, registrar.port)
    for revision in range(2, CHANGES):
        legs.apply(dataclasses.replace(one, revision=revision, password=f"s3cret{revision}"))
        if revision % 3:
            await asyncio.wait_for(legs.statuses.get(), WITHIN_S)
    await applied(legs, dataclasses.replace(one, revision=CHANGES), until="registered")
    await registrar.until(lambda: len(registrar.bindings["acct"]) == 2)
    _, call = dialled(legs, TRUNK_B)
    await call.hears("on_ringing")


async def test_a_change_that_the_registrar_would_not_see_causes_no_register(registrar, legs):
    one = trunk(TRUNK_A, registrar.port)
    await applied(legs, one, until="registered")
    before = registrar.requests["REGISTER"]
    for revision in range(2, CHANGES):
        await applied(legs, dataclasses.replace(one, revision=revision), until="registered")
    assert registrar.requests["REGISTER"] == before


async def test_a_dropped_trunk_is_unregistered(registrar, legs):
    await applied(legs, trunk(TRUNK_A, registrar.port), until="registered")
    legs.drop(TRUNK_A)
    await registrar.until(lambda: not registrar.registered)
    _, call = dialled(legs, TRUNK_A)
    assert call.events == [("on_hangup", 503, "the trunk is not connected")]


async def test_a_stopping_gateway_unregisters_all_trunks_that_answer(registrar):
    async with sip_legs() as legs:
        await applied(legs, trunk(TRUNK_A, registrar.port), until="registered")
        await applied(legs, trunk(TRUNK_B, registrar.port), until="registered")
    assert registrar.registered == 0


async def test_a_stopping_gateway_does_not_wait_long_for_a_silent_registrar(silent, monkeypatch):
    monkeypatch.setattr(trunk_lines, "_GONE_WITHIN", 0.05)
    async with asyncio.timeout(WITHIN_S), sip_legs() as legs:
        legs.apply(trunk(TRUNK_A, silent.port))
        await silent.until(lambda: silent.requests["REGISTER"])


@pytest.mark.deep
async def test_a_silent_registrar_is_reported_within_ten_seconds(silent, legs):
    legs.apply(trunk(TRUNK_A, silent.port))
    async with asyncio.timeout(12):
        assert (await legs.statuses.get())[:3] == (TRUNK_A, 1, "registering")
        assert (await legs.statuses.get())[2:] == ("failed", None, "no answer")


async def test_a_call_outlasts_a_change_of_its_trunk(registrar, legs):
    await applied(legs, trunk(TRUNK_A, registrar.port), until="registered")
    leg, call = dialled(legs, TRUNK_A)
    await call.hears("on_ringing")
    changed = dataclasses.replace(trunk(TRUNK_A, registrar.port), revision=2, password="another")
    await applied(legs, changed, until="registered")
    await registrar.until(lambda: len(registrar.bindings["acct"]) == 1)
    assert call.names == ["on_ringing"]
    leg.hangup(DONE)
    await registrar.until(lambda: registrar.requests["CANCEL"])


async def test_each_call_has_its_own_caller_id(registrar, legs):
    await applied(legs, trunk(TRUNK_A, registrar.port), until="registered")
    for nth in range(20):
        caller = f"+3319900{nth:04}"
        leg, call = dialled(legs, TRUNK_A, caller)
        await call.hears("on_ringing")
        assert f"<sip:{caller}@" in registrar.invites[-1].get("from")
        leg.hangup(DONE)


async def test_an_outbound_invite_does_not_show_the_registered_contact(registrar, legs):
    await applied(legs, trunk(TRUNK_A, registrar.port), until="registered")
    _, call = dialled(legs, TRUNK_A)
    await call.hears("on_ringing")
    [registered] = registrar.bindings["acct"]
    [invite] = registrar.invites
    assert registered not in invite.encode().decode()


async def test_a_trunk_without_tls_offers_no_encryption(registrar, legs):
    await applied(legs, trunk(TRUNK_A, registrar.port), until="registered")
    _, call = dialled(legs, TRUNK_A)
    await call.hears("on_ringing")
    assert "a=crypto" not in registrar.invites[0].body


async def test_a_caller_id_invalid_in_a_header_fails_its_call(registrar, legs):
    await applied(legs, trunk(TRUNK_A, registrar.port), until="registered")
    _, call = dialled(legs, TRUNK_A, "sip:a@b>;x")
    assert (await call.hears("on_hangup"))[1] == 503
    assert not registrar.invites


async def test_a_call_can_be_dialled_before_its_trunk_is_registered(registrar, legs):
    registrar.challenges = False
    registrar._register = lambda *_: None
    legs.apply(dataclasses.replace(trunk(TRUNK_A, registrar.port), realm="carrier.example"))
    await registrar.until(lambda: registrar.requests["REGISTER"])
    _, call = dialled(legs, TRUNK_A, CALLER)
    await call.hears("on_ringing")
    assert f"sip:{CALLER}@carrier.example" in registrar.invites[0].get("from")


async def test_a_call_to_the_registered_contact_comes_by_its_trunk(registrar, legs, phone):
    await applied(legs, trunk(TRUNK_A, registrar.port), until="registered")
    [contact] = registrar.bindings["acct"]
    for user, expected in ((contact, TRUNK_A), ("acct", None)):
        phone.start(f"sip:{user}@{legs.uri.partition('@')[2]}")
        _, _, facts = await legs.exchange.next()
        assert facts["trunk_id"] == expected


async def test_a_carrier_that_closes_the_connection_is_registered_at_anew(legs, monkeypatch):
    monkeypatch.setattr("gateway.legs.sip.trunk_line._RECONNECT_AFTER", 0)
    opened: asyncio.Queue = asyncio.Queue()

    async def serve(reader, writer):
        opened.put_nowait(await reader.readuntil(b"\r\n"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    legs.apply(dataclasses.replace(trunk(TRUNK_A, port), transport="tcp"))
    async with asyncio.timeout(WITHIN_S):
        for _ in range(3):
            assert (await opened.get()).startswith(b"REGISTER ")
    legs.drop(TRUNK_A)
    server.close()


async def test_a_carrier_that_takes_no_connections_is_reported_with_the_reason(legs):
    probe = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    legs.apply(dataclasses.replace(trunk(TRUNK_A, port), transport="tcp"))
    assert (await legs.statuses.get())[2] == "registering"
    status = await asyncio.wait_for(legs.statuses.get(), WITHIN_S)
    assert status[2:] == ("failed", None, "Connection refused")
