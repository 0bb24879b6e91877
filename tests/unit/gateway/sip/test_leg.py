"""Tests of a SIP leg between its call and the far end, a phone on this machine."""

from __future__ import annotations

import asyncio
import os

import pytest

from gateway.calls.leg import Release
from gateway.legs.sip.call_audio import CallAudio
from gateway.legs.sip.referral import TOLD_WITHIN_S
from gateway.rtp.voice_quality import Packets
from gateway.sip.events import Ended, MediaAgreed, Side, TransferProgress, TransferRequested
from gateway.sip.session.call_media import CallMedia
from gateway.sip.session.offer_answer import OfferAnswer
from local.sip_phone import CallFailed
from tests.support.ports import HOST, free_port
from tests.unit.gateway.sip.conftest import (
    CALLED,
    TRUNK_A,
    WITHIN_S,
    applied,
    called,
    dialled,
    sip_legs,
    trunk,
)

DONE = Release("completed", 200, "")
SPEECH = bytes(range(160))


async def up(legs, phone):
    """A call of the phone's that has been answered."""
    talking, leg, call = await called(legs, phone)
    await asyncio.wait_for(leg.answer(), WITHIN_S)
    await talking.wait_up()
    return talking, leg, call


async def out(legs, phone):
    """A call to the phone, by a trunk that it is the carrier of; and the INVITE there."""
    await applied(legs, trunk(TRUNK_A, phone.endpoint.local[1]), until="failed")
    leg, call = dialled(legs, TRUNK_A)
    return leg, call, await asyncio.wait_for(phone.next_call(), WITHIN_S)


async def test_a_call_comes_in_with_caller_and_called_party(legs, phone):
    phone.start(legs.uri)
    _, _, facts = await legs.exchange.next()
    assert (facts["to"], facts["from_"]) == (CALLED, f"sip:phone@{HOST}")
    assert (facts["trunk_id"], facts["standing"]) == (None, "local")


async def test_answering_twice_answers_once_and_waits_for_the_caller(legs, phone):
    talking, leg, call = await called(legs, phone)
    await asyncio.wait_for(asyncio.gather(leg.answer(), leg.answer()), WITHIN_S)
    await talking.wait_up()
    assert call.names == []


async def test_a_caller_who_gives_up_while_it_rings_is_reported_and_ends_the_wait(legs, phone):
    talking, leg, call = await called(legs, phone)
    await talking.hang_up()
    assert (await call.hears("on_hangup"))[1] == 487
    await asyncio.wait_for(leg.answer(), WITHIN_S)
    assert leg.over


async def test_a_caller_who_hangs_up_is_reported_with_200(legs, phone):
    talking, _, call = await up(legs, phone)
    await talking.hang_up()
    assert (await call.hears("on_hangup"))[1] == 200


async def test_the_facts_of_the_audio_are_told_just_before_the_end(legs, phone):
    talking, _, call = await up(legs, phone)
    await talking.play(SPEECH * 20)
    await call.hears("on_audio")
    await talking.hang_up()
    await call.hears("on_hangup")
    told = [name for name, *_ in call.events if name in {"on_media", "on_hangup"}]
    assert told == ["on_media", "on_hangup"]
    _, facts = await call.hears("on_media")
    assert (facts["MediaCodec"], facts["MediaLoss"]) == ("PCMU", "0.00")
    assert float(facts["MediaMos"]) > 4
    assert float(facts["MediaJitter"]) >= 0


async def test_a_call_that_becomes_poor_is_told_once(legs, phone, monkeypatch):
    _, leg, call = await up(legs, phone)
    counts = {"received": 0, "lost": 0}

    def stats(_leg):
        counts["received"] += 35
        counts["lost"] += 15
        return Counted(Packets(counts["received"], counts["lost"], counts["lost"]))

    monkeypatch.setattr("gateway.rtp.leg.Leg.stats", stats)
    for second in range(30):
        leg.look(legs.stack.now + second, rtp_timeout=1000)
    monkeypatch.undo()
    assert [event[:2] for event in call.events if event[0] == "on_quality"] == [
        ("on_quality", "poor")
    ]


