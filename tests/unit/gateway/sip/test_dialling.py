"""Tests of the SIP requests that a carrier gets when a leg dials."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from gateway.calls.leg import Destination, Release
from local.carrier import Message
from tests.unit.gateway.sip.conftest import TRUNK_A, RecordingCall, applied, trunk

NUMBER, CALLER = "+33199001234", "+33199005678"


class PickyCarrier(asyncio.DatagramProtocol):
    """Takes any registration; refuses an INVITE whose From is a number; rings for the others."""

    def __init__(self) -> None:
        self.invites: list[Message] = []
        self.methods: list[str] = []
        self.news = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        message = Message.parse(data)
        if message.is_response:
            return
        self.methods.append(message.method)
        match message.method:
            case "INVITE" if CALLER in message.get("from"):
                self.invites.append(message)
                self.answer(message, addr, "403 Forbidden")
            case "INVITE":
                self.invites.append(message)
                self.answer(message, addr, "180 Ringing")
            case "ACK":
                pass
            case "CANCEL":
                self.answer(message, addr, "200 OK")
                self.answer(self.invites[-1], addr, "487 Request Terminated")
            case _:
                self.answer(message, addr, "200 OK")
        self.news.set()

    def answer(self, message, addr, status):
        kept = ("via", "from", "call-id", "cseq", "contact")
        headers = [(n, v) for n, v in message.headers if n.lower() in kept]
        headers += [("To", f"{message.get('to')};tag=picky"), ("Content-Length", "0")]
        self.transport.sendto(Message(f"SIP/2.0 {status}", headers, "").encode(), addr)

    async def sees(self, method: str) -> None:
        async with asyncio.timeout(10):
            while method not in self.methods:
                self.news.clear()
                await self.news.wait()


@pytest.fixture
async def carrier():
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        PickyCarrier, local_addr=("127.0.0.1", 0)
    )
    protocol.port = transport.get_extra_info("sockname")[1]
    yield protocol
    transport.close()


async def dial(pool, carrier):
    if pool._trunks.get(TRUNK_A) is None:
        await applied(pool, trunk(TRUNK_A, carrier.port))
    call = RecordingCall([])
    leg = pool.route(Destination(to=NUMBER, from_=CALLER, trunk_id=TRUNK_A))
    leg.attach(call, "CA1")
    leg.ring()
    return leg, call


async def test_a_carrier_that_requires_the_account_in_from_gets_the_number_in_another_header(
    carrier, pool
):
    leg, call = await dial(pool, carrier)
    await call.hears("on_ringing")
    first, second = carrier.invites[0], carrier.invites[-1]
    assert f"sip:{CALLER}@" in first.get("from")
    assert "sip:acct@" in second.get("from")
    assert f"sip:{CALLER}@" in second.get("p-asserted-identity")
    assert [event[0] for event in call.events] == ["on_ringing"]
    leg.hangup(Release("canceled", 487, ""))


async def test_a_carriers_required_form_of_from_is_remembered(carrier, pool):
    leg, call = await dial(pool, carrier)
    await call.hears("on_ringing")
    before = len(carrier.invites)
    again = RecordingCall([])
    second = pool.route(Destination(to=NUMBER, from_=CALLER, trunk_id=TRUNK_A))
    second.attach(again, "CA2")
    second.ring()
    await again.hears("on_ringing")
    assert ["sip:acct@" in invite.get("from") for invite in carrier.invites[before:]] == [True]
    leg.hangup(Release("canceled", 487, ""))


async def test_a_call_given_up_while_it_rings_is_cancelled(carrier, pool):
    leg, call = await dial(pool, carrier)
    await call.hears("on_ringing")
    leg.hangup(Release("canceled", 487, ""))
    await carrier.sees("CANCEL")


async def test_a_call_given_up_at_once_does_not_keep_ringing(carrier, pool):
    """The command to dial and the one to hang up reach the child in one piece."""
    leg, call = await dial(pool, carrier)
    leg.hangup(Release("canceled", 487, ""))
    other, other_call = await dial(pool, carrier)
    await other_call.hears("on_ringing")
    other.hangup(Release("canceled", 487, ""))
    await carrier.sees("CANCEL")
    assert call.events == []
    ringing = [invite for invite in carrier.invites if CALLER not in invite.get("from")]
    assert carrier.methods.count("CANCEL") == len(ringing)


async def test_unchanged_settings_do_not_touch_the_sip_stack(carrier, pool):
    """A change that the registrar would not see causes no REGISTER."""
    one = trunk(TRUNK_A, carrier.port)
    for revision in range(2, 60):
        await applied(pool, dataclasses.replace(one, revision=revision))
    leg, call = await dial(pool, carrier)
    await call.hears("on_ringing")
    assert all(child.restarts == 0 for child in pool.children)
    assert carrier.methods.count("REGISTER") == 1
    leg.hangup(Release("canceled", 487, ""))


async def test_settings_that_alternate_do_not_break_the_sip_stack(carrier, pool):
    """It must not be told to unregister an agent while it registers it."""
    right = trunk(TRUNK_A, carrier.port)
    for revision in range(2, 60):
        password = "another" if revision % 2 else right.password
        pool.apply(dataclasses.replace(right, revision=revision, password=password))
        if revision % 3:
            await applied(pool, dataclasses.replace(right, revision=revision, password=password))
    await applied(pool, dataclasses.replace(right, revision=60), until="registered")
    assert all(child.restarts == 0 for child in pool.children)


async def test_keys_are_sent_one_after_the_other(carrier, pool):
    leg, call = await dial(pool, carrier)
    await call.hears("on_ringing")
    for _ in range(500):
        leg.press("5")
    leg.hangup(Release("canceled", 487, ""))
    await carrier.sees("CANCEL")
