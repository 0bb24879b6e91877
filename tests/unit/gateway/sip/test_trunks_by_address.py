"""Tests of trunks whose carriers know us by our address: they are asked whether they answer."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from gateway.legs.sip import trunk_line
from gateway.sip import keep_alive
from tests.sip.peers.registrar import Registrar, rings
from tests.unit.gateway.sip.conftest import (
    TRUNK_A,
    TRUNK_B,
    WITHIN_S,
    applied,
    by_address,
    dialled,
    sip_legs,
    trunk,
)


@pytest.fixture
async def carrier():
    async with Registrar(rings) as carrier:
        yield carrier


@pytest.fixture
def often(monkeypatch):
    """OPTIONS go often, and answers are awaited for a moment."""
    monkeypatch.setattr(trunk_line, "_ASK_EVERY", 0.1)


async def status_of(legs, trunk_id):
    """The next status of a trunk."""
    async with asyncio.timeout(WITHIN_S):
        while (told := await legs.statuses.get())[0] != trunk_id:
            pass
    return told[2:]


async def test_a_trunk_by_address_is_ready_when_its_carrier_answers(legs, carrier):
    legs.apply(by_address(TRUNK_A, carrier.port))
    assert (await status_of(legs, TRUNK_A))[0] == "registering"
    assert await status_of(legs, TRUNK_A) == ("ready", 200, "OK")
    assert carrier.requests == {"OPTIONS": 1}


@pytest.mark.parametrize("answer", ["404 Not Found", "405 Method Not Allowed", "503 Busy"])
async def test_any_answer_makes_it_ready(legs, carrier, answer):
    carrier.options = answer
    legs.apply(by_address(TRUNK_A, carrier.port))
    await status_of(legs, TRUNK_A)
    assert (await status_of(legs, TRUNK_A))[:2] == ("ready", int(answer[:3]))


async def test_a_silent_carrier_fails_the_trunk_until_it_answers(legs, carrier, often):
    carrier.options = None
    legs.apply(by_address(TRUNK_A, carrier.port))
    await status_of(legs, TRUNK_A)
    assert await status_of(legs, TRUNK_A) == ("failed", None, "no answer")
    carrier.options = "200 OK"
    async with asyncio.timeout(WITHIN_S):
        while (await legs.statuses.get())[2] != "ready":
            pass
    carrier.options = None
    async with asyncio.timeout(WITHIN_S):
        while (await legs.statuses.get())[2] != "failed":
            pass


async def test_a_call_goes_out_by_a_trunk_without_an_account(legs, carrier):
    await applied(legs, by_address(TRUNK_A, carrier.port), until="ready")
    _, call = dialled(legs, TRUNK_A)
    await call.hears("on_ringing")
    (invite,) = carrier.invites
    assert not invite.get("authorization")
    assert carrier.requests["REGISTER"] == 0


async def test_a_carrier_that_challenges_calls_gets_the_account_if_there_is_one(legs, carrier):
    carrier.challenges_calls = True
    await applied(
        legs, by_address(TRUNK_A, carrier.port, username="acct", password="s3cret"), until="ready"
    )
    await applied(legs, by_address(TRUNK_B, carrier.port), until="ready")
    _, call = dialled(legs, TRUNK_A)
    await call.hears("on_ringing")
    (invite,) = carrier.invites
    assert 'username="acct"' in invite.get("authorization")
    _, call = dialled(legs, TRUNK_B)
    assert (await call.hears("on_hangup"))[1] == 401


async def test_a_refused_call_is_not_dialled_again_without_an_account(legs, carrier):
    carrier.answer = lambda _: "403 Forbidden"
    await applied(legs, by_address(TRUNK_A, carrier.port), until="ready")
    _, call = dialled(legs, TRUNK_A)
    assert (await call.hears("on_hangup"))[1] == 403
    assert len(carrier.invites) == 1


async def test_a_trunk_that_does_both_registers_and_is_not_asked(legs, carrier):
    both = dataclasses.replace(
        by_address(TRUNK_A, carrier.port, username="acct", password="s3cret"), auth="both"
    )
    await applied(legs, both, until="registered")
    assert carrier.registered == 1
    assert carrier.requests["OPTIONS"] == 0


async def test_a_dropped_trunk_is_asked_no_more(legs, carrier, often):
    await applied(legs, by_address(TRUNK_A, carrier.port), until="ready")
    await carrier.until(lambda: carrier.requests["OPTIONS"] > 2)
    legs.drop(TRUNK_A)
    legs.apply(by_address(TRUNK_B, carrier.port))
    await applied(legs, dataclasses.replace(by_address(TRUNK_B, carrier.port), revision=2), "ready")
    assert len(legs._lines._kit.owners) == 1
    _, call = dialled(legs, TRUNK_A)
    assert call.events == [("on_hangup", 503, "the trunk is not connected")]


async def test_a_trunk_by_address_over_tcp_connects_again_when_the_connection_breaks(
    legs, monkeypatch
):
    monkeypatch.setattr(trunk_line, "_RECONNECT_AFTER", 0)
    opened: asyncio.Queue = asyncio.Queue()

    async def serve(reader, writer):
        opened.put_nowait(await reader.readuntil(b"\r\n"))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        legs.apply(dataclasses.replace(by_address(TRUNK_A, port), transport="tcp"))
        async with asyncio.timeout(WITHIN_S):
            for _ in range(3):
                assert (await opened.get()).startswith(b"OPTIONS ")
        legs.drop(TRUNK_A)


async def test_a_stopping_gateway_leaves_trunks_by_address_without_a_word(carrier):
    async with sip_legs() as legs:
        await applied(legs, by_address(TRUNK_A, carrier.port), until="ready")
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 1
    assert carrier.requests == {"OPTIONS": 1}


# keep_alive


async def test_a_registered_trunk_with_options_is_asked_and_stays_registered(legs, carrier, often):
    kept = dataclasses.replace(trunk(TRUNK_A, carrier.port), keep_alive="options")
    await applied(legs, kept, until="registered")
    await carrier.until(lambda: carrier.requests["OPTIONS"] > 3)
    assert legs._lines.line_of(TRUNK_A).up
    assert carrier.requests["REGISTER"] == 2


async def test_two_silences_in_a_row_make_a_registered_trunk_register_anew(
    legs, carrier, often, monkeypatch
):
    monkeypatch.setattr(trunk_line, "_RECONNECT_AFTER", 0)
    kept = dataclasses.replace(trunk(TRUNK_A, carrier.port), keep_alive="options")
    await applied(legs, kept, until="registered")
    before = carrier.requests["REGISTER"]
    carrier.options = None
    await carrier.until(lambda: carrier.requests["REGISTER"] > before)
    line = legs._lines.line_of(TRUNK_A)
    carrier.options = "200 OK"
    await applied(legs, dataclasses.replace(kept, revision=2), until="registered")
    assert legs._lines.line_of(TRUNK_A) is line


async def test_a_trunk_with_crlf_sends_double_crlfs_by_its_way(legs, monkeypatch):
    monkeypatch.setattr(trunk_line, "_CRLF_EVERY", 0.05)
    crlfs: asyncio.Queue = asyncio.Queue()
    async with Registrar() as carrier:
        take = carrier.datagram_received

        def receive(data, addr):
            if not data.strip():
                crlfs.put_nowait((data, addr[1]))
            take(data, addr)

        carrier.datagram_received = receive
        kept = dataclasses.replace(trunk(TRUNK_A, carrier.port), keep_alive="crlf")
        await applied(legs, kept, until="registered")
        async with asyncio.timeout(WITHIN_S):
            for _ in range(3):
                assert await crlfs.get() == (b"\r\n\r\n", legs._config.sip_port)
        legs.drop(TRUNK_A)
        assert not crlfs_of(legs)


async def test_behind_an_edge_no_double_crlfs_are_sent(monkeypatch):
    monkeypatch.setattr(trunk_line, "_CRLF_EVERY", 0.01)
    async with (
        Registrar(challenges=False) as edge,
        sip_legs(sip_edge=f"127.0.0.1:{edge.port}") as legs,
    ):
        kept = dataclasses.replace(trunk(TRUNK_A, 5060), keep_alive="crlf")
        await applied(legs, kept, until="registered")
        assert not crlfs_of(legs)


def crlfs_of(legs):
    """What sends double CRLFs."""
    timed = legs.stack.agent.context.timers._running
    return [owner for owner in timed if isinstance(owner, keep_alive.Crlf)]
