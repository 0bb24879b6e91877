"""Tests of offers and answers: what is agreed on, what is refused and why, and what stays."""

from __future__ import annotations

import copy

import pytest

from gateway.sip.session import sdp
from gateway.sip.session.audio_line import Format
from gateway.sip.session.offer_answer import OfferOpen
from tests.unit.sip.session.descriptions import (
    EVENTS,
    HEAD,
    audio_of,
    described,
    lines_of,
    reason,
    side,
)


class TestAnswers:
    def test_an_offer_of_g711_and_keys_is_answered_with_both(self):
        us = side()
        answer = us.take_offer(described("m=audio 49170 RTP/AVP 8 0 101", EVENTS, "a=ptime:30"))
        assert sdp.serialise(answer).decode().split("\r\n") == [
            "v=0",
            "o=- 0 1 IN IP4 198.51.100.5",
            "s=-",
            "c=IN IP4 198.51.100.5",
            "t=0 0",
            "m=audio 20000 RTP/AVP 8 101",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-15",
            "a=ptime:30",
            "a=sendrecv",
            "",
        ]
        agreed = us.negotiated
        assert (agreed.host, agreed.rtp_port, agreed.rtcp_port) == ("192.0.2.1", 49170, 49171)
        assert (agreed.law, agreed.payload_type, agreed.telephone_event) == ("PCMA", 8, 101)
        assert (agreed.ptime, agreed.may_send, agreed.may_receive) == (30, True, True)
        assert (agreed.comfort_noise, agreed.held, agreed.srtp) == (None, False, None)
        assert agreed.expected == (Format(8, "PCMA"), Format(101, "telephone-event"))

    def test_wideband_codecs_are_passed_over(self):
        us = side()
        answer = us.take_offer(
            described(
                "m=audio 49170 RTP/AVP 96 9 111 8 18 13 101",
                "a=rtpmap:96 AMR-WB/16000/1",
                "a=rtpmap:111 opus/48000/2",
                "a=rtpmap:13 CN/8000",
                EVENTS,
            )
        )
        assert audio_of(answer).formats == ("8", "101", "13")
        assert us.negotiated.comfort_noise == 13

    def test_the_peers_numbers_are_kept(self):
        us = side()
        answer = us.take_offer(
            described(
                "m=audio 49170 RTP/AVP 110 96",
                "a=rtpmap:110 pcmu/8000/1",
                "a=rtpmap:96 telephone-event/8000",
            )
        )
        assert audio_of(answer).formats == ("110", "96")
        assert (us.negotiated.payload_type, us.negotiated.telephone_event) == (110, 96)

    def test_only_the_first_usable_audio_line_is_taken_and_all_others_refused_in_place(self):
        us = side()
        answer = us.take_offer(
            described(
                "m=audio 0 RTP/AVP 8",
                "m=video 0 RTP/AVP 34",
                "m=audio 5000 RTP/AVP 18",
                "m=audio 49170/2 RTP/AVP 0 101",
                EVENTS,
                "m=audio 49180 RTP/AVP 0",
                "m=video 5002 RTP/AVP",
                "m=image 5004 udptl t38",
            )
        )
        assert lines_of(answer) == [
            "audio 0 RTP/AVP 8",
            "video 0 RTP/AVP 34",
            "audio 0 RTP/AVP 18",
            "audio 20000 RTP/AVP 0 101",
            "audio 0 RTP/AVP 0",
            "video 0 RTP/AVP 0",
            "image 0 udptl t38",
        ]
        assert us.negotiated.rtp_port == 49170

    def test_a_lines_own_address_counts(self):
        us = side()
        us.take_offer(described("m=audio 49170 RTP/AVP 0", "c=IN IP4 media_1.example"))
        assert us.negotiated.host == "media_1.example"

    def test_times_are_repeated(self):
        head = HEAD.replace("t=0 0", "t=1 2\nt=3 4")
        answer = side().take_offer(described("m=audio 49170 RTP/AVP 0", head=head))
        assert answer.times == ("1 2", "3 4")

    @pytest.mark.parametrize("protocol", ["RTP/AVP", "RTP/AVPF", "rtp/avp"])
    def test_the_profile_is_repeated(self, protocol):
        answer = side().take_offer(described(f"m=audio 49170 {protocol} 0"))
        assert audio_of(answer).protocol == protocol

    def test_ice_dtls_and_bundle_are_passed_over(self):
        answer = side().take_offer(
            described(
                "a=group:BUNDLE 0",
                "a=ice-lite",
                "m=audio 49170 RTP/AVP 0",
                "a=mid:0",
                "a=ice-ufrag:x",
                "a=candidate:1 1 UDP 1 10.0.0.1 5 typ host",
                "a=setup:actpass",
                "a=fingerprint:sha-256 AA",
            )
        )
        assert {a.name for a in audio_of(answer).attributes} == {"rtpmap", "ptime", "sendrecv"}
        assert answer.attributes == ()

    def test_rtcp_shares_the_port_only_if_offered(self):
        us = side()
        answer = us.take_offer(described("m=audio 49170 RTP/AVP 0", "a=rtcp-mux", "a=rtcp:49999"))
        assert audio_of(answer).has("rtcp-mux")
        assert (us.negotiated.rtcp_mux, us.negotiated.rtcp_port) == (True, 49170)
        assert audio_of(us.make_offer()).has("rtcp-mux")
        other = side()
        assert not audio_of(other.make_offer()).has("rtcp-mux")
        other.take_answer(described("m=audio 49170 RTP/AVP 0", "a=rtcp-mux", "a=rtcp:49999"))
        assert (other.negotiated.rtcp_mux, other.negotiated.rtcp_port) == (False, 49999)

    @pytest.mark.parametrize(
        ("lines", "code", "words"),
        [
            ([], 304, "has none"),
            (["m=video 5000 RTP/AVP 34"], 304, "has none"),
            (["m=audio 0 RTP/AVP 0"], 304, "has none"),
            (["m=audio 5000 RTP/AVP 18 101", EVENTS], 305, "PCMU or PCMA"),
            (["m=audio 5000 RTP/AVP 0", "c=IN IP6 2001:db8::1"], 301, "IPv6"),
            (["m=audio 5000 RTP/AVP 0", "c=IN IP4 239.1.1.1"], 330, "multicast"),
            (["m=audio 5000 UDP/TLS/RTP/SAVPF 0"], 302, "UDP/TLS/RTP/SAVPF"),
            (["m=audio 5000 RTP/SAVP 0"], 302, "SRTP is off"),
        ],
    )
    def test_what_cannot_be_taken_is_refused_with_warning_and_reason(self, lines, code, words):
        us = side()
        assert reason(lambda: us.take_offer(described(*lines)), words) == code
        assert us.negotiated is None

    def test_only_the_laws_of_the_trunk_are_taken(self):
        us = side(laws=("PCMA",))
        answer = us.take_offer(described("m=audio 49170 RTP/AVP 0 8"))
        assert audio_of(answer).formats == ("8",)
        reason(lambda: us.take_offer(described("m=audio 49170 RTP/AVP 0")), "to be PCMA at")


