"""Tests of lines whose connection breaks, is silent or is not there, and of what then is freed."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from gateway.calls.leg import Release
from gateway.legs.sip import trunk_line, trunk_lines
from gateway.sip import registration
from tests.sip.peers.registrar import Registrar, rings
from tests.unit.gateway.sip.conftest import (
    TRUNK_A,
    TRUNK_B,
    WITHIN_S,
    applied,
    dialled,
    sip_legs,
    trunk,
)

DONE = Release("completed", 200, "")


def by_tcp(port: int):
    return dataclasses.replace(trunk(TRUNK_A, port), transport="tcp")


async def test_a_call_outlasts_the_connection_that_it_was_made_by(legs, phone, monkeypatch):
    monkeypatch.setattr(trunk_line, "_RECONNECT_AFTER", 0)
    await applied(legs, by_tcp(phone.endpoint.local[1]), until="failed")
    leg, call = dialled(legs, TRUNK_A)
    talking = await phone.answer(await asyncio.wait_for(phone.next_call(), WITHIN_S))
    await call.hears("on_answered")
    line = legs._lines.line_of(TRUNK_A)
    broken = line.flow
    legs.stack.endpoint._connections[broken.connection].abort()
    await applied(legs, dataclasses.replace(line.trunk, revision=2), until="failed")
    async with asyncio.timeout(WITHIN_S):
        while line.flow in (None, broken):
            await legs.statuses.get()
    leg.hangup(DONE)
    await asyncio.wait_for(talking.ended.wait(), WITHIN_S)


async def test_a_connection_by_which_no_answer_comes_is_made_anew(legs, monkeypatch):
    for module in (registration, trunk_line):
        monkeypatch.setattr(module, "ANSWER_WITHIN", 0.05)
    monkeypatch.setattr(trunk_line, "_RECONNECT_AFTER", 0)
    opened: asyncio.Queue = asyncio.Queue()

    async def serve(reader, writer):
        opened.put_nowait(writer)
        while await reader.read(4096):
            pass
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        legs.apply(by_tcp(server.sockets[0].getsockname()[1]))
        async with asyncio.timeout(WITHIN_S):
            for _ in range(2):
                await opened.get()
        legs.drop(TRUNK_A)


async def test_a_second_dial_without_a_connection_fails_with_the_reason(legs, phone):
    await applied(legs, trunk(TRUNK_A, phone.endpoint.local[1]), until="failed")
    _, call = dialled(legs, TRUNK_A)
    incoming = await asyncio.wait_for(phone.next_call(), WITHIN_S)
    legs._lines.line_of(TRUNK_A).flow = None
    incoming.reject(phone.now, 403)
    phone.flush()
    heard = await call.hears("on_hangup")
    assert heard == ("on_hangup", 503, "the trunk has no connection to its carrier")
    assert not legs._placed
    assert len(legs.stack.plane) == 0


async def test_a_stopping_gateway_waits_for_registrars_though_a_trunk_was_dropped_before(
    monkeypatch,
):
    monkeypatch.setattr(trunk_lines, "_GONE_WITHIN", 0.2)
    loop = asyncio.get_running_loop()
    async with Registrar(rings) as registrar:
        async with sip_legs() as legs:
            await applied(legs, trunk(TRUNK_A, registrar.port), until="registered")
            await applied(legs, trunk(TRUNK_B, registrar.port), until="registered")
            legs.drop(TRUNK_A)
            await registrar.until(lambda: len(registrar.bindings["acct"]) == 1)
            registrar.respond = lambda *_: None
            begin = loop.time()
        assert loop.time() - begin >= 0.2


async def test_a_call_whose_admission_fails_gives_back_its_place_and_its_port(
    legs, phone, monkeypatch
):
    failures = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: failures.append(what))
    with monkeypatch.context() as patch:
        patch.setattr(legs.exchange, "admit", lambda *_, **__: 1 // 0)
        talking = phone.start(legs.uri)
        await asyncio.wait_for(talking.ended.wait(), WITHIN_S)
    assert talking.ending.status == 500
    assert isinstance(failures[0]["exception"], ZeroDivisionError)
    assert not legs._placed
    assert len(legs.stack.plane) == 0


@pytest.mark.parametrize("edge", ["127.0.0.9:5060", "[::1]:5060"])
async def test_headers_of_the_edge_count_from_the_edge_alone(phone, edge):
    async with sip_legs(sip_edge=edge) as legs:
        call = phone.start(legs.uri).call
        invite = call.invite
        phone.agent.context.calls.clear()
        invite.headers.put("X-Chamade-Peer", "1")
        invite.headers.put("X-Chamade-Source", "192.0.2.1:5060")
        invite.headers.put("Call-ID", "forged")
        phone.agent.context.stamp(invite, call.flow)
        phone.agent.context.outbox.send(call.flow, bytes(invite))
        phone.flush()
        facts = (await legs.exchange.next())[2]
        while facts["sip_call_id"] != "forged":
            facts = (await legs.exchange.next())[2]
        assert facts["standing"] == "stranger"
        assert len(legs.stack.plane) == 0
