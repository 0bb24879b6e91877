"""Tests of trunks that another process registers: calls go out by them, and nothing else does."""

from __future__ import annotations

import asyncio

from gateway.legs.sip import trunk_lines
from local.carrier import Message
from tests.unit.gateway.sip.conftest import TRUNK_A, TRUNK_B, WITHIN_S, dialled, trunk


class Carrier(asyncio.DatagramProtocol):
    """Notes the methods of all requests; refuses calls."""

    def __init__(self):
        self.methods = []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        message = Message.parse(data)
        if message.is_response:
            return
        self.methods.append(message.method)
        if message.method == "INVITE":
            kept = ("via", "from", "call-id", "cseq")
            headers = [(n, v) for n, v in message.headers if n.lower() in kept]
            headers += [("To", f"{message.get('to')};tag=c"), ("Content-Length", "0")]
            self.transport.sendto(Message("SIP/2.0 486 Busy Here", headers, "").encode(), addr)


async def connected(legs, trunk_id):
    async with asyncio.timeout(WITHIN_S):
        while (line := legs._line_of(trunk_id)) is None or line.flow is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_call_goes_out_by_a_trunk_of_another_process_which_is_not_registered(legs):
    carrier = Carrier()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: carrier, ("127.0.0.1", 0))
    legs.recognise(trunk(TRUNK_A, transport.get_extra_info("sockname")[1]))
    await connected(legs, TRUNK_A)
    _, call = dialled(legs, TRUNK_A)
    assert (await call.hears("on_hangup"))[1] == 486
    legs.drop(TRUNK_A)
    _, call = dialled(legs, TRUNK_A)
    assert (await call.hears("on_hangup"))[1] == 503
    transport.close()
    assert "INVITE" in carrier.methods
    assert not {"REGISTER", "OPTIONS"} & set(carrier.methods)
    assert legs.statuses.empty()


async def test_trunks_of_other_processes_are_bounded_and_take_no_room_of_ours(legs, monkeypatch):
    monkeypatch.setattr(trunk_lines, "MAX_OTHERS", 1)
    monkeypatch.setattr(trunk_lines, "MAX_TRUNKS", 1)
    legs.recognise(trunk(TRUNK_A, 9))
    legs.recognise(trunk(TRUNK_B, 9))
    await connected(legs, TRUNK_A)
    assert legs._line_of(TRUNK_B) is None
    legs.apply(trunk(TRUNK_B, 9))
    await connected(legs, TRUNK_B)
    assert (await legs.statuses.get())[2] == "registering"
