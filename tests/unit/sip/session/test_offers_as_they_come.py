"""Session descriptions as phones, gateways and media servers write them: each is taken, or refused
for the right reason. Rebuilt from reports of other SIP software.
"""

from __future__ import annotations

import pytest

from gateway.sip.session import sdp
from gateway.sip.session.sdp import SdpError
from tests.unit.sip.session.descriptions import lines_of, reason, side

HEAD = "v=0\r\no=- 77 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
MAPS = "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
AUDIO = "m=audio 4000 RTP/AVP 0 101\r\n" + MAPS
KEY = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
USUAL = ("192.0.2.1", 4000, "PCMU", 101)

TAKEN = {
    "a phone's c= behind m=": (
        "v=0\r\no=Cisco-SIPUA 7221 0 IN IP4 192.0.2.1\r\ns=SIP Call\r\nt=0 0\r\n"
        "m=audio 4000 RTP/AVP 0 8 18 9 116 101\r\nc=IN IP4 192.0.2.1\r\n"
        "a=fmtp:18 annexb=no\r\na=rtpmap:116 iLBC/8000\r\na=fmtp:116 mode=20\r\n" + MAPS,
        USUAL,
    ),
    "no o=, s= and t=": (f"v=0\r\nc=IN IP4 192.0.2.1\r\n{AUDIO}", USUAL),
    "attributes without their values": (
        f"{HEAD}{AUDIO}a=fmtp:101\r\na=rtpmap:96\r\na=fmtp:\r\na=rtpmap\r\na=ssrc:1308456296\r\n",
        USUAL,
    ),
    "keys with channels": (HEAD + AUDIO.replace("event/8000", "event/8000/1"), USUAL),
    "keys at 48 kHz before those at 8 kHz": (
        HEAD + "m=audio 4000 RTP/AVP 0 96 97 101\r\na=rtpmap:96 opus/48000/2\r\n"
        "a=rtpmap:97 telephone-event/48000\r\n" + MAPS,
        USUAL,
    ),
    "two kinds of keys at 8 kHz": (
        HEAD + "m=audio 4000 RTP/AVP 0 101 126\r\na=rtpmap:126 telephone-event/8000\r\n" + MAPS,
        USUAL,
    ),
    "wideband under a narrowband name": (
        HEAD + "m=audio 4000 RTP/AVP 97 0 101\r\na=rtpmap:97 PCMU/16000\r\n" + MAPS,
        USUAL,
    ),
    "another codec as well as data": (
        HEAD + AUDIO.replace("0 101", "0 99 101") + "a=rtpmap:99 CLEARMODE/8000\r\n"
        "a=silenceSupp:off - - - -\r\na=ecan:fb on -\r\na=X-nat:0 Unknown\r\n",
        USUAL,
    ),
    "formats said twice": (HEAD + AUDIO.replace("0 101", "0 0 101 101"), USUAL),
    "tabs and blanks": (
        HEAD + AUDIO.replace("m=audio 4000", "m=audio\t4000").replace("a=", "a= "),
        USUAL,
    ),
    "blanks in an rtpmap": (HEAD + AUDIO.replace("PCMU/8000", "PCMU / 8000"), USUAL),
    "a small profile": (HEAD + AUDIO.replace("RTP/AVP", "rtp/avp"), USUAL),
    "two ports": (HEAD + AUDIO.replace("4000", "4000/2"), USUAL),
    "a time to live": (HEAD.replace("192.0.2.1\r\nt", "192.0.2.1/127\r\nt") + AUDIO, USUAL),
    "CR CR LF": ((HEAD + AUDIO).replace("\r\n", "\r\r\n"), USUAL),
    "a name in Latin-1": (HEAD.replace("s=-", "s=T\udce9l\udce9phone") + AUDIO, USUAL),
    "an IPv4 address called IPv6": (f"{HEAD}{AUDIO}c=IN IP6 192.0.2.1\r\n", USUAL),
    "two addresses": (f"{HEAD}{AUDIO}c=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.9\r\n", USUAL),
    "ports for reports that are none": (f"{HEAD}{AUDIO}a=rtcp:\r\na=rtcp:65536\r\n", USUAL),
}


@pytest.mark.parametrize("name", TAKEN)
def test_an_offer_is_taken_as_it_comes(name):
    text, agreed = TAKEN[name]
    us = side()
    us.take_offer(sdp.parse(text.encode(errors="surrogateescape")))
    found = us.negotiated
    assert (found.host, found.rtp_port, found.law, found.telephone_event) == agreed