class Counted:
    """The counts of a leg whose packets a test makes up."""

    one_way = 40.0

    def __init__(self, packets):
        self.packets = packets


async def test_a_caller_who_never_acknowledges_the_answer_is_broken_and_has_not_hung_up(
    legs, phone
):
    _, leg, call = await called(legs, phone)
    answering = asyncio.create_task(leg.answer())
    await asyncio.sleep(0)
    leg.happened(Ended(leg.call, 408, "no ACK", Side.NETWORK))
    assert call.names == ["on_broken"]
    await asyncio.wait_for(answering, WITHIN_S)


@pytest.mark.parametrize(
    ("release", "code"),
    [
        (Release("busy", 486, ""), 486),
        (Release("no-answer", 404, ""), 404),
        (Release("failed", 603, ""), 603),
        (Release("canceled", 487, ""), 480),
        (Release("failed", 999, ""), 480),
    ],
)
async def test_a_caller_is_refused_with_the_code_of_the_release_or_480(legs, phone, release, code):
    talking, leg, call = await called(legs, phone)
    leg.reject(release)
    with pytest.raises(CallFailed, match=rf"^{code} "):
        await talking.wait_up()
    assert call.names == []


async def test_a_rejection_after_the_answer_hangs_up(legs, phone):
    talking, leg, _ = await up(legs, phone)
    leg.reject(Release("busy", 486, ""))
    await asyncio.wait_for(talking.ended.wait(), WITHIN_S)
    assert talking.ending.status == 200


async def test_both_ends_hear_each_other(legs, phone):
    talking, leg, call = await up(legs, phone)
    leg.play(SPEECH)
    await talking.play(SPEECH)
    async with asyncio.timeout(WITHIN_S):
        while ("on_audio", SPEECH) not in call.events or SPEECH not in talking.heard:
            call.news.clear()
            await call.news.wait()


async def test_keys_go_both_ways_as_telephone_events(legs, phone):
    talking, leg, call = await up(legs, phone)
    talking.press("5")
    assert await call.hears("on_dtmf") == ("on_dtmf", "5")
    leg.press("#")
    assert await asyncio.wait_for(talking.keys.get(), WITHIN_S) == "#"


async def test_a_key_in_info_is_reported(legs, phone):
    talking, _, call = await up(legs, phone)
    talking.call.press("4", phone.now)
    phone.flush()
    assert await call.hears("on_dtmf") == ("on_dtmf", "4")


async def test_of_a_key_that_comes_in_both_ways_the_one_in_the_audio_counts(legs, phone):
    talking, _, call = await up(legs, phone)
    talking.press("4")
    await call.hears("on_dtmf")
    talking.call.press("4", phone.now)
    phone.flush()
    await talking.hang_up()
    await call.hears("on_hangup")
    assert call.names == ["on_dtmf", "on_hangup"]


class NoKeys(CallMedia):
    """Offers audio without telephone-events."""

    def make_offer(self, direction):
        lines = super().make_offer(direction).decode().splitlines()
        kept = [line.removesuffix(" 101") for line in lines if not line.startswith(
            ("a=rtpmap:101", "a=fmtp:101"))]  # fmt: skip
        return "".join(f"{line}\r\n" for line in kept).encode()


async def test_a_far_end_that_takes_no_telephone_events_gets_keys_by_info(legs, phone, monkeypatch):
    def without_keys(self, plane, host, on_failed):
        made(self, plane, host, on_failed)
        port = int(self.media.make_offer("sendrecv").decode().partition("m=audio ")[2].split()[0])
        self.media = NoKeys(OfferAnswer(host, port, os.urandom), host)

    made = CallAudio.__init__
    with monkeypatch.context() as patch:
        patch.setattr(CallAudio, "__init__", without_keys)
        talking = phone.start(legs.uri)
    leg, _, _ = await legs.exchange.next()
    await asyncio.wait_for(leg.answer(), WITHIN_S)
    await talking.wait_up()
    leg.press("8")
    assert await asyncio.wait_for(talking.keys.get(), WITHIN_S) == "8"


