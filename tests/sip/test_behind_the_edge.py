"""Tests of the gateway's SIP behind the edge, with a carrier in front of it: a registration, calls
in and out with audio, and calls from and to a carrier by its address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import types

import numpy as np
import pytest

from common import g711
from gateway.calls.leg import Destination, Release
from gateway.legs.sip.sip_legs import SipLegs
from gateway.trunks.trunk import Trunk
from local.listening import find
from tests.sip.edge_messages import reply, sdp, within_called
from tests.sip.edge_support import edge_and_gateway
from tests.sip.edge_talkers import INSIDE, Talker
from tests.sip.peers import Sipp
from tests.sip.peers.rtp import Rtp
from tests.sip.support import DID, PASSWORD, USER, spoken
from tests.unit.gateway.sip.conftest import TRUNK_A, TRUNK_B, RecordingCall

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


# ---- without a registration ----

CARRIER = "127.0.4.1"


async def by_address(behind, trunk_id=TRUNK_A, port=9, networks=("127.0.4.0/24",)) -> None:
    """Apply a trunk that takes calls from networks; wait until the edge knows them."""
    held = tuple(ipaddress.ip_network(each) for each in networks)
    behind.pool.apply(
        Trunk(
            trunk_id=trunk_id, revision=1, host=CARRIER, port=port, transport="udp", auth="ip",
            networks=held,
        )
    )  # fmt: skip
    await asyncio.sleep(0.5)  # the edge answers when it has noted them, but to the gateway alone


async def test_a_carrier_calls_by_its_address_and_hears_the_answer(behind, up, speech):
    await by_address(behind)
    uac = await up(Sipp.uac("is_hung_up", behind.edge.public, number=DID, host=CARRIER))
    async with asyncio.timeout(10):
        leg, call, facts = await behind.exchange.admitted.get()
    found = facts["trunk_id"], facts["to"], facts["standing"], facts["trunk_source"]
    assert found == (TRUNK_A, DID, "trunk", None)
    await leg.answer()
    await uac.receives(200)
    words, answer = speech("caller"), speech("greeting")
    await asyncio.gather(uac.rtp.play(spoken(words), uac.remote_media), speak(leg, spoken(answer)))
    await asyncio.sleep(0.3)  # what is under way
    leg.hangup(DONE)
    await uac.finished()
    assert find(answer, uac.rtp.heard()).share > 0.6
    assert find(words, audio_of(call)).share > 0.6


async def test_a_carrier_that_called_by_its_address_hangs_up(behind, up):
    await by_address(behind)
    uac = await up(Sipp.uac("hangs_up", behind.edge.public, number=DID, host=CARRIER))
    async with asyncio.timeout(10):
        leg, call, _ = await behind.exchange.admitted.get()
    await uac.receives(180)
    await leg.answer()
    await uac.finished()
    assert (await call.hears("on_hangup"))[1] == 200


async def test_a_carrier_of_two_trunks_calls_and_its_address_is_told(behind, up):
    await by_address(behind)
    await by_address(behind, TRUNK_B, networks=(f"{CARRIER}/32",))
    uac = await up(Sipp.uac("is_refused", behind.edge.public, number=DID, host=CARRIER, code=480))
    async with asyncio.timeout(10):
        leg, _, facts = await behind.exchange.admitted.get()
    found = facts["trunk_id"], facts["standing"], facts["trunk_source"]
    assert found == (None, "carrier", CARRIER)
    leg.reject(Release("failed", 480, ""))
    await uac.finished()


async def test_an_address_that_no_trunk_has_any_more_is_a_strangers(behind, up):
    """The edge lets it in for a while; the gateway knows better."""
    await by_address(behind)
    behind.pool.drop(TRUNK_A)
    uac = await up(Sipp.uac("is_refused", behind.edge.public, number=DID, host=CARRIER, code=480))
    async with asyncio.timeout(10):
        leg, _, facts = await behind.exchange.admitted.get()
    assert (facts["trunk_id"], facts["standing"]) == (None, "stranger")
    leg.reject(Release("failed", 480, ""))
    await uac.finished()


@pytest.fixture
async def carrier_by_address(behind):
    """A carrier that knows us by our address alone. It answers pings, and the trunk is ready."""
    talker = Talker(CARRIER, answers_options=True)
    await by_address(behind, port=talker.port)
    async with asyncio.timeout(10):
        while (status := await behind.statuses.get())[2] != "ready":
            pass
    assert status[3] == 200
    yield talker
    await asyncio.to_thread(talker.close)


async def picked_up(behind, carrier, audio_port):
    """A call that we dial and the carrier takes: its INVITE, its leg and the call."""
    call = RecordingCall()
    leg = behind.pool.route(Destination(to="+33199001234", from_="+33199005678", trunk_id=TRUNK_A))
    leg.attach(call, "CA1")
    leg.ring()
    invite = await asyncio.to_thread(carrier.expect, "INVITE")
    ok = reply(invite, 200, contact=f"<sip:c@{carrier.at}>", body=sdp(INSIDE, audio_port))
    carrier.send(ok, invite.source)
    await asyncio.to_thread(carrier.expect, "ACK")
    await call.hears("on_answered")
    return invite, leg, call


async def test_a_carrier_by_address_is_called_and_both_hear_each_other(
    behind, carrier_by_address, speech
):
    words, answer = speech("caller"), speech("greeting")
    async with Rtp() as rtp:
        invite, leg, call = await picked_up(behind, carrier_by_address, rtp.port)
        host, port = re.search(r"c=IN IP4 (\S+).*m=audio (\d+)", invite.body, re.DOTALL).groups()
        await asyncio.gather(rtp.play(spoken(answer), (host, int(port))), speak(leg, spoken(words)))
        await asyncio.sleep(0.3)  # what is under way
    leg.hangup(DONE)
    bye = await asyncio.to_thread(carrier_by_address.expect, "BYE")
    carrier_by_address.send(reply(bye, 200), bye.source)
    assert find(words, rtp.heard()).share > 0.6
    assert find(answer, audio_of(call)).share > 0.6
    assert f"@127.0.0.2:{behind.edge.port}" in invite["Contact"]
    assert INSIDE not in re.split(r"[\s;]", invite.body)


async def test_a_carrier_by_address_hangs_up_a_call_that_was_dialled(behind, carrier_by_address):
    invite, _, call = await picked_up(behind, carrier_by_address, 40_000)
    bye = within_called("BYE", invite, carrier_by_address, cseq=7)
    carrier_by_address.send(bye, behind.edge.public)
    await asyncio.to_thread(carrier_by_address.expect, 200)
    assert (await call.hears("on_hangup"))[1] == 200


async def test_a_carrier_by_address_that_is_silent_has_failed(behind):
    await by_address(behind)
    async with asyncio.timeout(15):
        while (status := await behind.statuses.get())[2] != "failed":
            pass
    assert status[0] == TRUNK_A
