"""Tests of a trunk's settings with real peers: carriers that know us by our address, SRTP in each
form, and a carrier that is found by SRV records.
"""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest

from common import g711
from gateway.calls.leg import Destination, Release, Route
from gateway.legs.sip.lookup import MachineLookup, Servers
from gateway.legs.sip.sip_legs import SipLegs
from gateway.sip.network.dns_lookup import DnsLookup
from local.listening import find
from tests.sip.edge_support import edge_and_gateway
from tests.sip.peers import HOST, Carrier, Sipp
from tests.sip.peers.registrar import Registrar, rings
from tests.sip.support import CALLED, DID, PASSWORD, USER, spoken
from tests.support.name_server import name_server
from tests.unit.gateway.sip.conftest import (
    TRUNK_A,
    TRUNK_B,
    WITHIN_S,
    RecordingCall,
    RecordingExchange,
    applied,
    by_address,
    sip_legs,
    trunk,
)

DONE = Release("completed", 200, "")


@pytest.fixture
async def legs():
    async with sip_legs() as made:
        yield made


async def speak(leg, pcm) -> None:
    """20 ms every 20 ms, as the gateway's clock does."""
    ulaw = g711.encode(pcm.astype("<i2").tobytes())
    loop = asyncio.get_running_loop()
    due = loop.time()
    for at in range(0, len(ulaw) - 159, 160):
        leg.play(ulaw[at : at + 160])
        due += 0.02
        await asyncio.sleep(max(0, due - loop.time()))


def audio_of(call):
    frames = b"".join(event[1] for event in call.events if event[0] == "on_audio")
    return g711.DECODE_TABLE[np.frombuffer(frames, np.uint8)]


def dialled(legs):
    call = RecordingCall()
    leg = legs.route(Destination(to=CALLED, from_=DID, trunk_id=TRUNK_A))
    leg.attach(call, "CA1")
    leg.ring()
    return leg, call


async def both_hear(leg, call, phone, speech):
    """Until what each side says has been heard at the other."""
    ours, theirs = speech("greeting"), speech("caller")

    async def speaks():
        while True:
            await speak(leg, spoken(ours))

    speaking = asyncio.create_task(speaks())
    try:
        async with asyncio.timeout(WITHIN_S):
            while not (  # noqa: ASYNC110 - what is heard is in a file
                find(theirs, audio_of(call)).share > 0.6 and find(ours, phone.heard()).share > 0.6
            ):
                await asyncio.sleep(0.2)
    finally:
        speaking.cancel()


@pytest.fixture
def phone_as_carrier(legs, softphone, speech):
    """`await phone_as_carrier(encryption, srtp)`: a phone that is the carrier of a trunk by
    address, and the trunk ready.
    """

    async def ready(encryption, srtp):
        phone = await softphone(user=CALLED, says=spoken(speech("caller")), encryption=encryption)
        await applied(legs, by_address(TRUNK_A, phone.port, srtp=srtp), until="ready")
        return phone

    return ready


@pytest.mark.parametrize(
    "policy",
    [
        (None, "off", False),
        (None, "offered", False),
        ("srtp", "offered", True),
        ("srtp-mand", "required", True),
    ],
)
async def test_a_dialled_phone_and_we_hear_each_other_with_each_policy(
    legs, phone_as_carrier, speech, policy
):
    encryption, srtp, encrypted = policy
    phone = await phone_as_carrier(encryption, srtp)
    leg, call = dialled(legs)
    ringing = await phone.rings()
    await ringing.accept()
    await call.hears("on_answered")
    await both_hear(leg, call, phone, speech)
    (dialled_leg,) = legs._placed
    assert (dialled_leg._audio.media.negotiated.srtp is not None) == encrypted
    leg.hangup(DONE)
    await ringing.closed()


async def test_a_phone_that_knows_no_srtp_is_not_reached_if_it_is_required(legs, phone_as_carrier):
    await phone_as_carrier(None, "required")
    _, call = dialled(legs)
    assert (await call.hears("on_hangup"))[1] == 488