async def test_a_transfer_is_declined(legs, phone):
    talking, _, call = await up(legs, phone)
    talking.call.transfer(f"sip:expensive@{HOST}", phone.now)
    phone.flush()
    refused = await asyncio.wait_for(phone.tells(TransferProgress), WITHIN_S)
    assert (refused.status, refused.final) == (603, True)
    assert call.names == []


async def test_a_call_from_which_nothing_is_heard_is_broken(legs, phone):
    talking, leg, call = await up(legs, phone)
    now = legs.stack.now
    leg.look(now + 29, 30)
    assert not leg.over
    leg.look(now + 31, 30)
    assert call.events[-1] == ("on_broken", "no audio came for 30 s")
    await asyncio.wait_for(talking.ended.wait(), WITHIN_S)


async def test_a_call_that_still_rings_is_not_broken_by_silence(legs, phone):
    _, leg, _ = await called(legs, phone)
    leg.look(legs.stack.now + 3600, 30)
    assert not leg.over


async def test_broken_audio_of_ours_ends_its_call_alone(legs, phone):
    talking, _, call = await up(legs, phone)
    other, leg, other_call = await up(legs, phone)
    leg._audio._leg.source = lambda: b"too short"
    assert (await other_call.hears("on_broken"))[1].startswith("the audio broke: ")
    await asyncio.wait_for(other.ended.wait(), WITHIN_S)
    assert not talking.ended.is_set()
    assert call.names == []


async def test_without_a_free_port_a_caller_is_refused_with_503(phone):
    first = free_port()
    async with sip_legs(rtp_ports=(first, first + 1)) as legs:
        talking, _, _ = await up(legs, phone)
        with pytest.raises(CallFailed, match=r"^503 "):
            await phone.dial(legs.uri)
        await talking.hang_up()
        again, _, _ = await up(legs, phone)
        await again.hang_up()


async def test_without_a_free_port_a_dial_fails_with_the_reason(phone):
    first = free_port()
    async with sip_legs(rtp_ports=(first, first + 1)) as legs:
        await up(legs, phone)
        await applied(legs, trunk(TRUNK_A, phone.endpoint.local[1]), until="failed")
        _, call = dialled(legs, TRUNK_A)
        [(name, code, reason)] = call.events
        assert (name, code) == ("on_hangup", 503)
        assert "ports" in reason


async def test_a_dialled_leg_reports_ringing_answer_and_hang_up(legs, phone):
    leg, call, incoming = await out(legs, phone)
    await call.hears("on_ringing")
    talking = await phone.answer(incoming)
    await call.hears("on_answered")
    talking.press("9")
    await call.hears("on_dtmf")
    await talking.hang_up()
    assert (await call.hears("on_hangup"))[1] == 200
    assert call.names == ["on_ringing", "on_answered", "on_dtmf", "on_hangup"]
    leg.hangup(DONE)


async def test_a_dialled_leg_reports_a_refusal_with_its_code(legs, phone):
    _, call, incoming = await out(legs, phone)
    incoming.reject(phone.now, 603, "Decline")
    phone.flush()
    assert await call.hears("on_hangup") == ("on_hangup", 603, "Decline")


async def test_a_dialled_leg_hangs_up_before_the_answer_with_cancel_and_after_it_with_bye(
    legs, phone
):
    leg, call, incoming = await out(legs, phone)
    await call.hears("on_ringing")
    talking = phone.talking(incoming)
    leg.hangup(Release("canceled", 487, ""))
    await asyncio.wait_for(talking.ended.wait(), WITHIN_S)
    assert talking.ending.status == 487

    leg, call, incoming = await out(legs, phone)
    talking = await phone.answer(incoming)
    leg.hangup(DONE)
    await asyncio.wait_for(talking.ended.wait(), WITHIN_S)
    assert talking.ending.status == 200


async def test_an_ended_leg_reports_and_sends_nothing_more(legs, phone):
    talking, leg, call = await up(legs, phone)
    leg.hangup(DONE)
    leg.hangup(DONE)
    leg.play(SPEECH)
    leg.press("5")
    leg.lose("too late")
    leg.happened(MediaAgreed(leg.call))
    await asyncio.wait_for(talking.ended.wait(), WITHIN_S)
    assert call.names == []
    assert talking.keys.empty()


