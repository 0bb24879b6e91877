"""Tests of messages that are unusual and allowed: they reach a child in one form."""

import re
import shutil

import pytest

from tests.sip.edge.talk import invite, reached, refuse_politely
from tests.sip.edge_messages import reply, request, sdp, within
from tests.sip.edge_talkers import PEER

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")

SDP = sdp(PEER)
ISUP = "\x01\x10\x00\x0a\r\x03"
VIDEO = "m=video 0 RTP/AVP 96"


def multipart(*parts, boundary="b1"):
    """A body of `(type, content)`."""
    texts = [f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n{text}\r\n" for kind, text in parts]
    return "".join(texts) + f"--{boundary}--\r\n"


def is_whole(message):
    """Whether its length is right and its lines end with CRLF."""
    assert int(message["Content-Length"]) == len(message.raw.partition(b"\r\n\r\n")[2])
    return not re.search(rb"[^\r]\n|\r[^\n]|\n[ \t]", message.raw)


USABLE = {
    "an empty line at the end": SDP + "\r\n",
    "two empty lines at the end": SDP + "\r\n\r\n",
    "blanks at the ends of lines": SDP.replace("101\r\n", "101 \t\r\n"),
    "no CRLF at the end": SDP.removesuffix("\r\n"),
    "LF alone": SDP.replace("\r\n", "\n"),
    "empty lines and blanks in between": SDP.replace("t=0 0", "\r\n \r\nt=0 0"),
    "c= at the end": SDP.replace(f"c=IN IP4 {PEER}\r\n", "") + f"c=IN IP4 {PEER}",
}


@pytest.mark.parametrize("name", USABLE)
def test_a_session_description_is_passed_on_with_plain_lines(edge, children, peer, name):
    peer.send(invite(edge, peer, body=USABLE[name]), edge.public)
    got = reached(children)
    assert is_whole(got)
    assert sorted(got.body.split("\r\n")) == sorted(SDP.split("\r\n"))
    refuse_politely(got, children)


PARTS = {
    "binary behind": multipart(("application/sdp", SDP), ("application/isup", ISUP)),
    "binary before": multipart(("application/isup;version=x", ISUP), ("application/sdp", SDP)),
    "headers in a part": multipart(
        ("application/sdp\r\nContent-Disposition: session", SDP), ("application/pidf+xml", "<a/>")
    ),
    "compact and LF": multipart(("application/sdp", SDP))
    .replace("Content-Type", "c")
    .replace("\r\n", "\n"),
    "text before the first part": "This is multipart.\r\n" + multipart(("application/sdp", SDP)),
}


@pytest.mark.parametrize(
    "content_type", ["multipart/mixed;boundary=b1", 'multipart/x; boundary="b1"; a=b']
)
@pytest.mark.parametrize("name", PARTS)
def test_the_session_description_is_taken_out_of_a_multipart_body(
    edge, children, peer, name, content_type
):
    peer.send(invite(edge, peer, body=PARTS[name], content_type=content_type), edge.public)
    got = reached(children)
    assert got["Content-Type"] == "application/sdp"
    assert got.body == SDP
    assert is_whole(got)
    refuse_politely(got, children)


def test_a_boundary_may_have_any_characters(edge, children, peer):
    body = multipart(("application/sdp", SDP), boundary="=_a;b'()+,./:=? 1")
    kind = """multipart/mixed;type="a/b"; boundary="=_a;b'()+,./:=? 1\""""
    peer.send(invite(edge, peer, body=body, content_type=kind), edge.public)
    got = reached(children)
    assert got.body == SDP
    refuse_politely(got, children)


def test_folded_headers_are_unfolded(edge, children, peer):
    text = invite(
        edge,
        peer,
        headers={"Max-Forwards": "\r\n 70"},
        from_='"A"\r\n\t<sip:a@carrier.example>;\r\n  tag=1',
        extra=["Allow: INVITE, ACK,\r\n CANCEL, BYE"],
    )
    peer.send(text, edge.public)
    got = reached(children)
    assert is_whole(got)
    assert got["Allow"] == "INVITE, ACK, CANCEL, BYE"
    assert got["From"] == '"A" <sip:a@carrier.example>; tag=1'
    refuse_politely(got, children)


def test_compact_names_are_written_out(edge, children, peer):
    text = invite(edge, peer, extra=["k: timer", "x: 1800"])
    for long, short in (
        *(("Via", "v"), ("From", "f"), ("To", "t"), ("Call-ID", "i"), ("Contact", "M")),
        *(("Content-Type", "c "), ("Content-Length", "l")),
    ):
        text = text.replace(f"\r\n{long}:", f"\r\n{short}:")
    peer.send(text, edge.public)
    got = reached(children)
    names = {line.partition(":")[0] for line in got.text.partition("\r\n\r\n")[0].split("\r\n")[1:]}
    assert {"To", "From", "Call-ID", "Contact", "Supported", "Session-Expires"} <= names
    assert not [name for name in names if len(name.strip()) < 2]
    assert got.body == SDP
    child = next(c for c in children if got in c.everything)
    child.send(reply(got, 486), got.source)
    assert peer.expect(486)["Call-ID"] == got["Call-ID"]


def test_a_message_with_lf_alone_is_passed_on(edge, children, peer):
    head, _, body = invite(edge, peer).partition("\r\n\r\n")
    peer.send(head.replace("\r\n", "\n") + "\n\n" + body, edge.public)
    got = reached(children)
    assert is_whole(got)
    refuse_politely(got, children)


@pytest.mark.parametrize(
    "from_", ["<sip:@carrier.example>;tag=1", "<sip:x@sbc_1.carrier_net>;tag=1", "sip:@a_b;tag=1"]
)
def test_a_caller_without_a_user_or_at_a_host_with_an_underscore_is_let_in(
    edge, children, peer, from_
):
    peer.send(invite(edge, peer, from_=from_, to="<sip:+331@sbc_2>"), edge.public)
    got = reached(children)
    assert got["From"] == from_
    child = next(c for c in children if got in c.everything)
    child.send(reply(got, 486), got.source)
    assert peer.expect(486)["From"] == from_


def streams(text):
    return re.findall(r"^m=.*?(?=\r$)", text, re.MULTILINE)


AUDIO = f"m=audio 40000 RTP/AVP 0 101\r\nc=IN IP4 {PEER}\r\na=rtpmap:101 telephone-event/8000"
SESSION = f"v=0\r\no=- 1 1 IN IP4 {PEER}\r\ns=-\r\nt=0 0\r\n"
OFFERS = {
    "video": ([AUDIO, "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000"], [VIDEO], 0),
    "video first": (["m=video 4002 RTP/AVP 96", AUDIO], [VIDEO], 1),
    "IPv6 video": ([AUDIO, "m=video 0 RTP/AVP 96\r\nc=IN IP6 2001:db8::1"], [VIDEO], 0),
    "audio switched off first": (
        ["m=audio 0 RTP/AVP 8", "m=video 0 RTP/AVP 34", AUDIO],
        ["m=audio 0 RTP/AVP 8", "m=video 0 RTP/AVP 34"],
        2,
    ),
    "a speech server's control, which has no format": (
        [AUDIO, "m=application 9 TCP/MRCPv2\r\na=setup:active"],
        ["m=application 0 TCP/MRCPv2"],
        0,
    ),
    "video with a number that is none": (
        [AUDIO, "m=video 0 RTP/AVP 255"],
        ["m=video 0 RTP/AVP 255"],
        0,
    ),
    "DTLS first": (
        ["m=audio 4000 UDP/TLS/RTP/SAVPF 111", AUDIO],
        ["m=audio 0 UDP/TLS/RTP/SAVPF 111"],
        1,
    ),
    "fax and chat": (
        [AUDIO, "m=image 4004 udptl t38", "m=message 9 TCP/MSRP *"],
        ["m=image 0 udptl t38", "m=message 0 TCP/MSRP *"],
        0,
    ),
}


@pytest.mark.parametrize("name", OFFERS)
def test_a_child_is_offered_one_stream_and_the_answer_refuses_the_others(
    edge, children, peer, name
):
    offered, refused, at = OFFERS[name]
    peer.send(invite(edge, peer, body=SESSION + "\r\n".join(offered) + "\r\n"), edge.public)
    got = reached(children)
    assert streams(got.body) == ["m=audio 40000 RTP/AVP 0 101"]
    assert f"c=IN IP4 {PEER}\r\n" in got.body
    child = next(c for c in children if got in c.everything)
    answer = sdp("127.0.0.1", 5000)
    child.send(reply(got, 200, contact=f"<sip:x@{child.at}>", body=answer), got.source)
    ok = peer.expect(200)
    mine = "m=audio 5000 RTP/AVP 0 101"
    assert streams(ok.body) == [*refused[:at], mine, *refused[at:]]
    assert "127.0.0.1" not in ok.body
    assert is_whole(ok)
    peer.send(within("ACK", ok, peer, cseq=1), edge.public)
    child.expect("ACK")


def test_later_offers_of_a_child_list_the_refused_streams_too(edge, children, peer):
    peer.send(invite(edge, peer, body=f"{SESSION}{VIDEO}\r\n{AUDIO}\r\n"), edge.public)
    got = reached(children)
    child = next(c for c in children if got in c.everything)
    own = sdp("127.0.0.1", 5000)
    child.send(reply(got, 200, contact=f"<sip:x@{child.at}>", body=own), got.source)
    ok = peer.expect(200)
    for cseq, offer, refused in ((2, "", [VIDEO]), (3, f"{SESSION}{AUDIO}\r\n", [])):
        peer.send(within("INVITE", ok, peer, cseq=cseq, body=offer), edge.public)
        again = child.expect("INVITE")
        child.send(reply(again, 200, contact=f"<sip:x@{child.at}>", body=own), again.source)
        while (said := peer.expect(200))["CSeq"] != f"{cseq} INVITE":
            pass
        assert streams(said.body) == [*refused, "m=audio 5000 RTP/AVP 0 101"]
        peer.send(within("ACK", ok, peer, cseq=cseq), edge.public)
        child.expect("ACK")


@pytest.mark.parametrize(
    "others", [f"{VIDEO}\r\n" * 16, f"{VIDEO} {'97 ' * 330}98\r\n", f"{VIDEO} {'97 ' * 500}98\r\n"]
)
def test_too_many_streams_are_refused(edge, children, peer, others):
    body = SESSION + AUDIO + "\r\n" + others
    peer.send(invite(edge, peer, body=body), edge.public)
    peer.expect(488)
    assert reached(children, 0.3) is None


def test_a_bye_with_a_binary_body_reaches_the_child_without_it(edge, children, peer):
    peer.send(invite(edge, peer), edge.public)
    got = reached(children)
    child = next(c for c in children if got in c.everything)
    child.send(reply(got, 200, contact=f"<sip:x@{child.at}>", body=sdp("127.0.0.1")), got.source)
    ok = peer.expect(200)
    peer.send(within("ACK", ok, peer, cseq=1), edge.public)
    bye = within("BYE", ok, peer, cseq=2, body=ISUP + "\x00", content_type="application/isup")
    peer.send(bye, edge.public)
    seen = child.expect("BYE")
    assert seen.body == ""
    assert is_whole(seen)
    child.send(reply(seen, 200), seen.source)
    peer.expect(200)


def test_an_encoded_body_is_refused_with_what_is_accepted(edge, children, peer):
    peer.send(invite(edge, peer, extra=["Content-Encoding: gzip"]), edge.public)
    assert peer.expect(415)["Accept-Encoding"] == "identity"
    assert reached(children, 0.3) is None


def test_a_required_proxy_extension_is_named_as_unsupported(edge, children, peer):
    peer.send(invite(edge, peer, extra=["Proxy-Require: sec-agree"]), edge.public)
    assert peer.expect(420)["Unsupported"] == "sec-agree"
    assert reached(children, 0.3) is None


def test_an_origin_may_name_a_user_with_blanks(edge, children, peer):
    peer.send(invite(edge, peer, body=SDP.replace("o=-", "o=Jean Paul")), edge.public)
    got = reached(children)
    assert f"o=Jean Paul 1 1 IN IP4 {PEER}\r\n" in got.body
    refuse_politely(got, children)


KEYS = {
    "application/dtmf-relay": "Signal=1\r\nDuration=100\r\n",
    "application/dtmf": "1",
    "application/vnd.nortelnetworks.digits": "p=Digit-Collection\r\ny=Digits\r\nd=1\r\n",
}


@pytest.mark.parametrize("content_type", KEYS)
def test_keys_by_info_keep_their_body(edge, children, peer, content_type):
    peer.send(invite(edge, peer), edge.public)
    got = reached(children)
    child = next(c for c in children if got in c.everything)
    child.send(reply(got, 200, contact=f"<sip:x@{child.at}>", body=sdp("127.0.0.1")), got.source)
    ok = peer.expect(200)
    peer.send(within("ACK", ok, peer, cseq=1), edge.public)
    key = {"body": KEYS[content_type], "content_type": content_type}
    info = within("INFO", ok, peer, cseq=2, extra=["Allow: INVITE,\r\n BYE"], **key)
    peer.send(info, edge.public)
    seen = child.expect("INFO")
    assert seen.body == key["body"]
    assert seen["Content-Type"] == key["content_type"]
    child.send(reply(seen, 200), seen.source)


def test_a_compact_request_without_a_body_is_answered(edge, peer):
    text = request("OPTIONS", edge.uri("x"), peer).replace("\r\nTo:", "\r\nt:")
    peer.send(text, edge.public)
    peer.expect(200)