class TestHold:
    @pytest.mark.parametrize(
        ("below", "answered", "send", "receive"),
        [
            ("a=sendonly", "recvonly", False, True),
            ("a=inactive", "inactive", False, False),
            ("c=IN IP4 0.0.0.0", "recvonly", False, True),
        ],
    )
    def test_a_peer_may_hold_the_call_and_take_it_up_again(self, below, answered, send, receive):
        us = side()
        us.take_offer(described("m=audio 49170 RTP/AVP 0"))
        answer = us.take_offer(described("m=audio 49170 RTP/AVP 0", below))
        assert audio_of(answer).has(answered)
        agreed = us.negotiated
        assert (agreed.held, agreed.may_send, agreed.may_receive) == (True, send, receive)
        answer = us.take_offer(described("m=audio 49170 RTP/AVP 0"))
        assert audio_of(answer).has("sendrecv")
        assert not us.negotiated.held

    def test_our_hold_lasts_through_the_peers_offers_until_we_end_it(self):
        us = side()
        us.take_offer(described("m=audio 49170 RTP/AVP 0"))
        assert audio_of(us.make_offer("sendonly")).has("sendonly")
        us.take_answer(described("m=audio 49170 RTP/AVP 0", "a=recvonly"))
        assert (us.negotiated.may_send, us.negotiated.may_receive) == (True, False)
        answer = us.take_offer(described("m=audio 49170 RTP/AVP 0"))
        assert audio_of(answer).has("sendonly")
        us.make_offer("sendrecv")
        us.take_answer(described("m=audio 49170 RTP/AVP 0"))
        assert us.negotiated.may_receive

    def test_an_answer_that_passes_a_hold_over_changes_nothing_about_it(self):
        us = side()
        us.make_offer("sendonly")
        us.take_answer(described("m=audio 49170 RTP/AVP 0", "a=sendrecv"))
        assert not us.negotiated.may_receive


