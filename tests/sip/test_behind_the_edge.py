"""Tests of the gateway's SIP behind the edge, with a carrier in front of it: a
registration, and an inbound and an outbound call with audio.
"""

from __future__ import annotations

import asyncio
import types

import numpy as np
import pytest

from common import g711
from gateway.calls.leg import Destination, Release
from gateway.legs.sip.sip_legs import SipLegs
from gateway.trunks.trunk import Trunk
from local.listening import find
from tests.sip.edge_messages import reply, sdp
from tests.sip.edge_support import edge_and_gateway
from tests.sip.edge_talkers import INSIDE, Talker
from tests.sip.peers import Sipp
from tests.sip.support import DID, PASSWORD, USER, spoken
from tests.unit.gateway.sip.conftest import TRUNK_A, RecordingCall

DONE = Release("completed", 200, "")


class Admitting:
    """The exchange's place: answers what comes in, and notes it."""

    def __init__(self) -> None:
        self.admitted: asyncio.Queue = asyncio.Queue()

    def admit(self, leg, **facts):
        call = RecordingCall()
        leg.attach(call, "CA1")
        leg.ring()
        self.admitted.put_nowait((leg, call, facts))


@pytest.fixture
async def behind(tmp_path):
    """The gateway's SIP behind an edge."""
    edge, config = await asyncio.to_thread(edge_and_gateway, tmp_path / "edge.log")
    statuses: asyncio.Queue = asyncio.Queue()
    exchange = Admitting()
    pool = SipLegs(config, exchange, lambda *status: statuses.put_nowait(status))
    await pool.start()
    yield types.SimpleNamespace(
        pool=pool, edge=edge, exchange=exchange, statuses=statuses, port=config.sip_port
    )
    await pool.stop()
    await asyncio.to_thread(edge.stop)


async def registered(behind, carrier) -> None:
    behind.pool.apply(
        Trunk(
            trunk_id=TRUNK_A, revision=1, host="127.0.0.1", port=carrier.port, transport="udp",
            username=USER, password=PASSWORD, realm=carrier.realm,
        )
    )  # fmt: skip
    async with asyncio.timeout(10):
        while (await behind.statuses.get())[2] != "registered":
            pass


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


async def test_a_trunk_registers_through_the_edge_under_its_public_address(behind, carrier):
    await registered(behind, carrier)
    [contact] = (await carrier.registered())[USER]
    assert f"@127.0.0.2:{behind.edge.port}" in contact["Address"]
    assert "127.0.0.1" not in contact["Address"]


async def test_a_call_to_the_trunks_number_comes_in_through_the_edge(behind, carrier, up, speech):
    await registered(behind, carrier)
    uac = await up(Sipp.uac("is_hung_up", carrier.pstn_port, number=DID))
    async with asyncio.timeout(10):
        leg, call, facts = await behind.exchange.admitted.get()
    assert (facts["trunk_id"], facts["to"]) == (TRUNK_A, DID)
    await leg.answer()
    await uac.receives(200)
    words, answer = speech("caller"), speech("greeting")
    await asyncio.gather(uac.rtp.play(spoken(words), uac.remote_media), speak(leg, spoken(answer)))
    await asyncio.sleep(0.3)  # what is under way
    leg.hangup(DONE)
    await uac.finished()
    # A busy machine has gaps.
    assert find(answer, uac.rtp.heard()).share > 0.6
    assert find(words, audio_of(call)).share > 0.6
    answered = next(m for m in uac.received("INVITE") + uac.messages if "200 OK" in str(m))
    assert f"127.0.0.1:{behind.port}" not in str(answered)


async def test_a_call_goes_out_through_the_edge(behind, carrier, up, speech):
    await registered(behind, carrier)
    uas = await up(Sipp.uas("answers", echo=True))
    await carrier.route("+33199", uas.address)
    call = RecordingCall()
    leg = behind.pool.route(Destination(to="+33199001234", from_="+33199005678", trunk_id=TRUNK_A))
    leg.attach(call, "CA1")
    leg.ring()
    await call.hears("on_answered")
    words = speech("caller")
    await speak(leg, spoken(words))
    await asyncio.sleep(0.3)  # what is under way
    leg.hangup(DONE)
    await uas.finished()
    assert find(words, audio_of(call)).share > 0.6
    invite = uas.received("INVITE")[0]
    assert f"sip:+33199005678@127.0.0.2:{behind.edge.port}" in invite.header("Contact")


async def dialled(behind) -> RecordingCall:
    call = RecordingCall()
    leg = behind.pool.route(Destination(to="+33199001234", from_="+33199005678", trunk_id=TRUNK_A))
    leg.attach(call, "CA1")
    leg.ring()
    return call


@pytest.fixture
async def callee(behind, carrier):
    """Whom the carrier sends calls to: it says what a test wants."""
    await registered(behind, carrier)
    talker = Talker(INSIDE)
    await carrier.route("+33199", (talker.ip, talker.port))
    yield talker
    await asyncio.to_thread(talker.close)


@pytest.mark.parametrize(
    "body", ["", "nonsense", sdp(INSIDE, 0), sdp(INSIDE).replace("m=audio", "m=video")]
)
async def test_an_unusable_answer_is_acknowledged_and_ended_and_the_call_fails_at_once(
    behind, callee, body
):
    call = await dialled(behind)
    invite = await asyncio.to_thread(callee.expect, "INVITE")
    callee.send(reply(invite, 200, contact=f"<sip:c@{callee.at}>", body=body), invite.source)
    await asyncio.to_thread(callee.expect, "ACK")
    bye = await asyncio.to_thread(callee.expect, "BYE")
    callee.send(reply(bye, 200), bye.source)
    _, code, reason = await call.hears("on_hangup")
    assert code == 488
    assert "cannot be used" in reason


async def test_a_refusal_with_a_body_ends_the_call_with_its_code(behind, callee):
    call = await dialled(behind)
    invite = await asyncio.to_thread(callee.expect, "INVITE")
    answer = reply(invite, 480, body="<html>no</html>", content_type="text/html")
    callee.send(answer, invite.source)
    await asyncio.to_thread(callee.expect, "ACK")
    assert (await call.hears("on_hangup"))[1] == 480
