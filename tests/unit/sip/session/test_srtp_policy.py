"""Tests of SRTP in offers and answers: what a trunk's choice takes, and which keys stay."""

from __future__ import annotations

import base64

import pytest

from gateway.sip.session import sdes, sdp
from gateway.sip.session.offer_answer import NotAcceptable
from tests.unit.sip.session import descriptions
from tests.unit.sip.session.descriptions import HEAD, audio_of, described

EIGHTY, THIRTY_TWO, GCM = sdes.SUITES
THEIRS = bytes(range(100, 130))
SAVP = "m=audio 49170 RTP/SAVP 0"
AVP = "m=audio 49170 RTP/AVP 0"


def crypto(tag=1, suite=EIGHTY, key=THEIRS, more=""):
    return f"a=crypto:{tag} {suite} inline:{base64.b64encode(key).decode()}{more}"


def side(policy):
    return descriptions.side(srtp=policy)


def keys_of(session):
    return sdes.readable(audio_of(session))[0]


def reason(refused):
    with pytest.raises(NotAcceptable) as info:
        refused()
    return info.value.reason


@pytest.mark.parametrize("policy", ["offered", "required"])
def test_an_offer_of_srtp_is_answered_with_its_tag_and_a_key_of_ours(policy):
    us = side(policy)
    answer = us.take_offer(described(SAVP, crypto(7, more="|2^20 WSH=64")))
    (ours,) = keys_of(answer)
    assert audio_of(answer).protocol == "RTP/SAVP"
    assert (ours.tag, ours.suite) == (7, EIGHTY)
    srtp = us.negotiated.srtp
    assert (srtp.suite, srtp.our_key, srtp.their_key) == (EIGHTY, ours.key, THEIRS)
    assert ours.key != THEIRS


def test_the_best_usable_line_is_taken():
    us = side("required")
    us.take_offer(
        described(
            SAVP,
            crypto(1, GCM, bytes(28)),
            crypto(2, THIRTY_TWO),
            crypto(3, EIGHTY, more="|1:4"),
        )
    )
    assert us.negotiated.srtp.suite == THIRTY_TWO
    us = side("required")
    answer = us.take_offer(described(SAVP, crypto(1, GCM, bytes(28))))
    assert len(keys_of(answer)[0].key) == 28


def test_srtp_without_a_usable_key_is_refused_with_all_reasons():
    why = reason(lambda: side("required").take_offer(described(SAVP)))
    assert "no a=crypto line" in why
    why = reason(
        lambda: side("required").take_offer(
            described(SAVP, crypto(1, "F8"), crypto(2, more="|1:4"))
        )
    )
    assert "F8" in why
    assert "MKI" in why


def test_keys_of_the_session_do_not_count():
    text = (HEAD + crypto() + "\n" + SAVP).encode()
    reason(lambda: side("required").take_offer(sdp.parse(text)))


def test_a_trunk_that_requires_srtp_refuses_plain_rtp():
    for lines in ([AVP], [AVP, crypto()]):
        assert "SRTP only" in reason(
            lambda lines=lines: side("required").take_offer(described(*lines))
        )


def test_a_trunk_without_srtp_passes_keys_beside_plain_rtp_over():
    us = side("off")
    answer = us.take_offer(described(AVP, crypto()))
    assert not audio_of(answer).has("crypto")
    assert us.negotiated.srtp is None


def test_of_a_secured_and_a_plain_line_the_one_for_the_trunk_is_taken():
    for policy, port in (("off", 49180), ("offered", 49170), ("required", 49170)):
        us = side(policy)
        us.take_offer(described(SAVP, crypto(), "m=audio 49180 RTP/AVP 0"))
        assert us.negotiated.rtp_port == port


def test_opportunistic_srtp_is_taken_where_it_is_offered_itself():
    us = side("offered")
    answer = us.take_offer(described(AVP, crypto()))
    assert audio_of(answer).protocol == "RTP/AVP"
    assert us.negotiated.srtp.their_key == THEIRS
    us = side("offered")
    us.take_offer(described(AVP, crypto(1, "F8")))
    assert us.negotiated.srtp is None