async def test_audio_without_an_edge_is_heard_at_sips_address_only(legs, phone):
    _, leg, _ = await up(legs, phone)
    line = legs.stack.plane._lines[leg._audio._leg]
    assert line.pair.rtp.getsockname()[0] == HOST


async def test_a_key_that_comes_by_info_and_then_in_the_audio_is_told_once(legs, phone):
    talking, _, call = await up(legs, phone)
    talking.call.press("4", phone.now)
    phone.flush()
    await call.hears("on_dtmf")
    talking.press("4")
    talking.press("5")
    async with asyncio.timeout(WITHIN_S):
        while ("on_dtmf", "5") not in call.events:
            call.news.clear()
            await call.news.wait()
    assert [event for event in call.events if event[0] == "on_dtmf"] == [
        ("on_dtmf", "4"),
        ("on_dtmf", "5"),
    ]


async def referred(legs, phone, target="+33199007777"):
    """A call of the phone's that is asked to call somebody else, and what the phone was asked."""
    talking, leg, call = await up(legs, phone)
    assert leg.refer(target)
    return talking, leg, call, await asyncio.wait_for(phone.tells(TransferRequested), WITHIN_S)


@pytest.mark.parametrize("outcome", [200, 486])
async def test_the_outcome_of_a_transfer_is_told_once_the_far_end_tells_it(legs, phone, outcome):
    talking, leg, call, asked = await referred(legs, phone)
    assert asked.target == f"sip:+33199007777@{HOST}"
    assert not leg.refer("+33199008888")  # one at a time
    talking.call.transfers.accept(phone.now)
    for status in (180, outcome, outcome):
        talking.call.transfers.report(status, phone.now)
    phone.flush()
    assert await call.hears("on_refer") == ("on_refer", outcome)
    assert call.names == ["on_refer"]
    assert not leg.over


async def test_a_transfer_that_is_refused_is_told_with_its_code_and_the_call_goes_on(legs, phone):
    talking, leg, call, _ = await referred(legs, phone, f"sip:carol@{HOST}:5070;user=phone")
    talking.call.transfers.decline(phone.now, 405)
    phone.flush()
    assert await call.hears("on_refer") == ("on_refer", 405)
    assert not leg.over
    assert leg.refer("+33199008888")


async def test_a_far_end_that_agrees_and_hangs_up_without_a_word_has_made_the_transfer(legs, phone):
    talking, _, call, _ = await referred(legs, phone)
    talking.call.transfers.accept(phone.now)
    talking.call.hangup(phone.now)
    phone.flush()
    await call.hears("on_hangup")
    assert call.events[-2:] == [("on_refer", 202), ("on_hangup", 200, call.events[-1][2])]


async def test_a_far_end_that_hangs_up_before_it_agrees_has_only_hung_up(legs, phone):
    talking, _, call, _ = await referred(legs, phone)
    talking.call.hangup(phone.now)
    phone.flush()
    await call.hears("on_hangup")
    assert "on_refer" not in call.names


async def test_a_transfer_of_which_nothing_is_told_is_given_up_and_the_call_goes_on(legs, phone):
    talking, leg, call, _ = await referred(legs, phone)
    talking.call.transfers._reporting = 0
    talking.call.reply(talking.call.transfers._refer, 202, phone.now)
    phone.flush()
    leg.look(legs.stack.now + TOLD_WITHIN_S - 1, 1000)
    assert call.names == []
    leg.look(legs.stack.now + TOLD_WITHIN_S, 1000)
    assert await call.hears("on_refer") == ("on_refer", 408)
    assert not leg.over


async def test_a_call_that_is_not_up_cannot_be_referred(legs, phone):
    _, leg, _ = await called(legs, phone)
    assert not leg.refer("+33199007777")


async def test_a_far_end_that_ends_its_reports_without_an_outcome_has_not_told_it(legs, phone):
    """Some say `100 Trying` in their only NOTIFY, which ends the subscription."""
    _, leg, call, _ = await referred(legs, phone)
    leg.happened(TransferProgress(leg.call, 100, final=True))
    assert await call.hears("on_refer") == ("on_refer", 408)
    assert leg.refer("+33199008888")
