"""Tests of further offers in a call: what is taken anew, and what stays as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.session import sdp
from gateway.sip.session.offer_answer import NotAcceptable, OfferOpen
from tests.unit.sip.session.descriptions import EVENTS, audio_of, described, lines_of, reason, side


def test_another_law_at_another_port_is_taken():
    us = side()
    us.take_offer(described("m=audio 49170 RTP/AVP 0 101", EVENTS))
    answer = us.take_offer(described("m=audio 5002 RTP/AVP 8 101", EVENTS))
    assert audio_of(answer).formats == ("8", "101")
    assert (us.negotiated.law, us.negotiated.rtp_port) == ("PCMA", 5002)


def test_an_offer_that_cannot_be_taken_leaves_the_call_as_it_was():
    us = side()
    us.take_offer(described("m=audio 49170 RTP/AVP 0"))
    before = us.negotiated
    reason(lambda: us.take_offer(described("m=audio 5 RTP/AVP 18"), "inactive"), "PCMU")
    assert us.negotiated is before
    answer = us.take_offer(described("m=audio 49170 RTP/AVP 0"))
    assert answer.origin.version == "1"
    assert audio_of(answer).has("sendrecv")


def test_the_id_stays_and_the_version_grows_only_with_a_change():
    us = side()
    origins = [
        us.take_offer(described("m=audio 49170 RTP/AVP 0")).origin,
        us.take_offer(described("m=audio 5002 RTP/AVP 0")).origin,
        us.take_offer(described("m=audio 5002 RTP/AVP 8")).origin,
        us.repeat_offer().origin,
    ]
    us.take_answer(described("m=audio 5002 RTP/AVP 8"))
    held = described("m=audio 5002 RTP/AVP 8", "a=sendonly")
    origins.append(us.take_offer(held).origin)
    assert [origin.version for origin in origins] == ["1", "1", "2", "2", "3"]
    assert len({origin.session_id for origin in origins}) == 1


def test_a_version_that_was_sent_is_never_used_for_anything_else():
    us = side()
    first = us.take_offer(described("m=audio 49170 RTP/AVP 0"))
    held = us.repeat_offer("sendonly")
    us.rollback()
    again = us.repeat_offer()
    assert [s.origin.version for s in (first, held, again)] == ["1", "2", "3"]
    assert again.media == first.media


def test_refused_lines_stay_in_our_own_offers():
    us = side()
    us.take_offer(described("m=video 5000 RTP/AVP 34", "m=audio 49170 RTP/AVP 0"))
    offer = us.make_offer()
    assert lines_of(offer) == ["video 0 RTP/AVP 34", "audio 20000 RTP/AVP 0 8 101"]
    us.take_answer(described("m=video 0 RTP/AVP 34", "m=audio 49170 RTP/AVP 8"))
    assert us.negotiated.law == "PCMA"


def test_a_late_offer_has_everything_with_the_law_in_use_first():
    us = side()
    us.take_offer(
        described("m=audio 49170 RTP/AVP 8 13 96", "a=rtpmap:96 telephone-event/8000", "a=ptime:30")
    )
    offer = audio_of(us.make_offer())
    assert offer.formats == ("8", "0", "96", "13")
    assert list(offer.values("ptime")) == ["30"]


def test_payload_types_keep_their_meaning_for_the_whole_call():
    us = side()
    us.take_offer(
        described(
            "m=audio 49170 RTP/AVP 101 8 0 96",
            "a=rtpmap:101 PCMA/8000",
            "a=rtpmap:8 FOO/8000",
            "a=rtpmap:0 BAR/8000",
        )
    )
    offer = audio_of(us.make_offer())
    # 101 is PCMA, 0 and 96 have been somebody else's: PCMU and the keys get the next free.
    assert list(offer.values("rtpmap")) == [
        "101 PCMA/8000",
        "97 PCMU/8000",
        "98 telephone-event/8000",
    ]


def test_an_encoding_for_which_no_number_is_left_is_not_offered():
    us = side()
    us.take_offer(described(f"m=audio 49170 RTP/AVP {' '.join(map(str, range(128)))}"))
    assert audio_of(us.make_offer()).formats == ("0", "8", "13")


def test_a_refused_offer_of_ours_is_taken_back():
    us = side()
    us.take_offer(described("m=audio 49170 RTP/AVP 0"))
    before = us.negotiated
    us.make_offer("inactive")
    us.rollback()
    assert (us.open, us.negotiated) == (False, before)
    assert audio_of(us.take_offer(described("m=audio 49170 RTP/AVP 0"))).has("sendrecv")


def test_an_offer_that_was_taken_in_vain_is_taken_back():
    us = side()
    us.take_offer(described("m=audio 49170 RTP/AVP 0"))
    before = us.negotiated
    us.take_offer(described("m=audio 5002 RTP/AVP 8"))
    us.rollback()
    assert us.negotiated is before


def test_repeating_before_anything_was_said_offers_everything():
    assert lines_of(side().repeat_offer()) == ["audio 20000 RTP/AVP 0 8 101"]


LINES = st.lists(
    st.sampled_from(
        [
            "m=audio 49170 RTP/AVP 0 101", "m=audio 49170 RTP/SAVP 8", "m=audio 0 RTP/AVP 0",
            "m=audio 49170 RTP/AVP 96 97 13", "m=video 5000 RTP/AVP 34", "m=image 5 udptl t38",
            EVENTS, "a=rtpmap:96 PCMA/8000", "a=rtpmap:97 x/y/z", "a=ptime:999999", "a=ptime:-1",
            "a=sendonly", "a=inactive", "a=rtcp-mux", "a=rtcp:x", "c=IN IP4 0.0.0.0",
            "c=IN IP6 ::1", "c=IN IP4 a.example", "a=crypto:1",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ]
    ),
    max_size=8,
)  # fmt: skip


@given(
    st.sampled_from(["off", "offered", "required"]),
    st.lists(st.tuples(st.sampled_from(["take", "make", "answer", "rollback"]), LINES), max_size=6),
)
def test_whatever_a_peer_describes_is_taken_or_refused(policy, steps):
    us = side(srtp=policy)
    for step, lines in steps:
        theirs, before = described(*lines), us.negotiated
        try:
            match step:
                case "take":
                    answer = us.take_offer(theirs)
                    assert [m.kind for m in answer.media] == [m.kind for m in theirs.media]
                    assert sum(m.port > 0 for m in answer.media) == 1
                    assert sdp.parse(sdp.serialise(answer)) == answer
                case "make":
                    us.make_offer()
                case "answer" if us.open:
                    us.take_answer(theirs)
                case "rollback":
                    us.rollback()
        except (NotAcceptable, OfferOpen):
            assert us.negotiated is before
