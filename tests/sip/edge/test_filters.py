"""Tests of requests that the edge passes, refuses or drops; a real Kamailio, our configuration."""

import shutil

import pytest

from tests.sip.edge.talk import invite, reached, refuse_politely
from tests.sip.edge_messages import request, sdp
from tests.sip.edge_talkers import PEER, PUBLIC

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")


def test_a_peers_call_reaches_a_child_and_its_source_is_named(edge, children, peer):
    peer.send(invite(edge, peer), edge.public)
    got = reached(children)
    assert got.method == "INVITE"
    assert got["X-Chamade-Source"] == peer.at
    assert got["X-Chamade-Request-URI"] == edge.uri("+33123456789")
    assert got.first.split(" ")[1] == edge.uri("+33123456789")
    refuse_politely(got, children)
    assert peer.expect(486)


def test_a_stranger_s_call_is_forbidden_and_logged(edge, children, talkers):
    stranger = talkers("127.0.0.33")
    stranger.send(invite(edge, stranger), edge.public)
    assert "EDGE_PEERS" not in stranger.expect(403).text
    assert reached(children) is None
    edge.wait_logged(
        "call from a stranger (a carrier's address belongs into its trunk's networks, or into "
        'EDGE_PEERS)" method=INVITE'
    )
    assert f"udp:{stranger.at}" in edge.text()


def test_options_are_answered_by_the_edge(edge, children, talkers):
    stranger = talkers("127.0.0.34")
    stranger.send(request("OPTIONS", edge.uri("x"), stranger), edge.public)
    answer = stranger.expect(200)
    assert "INVITE" in answer["Allow"]
    assert "127.0.0.1" not in answer.text
    assert "kamailio" not in answer.text.lower()
    assert reached(children, 0.2) is None


@pytest.mark.parametrize(
    "method", ["REGISTER", "SUBSCRIBE", "MESSAGE", "REFER", "NOTIFY", "PUBLISH"]
)
def test_unsupported_methods_are_refused(edge, children, peer, method):
    text = request(method, edge.uri("alice"), peer, extra=["Refer-To: <sip:+15550001@example.org>"])
    peer.send(text, edge.public)
    assert "INVITE" in peer.expect(405)["Allow"]
    assert reached(children, 0.3) is None


MALFORMED = {
    "no Contact": {"drop": ["Contact"]},
    "two Contacts": {"extra": ["Contact: <sip:b@127.0.0.10>"]},
    "two Contacts, one compact": {"extra": ["m: <sip:b@127.0.0.10>"]},
    "two Contacts in one": {"headers": {"Contact": "<sip:a@127.0.0.10>, <sip:b@127.0.0.10>"}},
    "Contact *": {"headers": {"Contact": "*"}},
    "empty Contact": {"headers": {"Contact": ""}},
    "Contact is no URI": {"headers": {"Contact": "<nonsense>"}},
    "Contact is unclosed": {"headers": {"Contact": "<sip:a@127.0.0.10"}},
    "Contact by phone": {"headers": {"Contact": "<tel:+331>"}},
    "no From": {"drop": ["From"]},
    "no To": {"drop": ["To"]},
    "no Call-ID": {"drop": ["Call-ID"]},
    "no CSeq": {"drop": ["CSeq"]},
    "no Via": {"drop": ["Via"]},
    "two Froms": {"extra": ["f: <sip:b@127.0.0.10>;tag=2"]},
    "two Call-IDs": {"extra": ["i: another"]},
    "two CSeqs": {"extra": ["CSeq: 2 INVITE"]},
    "From without tag": {"from_": "<sip:a@127.0.0.10>"},
    "From is nonsense": {"from_": "nonsense;tag=1"},
    "CSeq of another method": {"cseq_method": "BYE"},
    "CSeq is no number": {"cseq": "many"},
    "CSeq too large": {"cseq": 99999999999},
    "Max-Forwards is no number": {"headers": {"Max-Forwards": "lots"}},
    "Via without branch": {"headers": {"Via": "SIP/2.0/UDP 127.0.0.10:5999"}},
    "Via of old": {"headers": {"Via": "SIP/2.0/UDP 127.0.0.10:5999;branch=1"}},
    "Content-Length too long": {"headers": {"Content-Length": "9000"}},
    "Content-Length too short": {"headers": {"Content-Length": "7"}},
    "Content-Length negative": {"headers": {"Content-Length": "-7"}},
    "two Content-Lengths": {"extra": ["Content-Length: 3"]},
    "long Call-ID": {"call_id": "x" * 300},
    "long From": {"from_": f'"{"x" * 700}" <sip:a@127.0.0.10>;tag=1'},
    "long user": {"user": "9" * 500},
    "much too long": {"extra": [f"X-Filler: {'x' * 900}"] * 8},
    "control characters": {"from_": '"a\x07b" <sip:a@127.0.0.10>;tag=1'},
    "NUL": {"from_": '"a\x00b" <sip:a@127.0.0.10>;tag=1'},
    "bare CR": {"extra": ["Subject: a\rb"]},
    "friendly-scanner": {"headers": {"User-Agent": "friendly-scanner"}},
    "sipvicious": {"headers": {"User-Agent": "SIPVicious 0.3"}},
    "sipcli": {"headers": {"User-Agent": "sipcli/v1.8"}},
    "VaxSIPUserAgent": {"headers": {"User-Agent": "VaxSIPUserAgent/3.1"}},
}