def test_what_a_trunk_offers_is_its_choice():
    offers = {
        policy: audio_of(side(policy).make_offer()) for policy in ("off", "offered", "required")
    }
    assert {policy: line.protocol for policy, line in offers.items()} == {
        "off": "RTP/AVP",
        "offered": "RTP/AVP",
        "required": "RTP/SAVP",
    }
    assert not offers["off"].has("crypto")
    for policy in ("offered", "required"):
        lines, _ = sdes.readable(offers[policy])
        assert [(line.tag, line.suite) for line in lines] == [(1, EIGHTY), (2, THIRTY_TWO)]
        assert lines[0].key != lines[1].key


def test_the_answer_chooses_the_suite():
    us = side("required")
    ours = keys_of(us.make_offer())
    srtp = us.take_answer(described(SAVP, crypto(2, THIRTY_TWO))).srtp
    assert (srtp.suite, srtp.our_key, srtp.their_key) == (THIRTY_TWO, ours[1].key, THEIRS)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([SAVP], "no a=crypto line"),
        ([SAVP, crypto(3)], "tag 3 was not offered"),
        ([SAVP, crypto(2, EIGHTY)], "tag 2 was not offered"),
        ([SAVP, crypto(1, EIGHTY, more="|1:4")], "MKI"),
        ([AVP, crypto()], "RTP/AVP"),
        ([AVP], "RTP/AVP"),
    ],
)
def test_an_answer_that_chose_nothing_of_ours_is_refused(lines, words):
    us = side("required")
    us.make_offer()
    assert words in reason(lambda: us.take_answer(described(*lines)))


@pytest.mark.parametrize(("lines", "suite"), [([AVP, crypto()], EIGHTY), ([AVP], None)])
def test_an_answer_to_opportunistic_srtp_may_be_secured_or_plain(lines, suite):
    us = side("offered")
    us.make_offer()
    srtp = us.take_answer(described(*lines)).srtp
    assert (srtp and srtp.suite) == suite


def test_an_answer_to_opportunistic_srtp_chooses_what_was_offered():
    us = side("offered")
    us.make_offer()
    assert "tag 9" in reason(lambda: us.take_answer(described(AVP, crypto(9))))
    assert "RTP/SAVP" in reason(lambda: us.take_answer(described(SAVP, crypto())))


def test_keys_in_an_answer_to_plain_rtp_mean_nothing():
    us = side("off")
    us.make_offer()
    assert us.take_answer(described(AVP, crypto())).srtp is None


def test_our_key_stays_through_offers_of_either_side():
    us = side("required")
    first = keys_of(us.take_offer(described(SAVP, crypto(2))))[0]
    again = keys_of(us.take_offer(described(SAVP, crypto(1, key=bytes(30)))))[0]
    assert (first.key, again.tag) == (again.key, 1)
    assert us.negotiated.srtp.their_key == bytes(30)
    (offered,) = keys_of(us.make_offer())
    assert (offered.suite, offered.key) == (EIGHTY, first.key)
    us.rollback()
    assert keys_of(us.repeat_offer())[0].key == first.key


def test_a_new_key_is_made_when_asked_and_taken_back_with_the_offer():
    us = side("required")
    first = keys_of(us.take_offer(described(SAVP, crypto())))[0].key
    rekeyed = keys_of(us.make_offer(rekey=True))[0].key
    assert rekeyed != first
    us.rollback()
    assert keys_of(us.make_offer())[0].key == first


def test_a_call_that_began_plain_offers_no_keys_later():
    us = side("offered")
    us.take_offer(described(AVP))
    assert keys_of(us.make_offer()) == []


def test_keys_are_not_shown():
    us = side("required")
    us.take_offer(described(SAVP, crypto()))
    assert repr(THEIRS) not in repr(us.negotiated)
    assert "their_key" not in repr(us.negotiated)
