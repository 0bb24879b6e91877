"""Tests of the test peers against each other."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from local.listening import find
from tests.sip.peers import Carrier, Rtp, Silent, Sipp, Wire
from tests.sip.peers.rtp import EVENTS, PCMA, PCMU
from tests.sip.peers.wire import first
from tests.sip.support import DID, PASSWORD, USER


@pytest.mark.deep
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_sipp_caller_can_hang_up(up, transport):
    called = await up(Sipp.uas("answers", transport=transport))
    headers = {"Diversion": "<sip:+33999@trunk.example>;reason=no-answer"}
    caller = await up(
        Sipp.uac(
            "hangs_up",
            called.port,
            transport=transport,
            caller='"Alice" <sip:+33612345678@trunk.example>',
            called="<sip:0612345678@trunk.example>",
            headers=headers,
        )
    )
    await caller.finished()
    await called.finished()

    invite = called.received("INVITE")[0]
    assert invite.uri.startswith("sip:+15550001111@127.0.0.1")
    assert invite.header("to") == "<sip:0612345678@trunk.example>"
    assert invite.header("From").startswith('"Alice" <sip:+33612345678@trunk.example>;tag=')
    assert invite.header("Diversion") == headers["Diversion"]
    assert invite.payload_types == [PCMU, PCMA, EVENTS]
    assert invite.media == ("127.0.0.1", caller.rtp.port)
    assert [one.start_line.split()[0] for one in called.messages] == [
        "INVITE", "SIP/2.0", "SIP/2.0", "ACK", "BYE", "SIP/2.0",
    ]  # fmt: skip
    assert [one.code for one in caller.messages if not one.sent] == [180, 200, 200]
    assert called.received("BYE")[0].at - called.sent(200)[0].at == pytest.approx(0.5, abs=0.3)


@pytest.mark.deep
@pytest.mark.parametrize(
    ("called", "caller"),
    [("hangs_up", "is_hung_up"), ("rings", "cancels"), ("early_media", "hangs_up")],
)
async def test_matching_sipp_scenarios_complete(up, called, caller):
    theirs = await up(Sipp.uas(called))
    ours = await up(Sipp.uac(caller, theirs.port))
    await ours.finished()
    await theirs.finished()


@pytest.mark.deep
@pytest.mark.parametrize("code", [404, 408, 480, 486, 500, 503, 603])
async def test_a_sipp_callee_refuses_with_the_given_code(up, code):
    called = await up(Sipp.uas("refuses", code=code, ring_ms=50))
    caller = await up(Sipp.uac("is_refused", called.port, code=code))
    await caller.finished()
    await called.finished()


@pytest.mark.deep
@pytest.mark.parametrize("code", [480, 486])
async def test_the_unanswered_caller_scenario_accepts_both_codes(up, code):
    called = await up(Sipp.uas("refuses", code=code, ring_ms=50))
    caller = await up(Sipp.uac("is_not_taken", called.port))
    await caller.finished()
    await called.finished()


@pytest.mark.deep
async def test_mismatched_sipp_scenarios_fail_with_the_message_received(up):
    called = await up(Sipp.uas("refuses", code=486))
    caller = await up(Sipp.uac("is_refused", called.port, code=603))
    with pytest.raises(AssertionError, match="486 Busy Here"):
        await caller.finished()


@pytest.mark.deep
async def test_a_message_can_be_awaited_during_a_call(up):
    called = await up(Sipp.uas("rings"))
    caller = await up(Sipp.uac("cancels", called.port, ring_ms=500))
    await called.receives("INVITE")
    assert not called.received("CANCEL")
    await called.receives("CANCEL")
    await caller.finished()


@pytest.mark.deep
async def test_sipp_sends_and_records_audio_and_keys(up, speech):
    ours, theirs = speech("goodbye"), speech("greeting")
    called = await up(Sipp.uas("hangs_up", talk_ms=3000))
    caller = await up(Sipp.uac("is_hung_up", called.port, payload_types=(PCMA, EVENTS)))
    await caller.receives(200)
    assert caller.remote_media == ("127.0.0.1", called.rtp.port)
    await asyncio.gather(
        caller.rtp.play(ours, caller.remote_media, PCMA),
        called.rtp.play(theirs, called.remote_media, PCMU),
    )
    await caller.rtp.press("12#", caller.remote_media)
    assert find(ours, called.rtp.heard()).heard
    assert find(theirs, caller.rtp.heard()).heard
    assert called.rtp.keys() == "12#"
    await called.finished()


@pytest.mark.deep
async def test_a_recording_shows_lost_packets_and_reorders_late_ones(up, speech):
    said = speech("goodbye")
    async with Rtp() as mouth, Rtp() as ear:
        await mouth.play(said, ("127.0.0.1", ear.port))
        whole = ear.heard()
        ear.packets.reverse()
        assert np.array_equal(ear.heard(), whole)
        assert np.array_equal(ear.heard(), whole)
        del ear.packets[20:25]
        assert not find(said, ear.heard()).heard


@pytest.mark.deep
async def test_a_softphone_hears_its_own_echo(up, softphone, speech):
    said = speech("goodbye")
    called = await up(Sipp.uas("answers", echo=True))
    phone = await softphone(says=said)
    call = await phone.dial(f"sip:+15550001111@127.0.0.1:{called.port}")
    await call.ringing()
    await call.established()
    assert find(said, await phone.hears(len(said) + 800)).heard
    later = speech("greeting")
    already = len(phone.heard())
    await phone.say(later)
    assert find(later, await phone.hears(already + len(later) + 2400)).heard
    await call.hang_up()
    await called.finished()


@pytest.mark.deep
async def test_a_softphone_gets_the_reason_of_a_refusal(up, softphone):
    called = await up(Sipp.uas("refuses", code=486))
    phone = await softphone()
    call = await phone.dial(f"sip:+15550001111@127.0.0.1:{called.port}")
    assert await call.closed() == "486 Busy Here"


@pytest.mark.deep
@pytest.mark.parametrize(
    ("codec", "encryption", "transport"),
    [
        ("pcmu", None, "udp"),
        ("pcma", None, "tcp"),
        ("pcmu", "srtp-mand", "udp"),
        ("pcma", "srtp", "udp"),
    ],
)
async def test_two_softphones_hear_each_other(softphone, speech, codec, encryption, transport):
    ours, theirs = speech("goodbye"), speech("greeting")
    same = {"codec": codec, "encryption": encryption, "transport": transport}
    alice = await softphone(user="alice", says=ours, **same)
    bob = await softphone(user="bob", says=theirs, **same)
    call = await alice.dial(f"{bob.uri};transport={transport}")
    ringing = await bob.rings()
    await call.ringing()
    await ringing.accept()
    await call.established()
    await ringing.established()
    assert find(theirs, await alice.hears(len(theirs) + 1600)).heard
    assert find(ours, await bob.hears(len(ours) + 1600)).heard
    encrypted = any(event.get("type") == "CALL_MENC" for event in alice.events)
    assert encrypted == (encryption is not None)
    await ringing.hang_up()
    await call.closed()


@pytest.mark.deep
@pytest.mark.parametrize("keys", ["rtpevent", "info"])
async def test_two_softphones_exchange_keys(softphone, keys):
    alice = await softphone(user="alice", keys=keys)
    bob = await softphone(user="bob", auto_answer=True)
    call = await alice.dial(bob.uri)
    other = await bob.rings()
    await call.established()
    await call.press("42#")
    assert await other.keys(3) == "42#"


@pytest.mark.deep
async def test_a_subscriber_registers_dials_and_is_called(up, carrier, softphone):
    phone = await softphone(user=USER, password=PASSWORD, registrar=carrier.address, expires_s=60)
    await phone.registered()
    (accepted,) = carrier.registrations()
    assert (accepted.user, accepted.transport) == (USER, "udp")
    assert [one.answer for one in carrier.requests("REGISTER")] == ["401", "200"]
    assert len((await carrier.registered())[USER]) == 1

    called = await up(Sipp.uas("answers"))
    await carrier.route("+1777", called.address)
    call = await phone.dial(f"sip:+17770001@{carrier.address}")
    await call.established()
    await call.hang_up()
    await called.finished()
    assert [one.answer for one in carrier.requests("INVITE")] == ["407", "routed"]
    other = await phone.dial(f"sip:+18880001@{carrier.address}")
    assert (await other.closed()).startswith("404")

    caller = await up(Sipp.uac("hangs_up", carrier.pstn_port, number=DID))
    incoming = await phone.rings()
    await incoming.accept()
    await caller.finished()
    await incoming.closed()


@pytest.mark.deep
@pytest.mark.parametrize(("again", "answers"), [(403, ["401", "403"]), (401, ["401", "401"])])
async def test_the_registrar_refuses_a_wrong_password(up, softphone, again, answers):
    carrier = await up(Carrier({USER: PASSWORD}, wrong_password=again))
    phone = await softphone(user=USER, password="wrong", registrar=carrier.address)
    with pytest.raises(AssertionError, match=str(again)):
        await phone.registered()
    assert [one.answer for one in carrier.requests("REGISTER")][:2] == answers
    assert await carrier.registered() == {}


@pytest.mark.deep
async def test_the_registrar_refuses_an_unknown_user(carrier, softphone):
    phone = await softphone(user="nobody", password=PASSWORD, registrar=carrier.address)
    with pytest.raises(AssertionError, match="404"):
        await phone.registered()


@pytest.mark.deep
async def test_the_registrar_counts_refreshes_and_forgets_them_at_a_restart(up, softphone):
    carrier = await up(Carrier({USER: PASSWORD}, dids={DID: USER}, expires=(1, 3)))
    phone = await softphone(user=USER, password=PASSWORD, registrar=carrier.address)
    await phone.registered()
    one, two, *_ = await carrier.registers(USER, count=2)
    assert 1 < two.at - one.at < 3.5
    await carrier.restart()
    assert await carrier.registered() == {}
    caller = await up(Sipp.uac("is_refused", carrier.pstn_port, number=DID, code=480))
    await caller.finished()
    await carrier.registers(USER, count=len(carrier.registrations()) + 1)


@pytest.mark.deep
async def test_the_carrier_calls_over_tls_with_the_number_in_the_request_uri(up, softphone):
    carrier = await up(Carrier({USER: PASSWORD}, dids={DID: DID}, tls=True, did_in_uri=True))
    # baresip takes no calls but its own user's.
    phone = await softphone(
        user=DID, auth_user=USER, password=PASSWORD, transport="tls",
        registrar=carrier.tls_address, ca_file=carrier.ca_file,
    )  # fmt: skip
    await phone.registered()
    assert carrier.registrations()[0].transport == "tls"
    caller = await up(Sipp.uac("hangs_up", carrier.pstn_port, number=DID))
    incoming = await phone.rings()
    await incoming.accept()
    await caller.finished()
    assert carrier.requests("INVITE")[-1].uri.startswith(f"sip:{DID}@")


@pytest.mark.deep
async def test_a_softphone_answers_a_challenge(up, softphone):
    called = await up(Sipp.uas("challenges"))
    phone = await softphone(user=USER, password=PASSWORD, registrar=None)
    call = await phone.dial(f"sip:+15550001111@127.0.0.1:{called.port}")
    await call.established()
    await call.hang_up()
    await called.finished()
    assert called.received("INVITE")[-1].proves(PASSWORD)
    assert not called.received("INVITE")[-1].proves("wrong")
    assert not called.received("INVITE")[0].proves(PASSWORD)


@pytest.mark.deep
async def test_sipp_repeats_a_lost_invite(up, softphone):
    called = await up(Sipp.uas("answers"))
    wire = await up(Wire(called.port, loses=first(2, b"INVITE")))
    caller = await up(Sipp.uac("hangs_up", wire.port))
    await caller.finished()
    await called.finished()
    assert len(wire.lost) == 2
    assert len(caller.sent("INVITE")) == 3


@pytest.mark.deep
async def test_a_silent_peer_receives_repeated_invites(up, softphone):
    hole = await up(Silent())
    await up(Sipp.uac("hangs_up", hole.port))
    once, again = await hole.receives(2)
    assert once.is_a("INVITE")
    assert once.text == again.text