SCANNERS = ("friendly-scanner", "sipvicious", "sipcli", "VaxSIPUserAgent")
UNREADABLE = (
    *("no From", "no To", "no Call-ID", "no CSeq", "no Via", "two Froms", "two Call-IDs"),
    *("two CSeqs", "Content-Length negative", "two Content-Lengths", "NUL"),
)
"""What Kamailio itself cannot read, and so not answer."""
_ELSEWHERE = ("Via without branch", "Via of old")
"""Answered at the port in their Via."""
_FIRST = ("no Contact", "no From", "CSeq is no number", "two Content-Lengths", "NUL", "sipcli")


@pytest.mark.parametrize(
    "name",
    [each if each in _FIRST else pytest.param(each, marks=pytest.mark.deep) for each in MALFORMED],
)
def test_a_malformed_message_is_refused_and_never_reaches_a_child(edge, children, peer, name):
    peer.send(invite(edge, peer, **MALFORMED[name]), edge.public)
    assert reached(children, 0.4) is None
    expected = [513 if name == "much too long" else 400]
    if name in (*SCANNERS, *UNREADABLE, *_ELSEWHERE):
        expected = []
    assert [message.status for message in peer.everything] == expected
    assert all("127.0.0.2" in message["Warning"] for message in peer.everything)


def test_an_old_branch_is_refused(edge, children, peer):
    via = f"SIP/2.0/UDP {peer.at};branch=1"
    peer.send(invite(edge, peer, headers={"Via": via}), edge.public)
    assert "Via" in peer.expect(400)["Warning"]
    assert reached(children, 0.3) is None


def test_a_scanner_gets_no_answer(edge, peer):
    peer.send(
        request("OPTIONS", edge.uri("x"), peer, headers={"User-Agent": "sipcli"}), edge.public
    )
    peer.expect_nothing()


