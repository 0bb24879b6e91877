"""Tests of the SIP requests that a carrier gets when a leg dials."""

from __future__ import annotations

import asyncio

import pytest

from gateway.calls.leg import Release
from local.carrier import Message
from tests.unit.gateway.sip.conftest import CALLER, TRUNK_A, applied, dialled, trunk

CANCELED = Release("canceled", 487, "")


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


@pytest.fixture
async def connected(legs, carrier):
    """The SIP of a gateway whose trunk is registered at the carrier."""
    await applied(legs, trunk(TRUNK_A, carrier.port), until="registered")
    return legs


async def test_a_carrier_that_requires_the_account_in_from_gets_the_number_in_another_header(
    carrier, connected
):
    leg, call = dialled(connected, TRUNK_A)
    await call.hears("on_ringing")
    first, second = carrier.invites[0], carrier.invites[-1]
    assert f"sip:{CALLER}@" in first.get("from")
    assert "sip:acct@" in second.get("from")
    assert f"sip:{CALLER}@" in second.get("p-asserted-identity")
    assert [event[0] for event in call.events] == ["on_ringing"]
    leg.hangup(CANCELED)


async def test_a_carriers_required_form_of_from_is_remembered(carrier, connected):
    leg, call = dialled(connected, TRUNK_A)
    await call.hears("on_ringing")
    before = len(carrier.invites)
    _, again = dialled(connected, TRUNK_A)
    await again.hears("on_ringing")
    assert ["sip:acct@" in invite.get("from") for invite in carrier.invites[before:]] == [True]
    leg.hangup(CANCELED)


async def test_a_call_given_up_while_it_rings_is_cancelled(carrier, connected):
    leg, call = dialled(connected, TRUNK_A)
    await call.hears("on_ringing")
    leg.hangup(CANCELED)
    await carrier.sees("CANCEL")


async def test_a_call_given_up_at_once_does_not_keep_ringing(carrier, connected):
    """No CANCEL may be sent before the far end has answered anything (RFC 3261 9.1)."""
    leg, call = dialled(connected, TRUNK_A)
    leg.hangup(CANCELED)
    other, other_call = dialled(connected, TRUNK_A)
    await other_call.hears("on_ringing")
    other.hangup(CANCELED)
    await carrier.sees("CANCEL")
    assert call.events == []
    ringing = [invite for invite in carrier.invites if CALLER not in invite.get("from")]
    assert carrier.methods.count("CANCEL") == len(ringing)


async def test_a_call_through_an_unknown_trunk_fails_at_once(legs):
    _, call = dialled(legs, TRUNK_A)
    assert call.events == [("on_hangup", 503, "the trunk is not connected")]


async def test_keys_are_sent_one_after_the_other(carrier, connected):
    leg, call = dialled(connected, TRUNK_A)
    await call.hears("on_ringing")
    for _ in range(500):
        leg.press("5")
    leg.hangup(CANCELED)
    await carrier.sees("CANCEL")
