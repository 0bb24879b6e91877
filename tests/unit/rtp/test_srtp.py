"""Tests of SRTP: what one protects the other reads, and a re-INVITE does not disturb it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rtp import packet, rtcp
from gateway.rtp.srtp import Keys, SecureSession, SRTPError, Suite

ONE, TWO = bytes(range(30)), bytes(range(100, 130))


def pair(suite=Suite.AES_CM_128_HMAC_SHA1_80, here=ONE, there=TWO):
    size = suite.key_bytes
    ours = Keys(suite, here[:size], there[:size])
    theirs = Keys(suite, there[:size], here[:size])
    return SecureSession(ours), SecureSession(theirs)


def rtp(sequence, payload=b"audio"):
    return packet.serialise(packet.Packet(0, sequence & 0xFFFF, 160, 7, payload))


@pytest.mark.parametrize("suite", Suite)
def test_what_one_end_protects_the_other_reads(suite):
    ours, theirs = pair(suite)
    for one, other in ((ours, theirs), (theirs, ours)):
        protected = one.protect(rtp(1))
        assert b"audio" not in protected
        assert other.unprotect(protected) == rtp(1)
        bye = rtcp.compose([rtcp.Bye((7,))])
        assert other.unprotect_rtcp(one.protect_rtcp(bye)) == bye


def test_a_forged_and_a_repeated_packet_are_refused():
    ours, theirs = pair()
    protected = ours.protect(rtp(1))
    with pytest.raises(SRTPError, match="our key"):
        theirs.unprotect(protected[:-1] + bytes([protected[-1] ^ 1]))
    theirs.unprotect(protected)
    with pytest.raises(SRTPError, match="replay"):
        theirs.unprotect(protected)


@given(st.binary(max_size=1600))
def test_any_datagram_is_refused_with_one_kind_of_error(data):
    ours, _ = pair()
    for act in (ours.unprotect, ours.unprotect_rtcp):
        with pytest.raises(SRTPError):
            act(data)


def test_a_packet_too_long_to_protect_is_refused():
    ours, _ = pair()
    for act in (ours.protect, ours.protect_rtcp):
        with pytest.raises(SRTPError):
            act(bytes([0x80]) + bytes(1499))


def test_the_same_keys_again_keep_the_count_of_wraps():
    ours, theirs = pair()
    for sequence in range(0xFFF0, 0x10010):  # a wrap: the count is 1 from here on
        theirs.unprotect(ours.protect(rtp(sequence)))
    ours.rekey(Keys(Suite.AES_CM_128_HMAC_SHA1_80, ONE, TWO))
    assert theirs.unprotect(ours.protect(rtp(0x10011))) == rtp(0x10011)
    late_comer = pair()[1]  # this one begins anew, at a count of 0
    with pytest.raises(SRTPError):
        late_comer.unprotect(ours.protect(rtp(0x10012)))


def test_a_changed_key_counts_from_the_next_packet_on_and_the_other_direction_goes_on():
    ours, theirs = pair()
    before = theirs.protect(rtp(1))
    ours.unprotect(before)
    three = bytes(reversed(range(30)))
    ours.rekey(Keys(Suite.AES_CM_128_HMAC_SHA1_80, three, TWO))
    with pytest.raises(SRTPError):
        theirs.unprotect(ours.protect(rtp(2)))
    theirs.rekey(Keys(Suite.AES_CM_128_HMAC_SHA1_80, TWO, three))
    assert theirs.unprotect(ours.protect(rtp(3))) == rtp(3)
    with pytest.raises(SRTPError, match="replay"):
        ours.unprotect(before)


@pytest.mark.parametrize("suite", Suite)
def test_a_key_of_the_wrong_length_is_refused_and_never_shown(suite):
    with pytest.raises(ValueError, match=str(suite.key_bytes)):
        Keys(suite, b"secret", b"secret")
    keys = Keys(suite, b"s" * suite.key_bytes, b"s" * suite.key_bytes)
    assert "sss" not in repr(keys)