BAD_BODIES = {
    "nonsense": "nonsense",
    "no audio": sdp(PEER).replace("m=audio", "m=video"),
    "broken line": sdp(PEER).replace("a=ptime:20", "ptime:20"),
    "no origin": sdp(PEER).replace("o=- 1 1", "o=-"),
    "no address": sdp(PEER).replace("c=IN IP4 127.0.0.10", "c=IN IP4 $(reboot)"),
    "no IPv4": sdp(PEER).replace("c=IN IP4 127.0.0.10", "c=IN IP6 2001:db8::1"),
    "no G.711": sdp(PEER)
    .replace("AVP 0 101", "AVP 18 101")
    .replace("a=rtpmap:0 PCMU/8000\r\n", ""),
    "too long": sdp(PEER) + "a=x\r\n" * 1250,
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_malformed_session_description_is_refused(edge, children, peer, name):
    peer.send(invite(edge, peer, body=BAD_BODIES[name]), edge.public)
    assert peer.expect(413 if name == "too long" else 488)["Warning"]
    assert reached(children, 0.3) is None


@pytest.mark.parametrize("content_type", ["multipart/mixed;boundary=x", "text/plain"])
def test_an_invite_without_a_session_description_in_its_body_is_told_what_is_accepted(
    edge, children, peer, content_type
):
    peer.send(invite(edge, peer, content_type=content_type), edge.public)
    assert peer.expect(415)["Accept"] == "application/sdp"
    assert reached(children, 0.3) is None


def test_an_invite_without_offer_and_compact_headers_are_accepted(edge, children, peer):
    text = invite(edge, peer, body="")
    for long, short in (
        ("Via", "v"),
        ("From", "f"),
        ("To", "t"),
        ("Call-ID", "i"),
        ("Contact", "m"),
    ):
        text = text.replace(f"\r\n{long}:", f"\r\n{short}:")
    peer.send(text.replace("Content-Length:", "l:"), edge.public)
    got = reached(children)
    assert got.method == "INVITE"
    refuse_politely(got, children)


def test_display_names_in_any_script_are_accepted(edge, children, peer):
    peer.send(
        invite(edge, peer, from_='"Élodie \\"Zoé\\" <x>" <sip:+331@a.example>;tag=1'), edge.public
    )
    got = reached(children)
    assert "Élodie" in got["From"]
    refuse_politely(got, children)


def test_the_edge_s_own_headers_cannot_be_forged(edge, children, peer):
    forged = [
        "X-Chamade-Source: 192.0.2.1:1",
        "x-chamade-request-uri: sip:boss@x",
        "X-CHAMADE-Trunk: t",
        "Replaces: 1;to-tag=2;from-tag=3",
        "X-Twilio-CallSid: CA1",
        "X-Call-Sid: CA1",
        "Subject: 1",
    ]
    peer.send(invite(edge, peer, extra=forged), edge.public)
    got = reached(children)
    assert got.all("X-Chamade-Source") == [peer.at]
    assert got.all("X-Chamade-Request-URI") == [edge.uri("+33123456789")]
    assert not got.all("X-Chamade-Trunk")
    assert not got.all("Replaces")
    for name in ("X-Twilio-CallSid", "X-Call-Sid", "Subject"):
        assert not got.all(name)
    refuse_politely(got, children)


def test_headers_for_the_application_reach_the_child(edge, children, peer):
    headers = ["X-Order: 4711", "x-tier: gold", "User-to-User: 00aa;encoding=hex"]
    peer.send(invite(edge, peer, extra=headers), edge.public)
    got = reached(children)
    assert [got[name] for name in ("X-Order", "X-Tier", "User-to-User")] == [
        "4711", "gold", "00aa;encoding=hex",
    ]  # fmt: skip
    refuse_politely(got, children)


def test_headers_that_name_the_caller_reach_the_child(edge, children, peer):
    headers = [
        "P-Asserted-Identity: <sip:+331@x.example>",
        "P-Preferred-Identity: <sip:+333@x.example>",
        "Remote-Party-ID: <sip:+334@x.example>;party=calling",
        "Diversion: <sip:+332@x.example>;reason=unconditional",
    ]
    peer.send(invite(edge, peer, extra=headers), edge.public)
    got = reached(children)
    assert got["P-Preferred-Identity"] == "<sip:+333@x.example>"
    assert got["Remote-Party-ID"] == "<sip:+334@x.example>;party=calling"
    assert got["P-Asserted-Identity"] == "<sip:+331@x.example>"
    assert got["Diversion"].startswith("<sip:+332@x.example>")
    refuse_politely(got, children)


def test_max_forwards_is_enforced_and_lowered(edge, children, peer):
    peer.send(invite(edge, peer, headers={"Max-Forwards": "0"}), edge.public)
    peer.expect(483)
    peer.send(invite(edge, peer, headers={"Max-Forwards": "255"}), edge.public)
    got = reached(children)
    assert int(got["Max-Forwards"]) <= 70
    refuse_politely(got, children)


def test_requests_in_unknown_dialogs_get_481(edge, children, talkers):
    stranger = talkers("127.0.0.35")
    for method in ("INVITE", "BYE", "INFO", "UPDATE"):
        to = f"<{edge.uri('alice')}>;tag=1"
        stranger.send(request(method, edge.uri("alice"), stranger, to=to), edge.public)
        stranger.expect(481)
    stranger.send(request("ACK", edge.uri("alice"), stranger, to=to), edge.public)
    stranger.expect_nothing()
    stranger.send(request("CANCEL", edge.uri("alice"), stranger), edge.public)
    stranger.expect(481)
    assert reached(children, 0.3) is None


def test_a_reply_to_nothing_reaches_nobody(edge, children, child, talkers):
    stranger = talkers("127.0.0.36")
    via = f"Via: SIP/2.0/UDP {PUBLIC}:{edge.port};branch=z9hG4bKcafe.1\r\n"
    via += f"Via: SIP/2.0/UDP {child.at};branch=z9hG4bKx"
    stranger.send(
        f"SIP/2.0 200 OK\r\n{via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: 1\r\n"
        "CSeq: 1 INVITE\r\nContact: <sip:a@b>\r\nContent-Length: 0\r\n\r\n",
        edge.public,
    )
    assert reached(children, 0.4) is None


def test_only_children_may_send_through_the_inner_socket(edge, talkers):
    carrier, other = talkers("127.0.0.40"), talkers("127.0.0.1")
    route = f"<sip:127.0.0.1:{edge.inside[1]};hop={carrier.at};via=udp;lr>"
    other.send(request("INVITE", "sip:1@x.example", other, routes=[route]), edge.inside)
    carrier.send(request("INVITE", "sip:1@x.example", carrier, routes=[route]), edge.public)
    carrier.expect(403)
    other.expect_nothing(0.1)