OTHERS = {
    "a speech server's control, without a format": ("application 9 TCP/MRCPv2", "TCP/MRCPv2 0"),
    "video switched off with a number that is none": ("video 0 RTP/AVP 255", "RTP/AVP 255"),
    "video without formats": ("video 0 RTP/AVP", "RTP/AVP 0"),
    "fax": ("image 4004 udptl t38", "udptl t38"),
    "text": ("text 5000 RTP/AVP 98 99", "RTP/AVP 98 99"),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("first", [True, False])
def test_other_streams_are_refused_at_their_place(name, first):
    line, refused = OTHERS[name]
    kind = line.split()[0]
    parts = [f"m={line}\r\nc=IN IP4 192.0.2.1\r\n", AUDIO]
    answer = side().take_offer(
        sdp.parse((HEAD + "".join(parts if first else parts[::-1])).encode())
    )
    lines = [f"{kind} 0 {refused}", "audio 20000 RTP/AVP 0 101"]
    assert lines_of(answer) == (lines if first else lines[::-1])


@pytest.mark.parametrize(
    ("below", "ms"),
    [
        ("a=ptime:125\r\na=maxptime:150\r\n", 60),
        ("a=ptime:20.0\r\n", 20),
        ("a=ptime:0\r\n", 20),
        ("a=ptime:\r\na=maxptime\r\n", 20),
    ],
)
def test_packet_times_that_nobody_can_keep_become_the_nearest(below, ms):
    us = side()
    us.take_offer(sdp.parse(f"{HEAD}{AUDIO}{below}".encode()))
    assert us.negotiated.ptime == ms


@pytest.mark.parametrize(
    ("text", "may_send", "may_receive"),
    [
        (f"{HEAD}{AUDIO}a=sendonly", False, True),
        (f"{HEAD}a=sendonly\r\n{AUDIO}a=sendrecv", True, True),
        (f"{HEAD}{AUDIO}a=recvonly\r\na=mid:1\r\n", True, False),
        (HEAD.replace("192.0.2.1", "0.0.0.0") + AUDIO.replace("4000", "9"), False, True),
    ],
    ids=["held in a line without an end", "both levels", "a speech server", "held as in RFC 2543"],
)
def test_a_direction_is_read_wherever_it_stands(text, may_send, may_receive):
    us = side()
    us.take_offer(sdp.parse(text.encode()))
    assert (us.negotiated.may_send, us.negotiated.may_receive) == (may_send, may_receive)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("m=image 4004 udptl t38\r\na=T38FaxVersion:0\r\n", ["the offer has none"]),
        ("m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/16000\r\n", ["8000 Hz"]),
        ("m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 GSM/8000\r\n", ["PCMU or PCMA"]),
        (f"m=audio 4000 RTP/AVP 101\r\n{MAPS}", ["PCMU or PCMA"]),
        ("m=audio 4000 RTP/AVP *\r\n", ["PCMU or PCMA"]),
        (f"{AUDIO}c=IN IP4 2001:db8::1\r\n", ["IPv6"]),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 00\r\n", ["UDP/TLS/RTP/SAVPF"]),
    ],
)
def test_an_offer_that_cannot_be_taken_is_refused_for_its_own_reason(text, words):
    us = side()
    reason(lambda: us.take_offer(sdp.parse((HEAD + text).encode())), *words)
    assert us.negotiated is None


@pytest.mark.parametrize(
    ("lines", "suite"),
    [
        (f"1 AES_CM_128_HMAC_SHA1_80 {KEY}|2^31|1:1", None),
        (f"1 AES_CM_128_HMAC_SHA1_80 {KEY} UNENCRYPTED_SRTCP", None),
        (f"1 AES_CM_128_HMAC_SHA1_80 {KEY}|2^20", "AES_CM_128_HMAC_SHA1_80"),
        (f"7 aes_cm_128_hmac_sha1_32 {KEY}|1048576 WSH=64 ", "AES_CM_128_HMAC_SHA1_32"),
    ],
    ids=["MKI", "unencrypted reports", "lifetime", "small letters"],
)
@pytest.mark.parametrize("kind", ["RTP/AVP", "RTP/SAVP"])
def test_keys_are_taken_or_passed_over(kind, lines, suite):
    text = HEAD + AUDIO.replace("RTP/AVP", kind) + f"a=tcap:1 RTP/SAVP\r\na=crypto:{lines}\r\n"
    us = side(srtp="offered")
    if suite is None and kind == "RTP/SAVP":
        reason(lambda: us.take_offer(sdp.parse(text.encode())), "no usable key")
        return
    us.take_offer(sdp.parse(text.encode()))
    assert (us.negotiated.srtp.suite if us.negotiated.srtp else None) == suite


@pytest.mark.parametrize("text", ["\ufeff" + HEAD + AUDIO, "V=0\r\n" + AUDIO, "{}", "<sdp/>"])
def test_what_is_no_session_description_is_told_so(text):
    with pytest.raises(SdpError, match="begin with v=0"):
        sdp.parse(text.encode())