@pytest.mark.parametrize(
    "policy",
    [(None, "off", False), ("srtp-mand", "off", True), ("srtp-mand", "required", True)],
)
async def test_a_phone_that_calls_and_we_hear_each_other_with_each_policy(
    legs, phone_as_carrier, speech, policy
):
    encryption, srtp, encrypted = policy
    phone = await phone_as_carrier(encryption, srtp)
    contact = legs._lines.line_of(TRUNK_A).contact
    calling = await phone.dial(f"sip:{contact}@{HOST}:{legs._config.sip_port}")
    leg, call, facts = await legs.exchange.next()
    assert facts["trunk_id"] == TRUNK_A
    await leg.answer()
    await calling.established()
    await both_hear(leg, call, phone, speech)
    assert (leg._audio.media.negotiated.srtp is not None) == encrypted
    leg.hangup(DONE)
    await calling.closed()


async def test_a_phone_that_calls_without_srtp_is_refused_if_it_is_required(legs, phone_as_carrier):
    phone = await phone_as_carrier(None, "required")
    contact = legs._lines.line_of(TRUNK_A).contact
    calling = await phone.dial(f"sip:{contact}@{HOST}:{legs._config.sip_port}")
    assert "488" in await calling.closed()


@pytest.mark.parametrize("account", [True, False])
async def test_a_carrier_by_address_that_challenges_calls_gets_the_account_if_there_is_one(
    legs, carrier, up, account
):
    uas = await up(Sipp.uas("answers", echo=True))
    await carrier.route("+33199", uas.address)
    known = {"username": USER, "password": PASSWORD} if account else {}
    await applied(
        legs, by_address(TRUNK_A, carrier.port, realm=carrier.realm, **known), until="ready"
    )
    leg, call = dialled(legs)
    if account:
        await call.hears("on_answered")
        leg.hangup(DONE)
        await uas.finished()
    else:
        assert (await call.hears("on_hangup"))[1] == 407
    assert not carrier.requests("REGISTER")


async def test_a_carrier_is_found_by_its_srv_records_and_the_dead_server_left(up):
    carrier = await up(Carrier({USER: PASSWORD}, dids={DID: USER}))
    dead = await asyncio.start_server(lambda *_: None, HOST, 0)
    port = dead.sockets[0].getsockname()[1]
    dead.close()
    await dead.wait_closed()
    records = {
        ("_sip._tcp.trunk.example.", "SRV"): [
            f"1 1 {port} sbc.trunk.example.",
            f"2 1 {carrier.port} sbc.trunk.example.",
        ],
        ("sbc.trunk.example.", "A"): [HOST],
    }
    async with name_server(records) as dns:
        servers = Servers(MachineLookup(DnsLookup(dns.resolver())))
        async with sip_legs(servers) as legs:
            wanted = dataclasses.replace(
                trunk(TRUNK_A, 0), host=carrier.realm, port=None, transport="tcp",
                username=USER, password=PASSWORD,
            )  # fmt: skip
            await applied(legs, wanted, until="registered")
            assert carrier.registrations()[0].uri.startswith(f"sip:{carrier.realm}")
            assert USER in await carrier.registered()


@pytest.fixture
async def behind_the_edge(tmp_path):
    """The gateway's SIP behind an edge."""
    edge, config = await asyncio.to_thread(edge_and_gateway, tmp_path / "edge.log")
    statuses: asyncio.Queue = asyncio.Queue()
    legs = SipLegs(config, RecordingExchange(), lambda *status: statuses.put_nowait(status))
    legs.statuses = statuses
    await legs.start()
    yield legs
    await legs.stop()
    await asyncio.to_thread(edge.stop)


@pytest.mark.deep
@pytest.mark.parametrize("answer", [None, "503 Service Unavailable"])
async def test_behind_the_edge_a_call_goes_on_to_the_next_trunk(up, behind_the_edge, answer):
    """The edge says 100 for a carrier that says nothing, and 408 after six seconds."""
    legs = behind_the_edge
    first = await up(Registrar(lambda _: answer))
    second = await up(Registrar(rings))
    await applied(legs, trunk(TRUNK_A, first.port), until="registered")
    await applied(legs, trunk(TRUNK_B, second.port), until="registered")
    routes = (Route(TRUNK_A, CALLED, DID), Route(TRUNK_B, CALLED, DID))
    call = RecordingCall()
    leg = legs.route(Destination(to=CALLED, from_=DID, trunk_id=TRUNK_A, routes=routes))
    leg.attach(call, "CA1")
    leg.ring()
    await call.hears("on_ringing")
    assert call.names == ["on_trunk", "on_ringing"]
    assert first.invites
    leg.hangup(DONE)
    await second.until(lambda: second.requests["CANCEL"])