class TestOffers:
    def test_an_offer_has_both_laws_and_keys_and_no_comfort_noise(self):
        offer = side().make_offer()
        assert lines_of(offer) == ["audio 20000 RTP/AVP 0 8 101"]
        assert audio_of(offer).has("sendrecv")

    def test_the_answer_chooses_law_numbers_and_packet_time(self):
        us = side()
        us.make_offer()
        agreed = us.take_answer(
            described(
                "m=audio 49170 RTP/AVP 8 0 96",
                "a=rtpmap:96 telephone-event/8000",
                "a=ptime:40",
            )
        )
        assert agreed is us.negotiated
        assert (agreed.law, agreed.payload_type, agreed.ptime) == ("PCMA", 8, 40)
        assert agreed.telephone_event == 96
        assert Format(101, "telephone-event") in agreed.expected
        assert Format(0, "PCMU") in agreed.expected

    def test_formats_that_were_not_offered_are_passed_over(self):
        us = side(laws=("PCMU",))
        us.make_offer()
        agreed = us.take_answer(described("m=audio 49170 RTP/AVP 8 13 0"))
        assert (agreed.law, agreed.comfort_noise, agreed.telephone_event) == ("PCMU", None, None)

    @pytest.mark.parametrize(
        ("lines", "words"),
        [
            ([], "0 m= lines"),
            (["m=audio 5 RTP/AVP 0", "m=video 0 RTP/AVP 34"], "2 m= lines"),
            (["m=audio 0 RTP/AVP 0"], "refuses the audio"),
            (["m=video 5 RTP/AVP 34"], "refuses the audio"),
            (["m=audio 5 RTP/SAVP 0"], "RTP/SAVP"),
            (["m=audio 5 RTP/AVP 101", EVENTS], "PCMU or PCMA"),
            (["m=audio 5 RTP/AVP 0", "c=IN IP6 ::1"], "IPv6"),
        ],
    )
    def test_an_answer_that_does_not_fit_is_refused_and_the_offer_stays_open(self, lines, words):
        us = side()
        us.make_offer()
        reason(lambda: us.take_answer(described(*lines)), words)
        assert us.open
        us.take_answer(described("m=audio 5 RTP/AVP 0"))

    def test_an_answer_that_was_taken_is_not_rolled_back(self):
        us = side()
        us.make_offer()
        us.take_answer(described("m=audio 5 RTP/AVP 0"))
        us.rollback()
        assert (us.open, us.negotiated.rtp_port) == (False, 5)

    def test_a_copy_for_a_preview_or_another_dialog_has_its_own_answer(self):
        us = side()
        us.make_offer()
        other = copy.copy(us)
        us.take_answer(described("m=audio 5 RTP/AVP 0"))
        other.take_answer(described("m=audio 7 RTP/AVP 8"))
        assert (us.negotiated.rtp_port, other.negotiated.rtp_port) == (5, 7)

    def test_no_second_offer_of_either_side_goes_beside_an_open_one(self):
        us = side()
        us.make_offer()
        for second in (
            us.make_offer,
            us.repeat_offer,
            lambda: us.take_offer(described("m=audio 5 RTP/AVP 0")),
        ):
            with pytest.raises(OfferOpen):
                second()

    def test_an_answer_without_an_offer_is_the_programs_mistake(self):
        with pytest.raises(ValueError, match="no offer"):
            side().take_answer(described("m=audio 5 RTP/AVP 0"))
