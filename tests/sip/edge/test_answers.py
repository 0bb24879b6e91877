"""Tests of a carrier's answers: none that is final is lost, whatever it carries."""

import re
import shutil

import pytest

from tests.sip.edge.talk import call_out, reached, register
from tests.sip.edge_messages import reply, request, routes, sdp, within
from tests.sip.edge_talkers import PUBLIC

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")

CARRIER = "127.0.0.48"
SDP = sdp(CARRIER)
MULTIPART = (
    "--b\r\nContent-Type: application/isup\r\n\r\n\x01\r\x02\r\n"
    f"--b\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b--\r\n"
)


@pytest.fixture
def carrier(talkers):
    return talkers(CARRIER)


@pytest.fixture
def answered(edge, child, carrier):
    """`got = answered(200, …)`: a call goes out, the carrier says that, the child hears `got`."""

    def answer(status, change=lambda text: text, **options):
        call_out(edge, child, carrier)
        answer.invite = carrier.expect("INVITE")
        text = reply(answer.invite, status, **options)
        carrier.send(change(text), answer.invite.source)
        # What the test before left without its ACK is said again.
        while (got := child.expect(status))["Call-ID"] != answer.invite["Call-ID"]:
            pass
        return got

    return answer


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (486, "text/plain", "subscriber busy"),
        (
            404,
            "multipart/mixed;boundary=b",
            "--b\r\nContent-Type: application/isup\r\n\r\n\x01\x00\r\n--b--",
        ),
        (503, "text/html", "<html>no</html>"),
        (480, "application/sdp", SDP.replace("m=audio", "m=video")),
        (488, "application/sdp", "nonsense"),
        (500, "message/sipfrag", "x" * 8000),
    ],
)
def test_a_refusal_reaches_the_child_without_its_body_and_is_acknowledged(
    answered, carrier, status, content_type, body
):
    got = answered(status, content_type=content_type, body=body)
    assert got.body == ""
    assert got["Content-Length"] == "0"
    assert not got.all("Content-Type")
    carrier.expect("ACK")


BROKEN = {
    "control characters": lambda text: text.replace("CSeq:", "Server: a\x07b\r\nCSeq:"),
    "two Froms": lambda text: text.replace("From:", "From: <sip:x@y>;tag=1\r\nFrom:"),
    "From is nonsense": lambda text: re.sub(r"From: [^\r]*", "From: nonsense;tag=1", text),
    "much too long": lambda text: text.replace("CSeq:", f"X-A: {'x' * 7000}\r\nCSeq:"),
    "doubled Via": lambda text: re.sub(r"(Via: [^\r]*\r\n)", r"\1\1", text, count=1),
    "no To tag": lambda text: text.replace(";tag=totag", ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_refusal_ends_the_call_with_its_code(answered, carrier, name):
    got = answered(486, BROKEN[name])
    assert got["From"] == answered.invite["From"]
    assert len(got.all("Via")) == 1
    carrier.expect("ACK")


def test_a_broken_provisional_answer_is_dropped(edge, child, carrier):
    call_out(edge, child, carrier)
    seen = carrier.expect("INVITE")
    carrier.send(BROKEN["control characters"](reply(seen, 180)), seen.source)
    carrier.send(reply(seen, 486), seen.source)
    child.expect(486)
    assert not [message for message in child.everything if message.status == 180]


USABLE = {
    "LF alone": {"body": SDP.replace("\r\n", "\n")},
    "empty lines at the end": {"body": SDP + "\r\n\r\n"},
    "folded": {"body": SDP, "extra": ["Server: a\r\n  b"]},
    "multipart": {"body": MULTIPART, "content_type": "multipart/mixed;boundary=b"},
    "a video line": {"body": SDP + "m=video 0 RTP/AVP 96\r\nc=IN IP6 2001:db8::1\r\n"},
}


@pytest.mark.parametrize("name", USABLE)
@pytest.mark.parametrize("status", [183, 200])
def test_a_usable_answer_is_passed_on_in_its_normal_form(answered, carrier, name, status):
    got = answered(status, contact=f"<sip:c@{carrier.at}>", **USABLE[name])
    assert got.body == SDP
    assert got["Content-Type"] == "application/sdp"
    assert int(got["Content-Length"]) == len(SDP)


FRAMES = {
    "bytes behind it": lambda text: text + "\r\n\0\0\0\0",
    "no length": lambda text: re.sub(r"Content-Length: .*\r\n", "", text),
    "no type": lambda text: text.replace("Content-Type: application/sdp\r\n", ""),
    "a type with a parameter": lambda text: text.replace("/sdp", "/SDP ;charset=utf-8"),
    "no reason": lambda text: text.replace("200 Whatever", "200 "),
    "a reason in Latin-1": lambda text: text.replace("Whatever", "Occup\u00e9"),
    "a Record-Route without brackets": lambda text: text.replace(
        "CSeq:", f"Record-Route: sip:{CARRIER};lr\r\nCSeq:"
    ),
    "empty headers": lambda text: text.replace("CSeq:", "Server:\r\nSubject: \r\nCSeq :\t"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_an_answer_is_usable_whatever_its_frame_is_like(answered, carrier, edge, child, name):
    got = answered(200, FRAMES[name], contact=f"<sip:c@{carrier.at}>", body=SDP)
    assert got.body == SDP
    assert got["Contact"] == f"<sip:c@{carrier.at}>"
    child.send(within("ACK", got, child, cseq=1), edge.inside)
    carrier.expect("ACK")


@pytest.mark.parametrize(
    "contact", ["", "Contact: <nonsense>\r\n", "Contact: <sip:a@b>\r\nContact: <sip:c@d>\r\n"]
)
def test_an_answer_without_one_contact_gets_the_address_that_it_came_from(
    answered, carrier, edge, child, contact
):
    got = answered(200, lambda text: text.replace("CSeq:", f"{contact}CSeq:"), body=SDP)
    assert got.all("Contact") == [f"<sip:{carrier.at};transport=udp>"]
    child.send(within("ACK", got, child, cseq=1), edge.inside)
    carrier.expect("ACK")


UNUSABLE = {
    "no SDP": "",
    "no audio": SDP.replace("m=audio", "m=video"),
    "audio switched off": SDP.replace("m=audio 40000", "m=audio 0"),
    "another codec": SDP.replace("RTP/AVP 0 101", "RTP/AVP 18").replace(
        "a=rtpmap:0 PCMU/8000\r\n", ""
    ),
    "no address": SDP.replace(f"c=IN IP4 {CARRIER}", "c=IN IP4 host.invalid"),
    "nonsense": "nonsense",
    "control characters": SDP.replace("s=-", "s=\x07"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_answer_reaches_the_child_as_one_that_it_must_end(
    answered, carrier, edge, child, name
):
    got = answered(200, contact=f"<sip:c@{carrier.at}>", body=UNUSABLE[name])
    assert re.findall("^m=[^\r]*", got.body, re.MULTILINE) == ["m=video 0 RTP/AVP 96"]
    edge.wait_logged(f"call_id={got['Call-ID']} source=udp:{carrier.at}")
    child.send(within("ACK", got, child, cseq=1), edge.inside)
    carrier.expect("ACK")
    child.send(within("BYE", got, child, cseq=2), edge.inside)
    carrier.expect("BYE")


@pytest.mark.parametrize("name", ["control characters", "two Froms", "doubled Via"])
def test_a_broken_answer_reaches_the_child_as_one_that_it_must_end(
    answered, carrier, edge, child, name
):
    got = answered(200, BROKEN[name], contact=f"<sip:c@{carrier.at}>", body=SDP)
    assert "m=video 0" in got.body
    assert routes(got)[0].startswith(f"<sip:127.0.0.1:{edge.inside[1]};")
    for method, cseq in (("ACK", 1), ("BYE", 2)):
        child.send(within(method, got, child, cseq=cseq), edge.inside)
        assert carrier.expect(method)["To"].endswith(";tag=totag")


def test_an_answer_without_sdp_is_usable_if_early_media_brought_one(edge, child, carrier):
    call_out(edge, child, carrier)
    seen = carrier.expect("INVITE")
    contact = f"<sip:c@{carrier.at}>"
    carrier.send(reply(seen, 183, contact=contact, body=SDP), seen.source)
    assert child.expect(183).body == SDP
    carrier.send(reply(seen, 200, contact=contact), seen.source)
    assert child.expect(200).body == ""


def test_unusable_early_media_are_left_out(answered, carrier):
    got = answered(183, contact=f"<sip:c@{carrier.at}>", body="nonsense", content_type="text/plain")
    assert got.body == ""


def test_challenges_reach_the_child_each_on_one_line(edge, child, carrier):
    folded = 'Digest realm="a",\r\n  nonce="1",\r\n\tqop="auth"'
    others = ['Basic realm="a"', 'Digest realm="a", nonce="1", algorithm=SHA-512-256']
    route = f"<sip:127.0.0.1:{edge.inside[1]};hop={carrier.at};lr>"
    child.send(request("REGISTER", "sip:trunk.example", child, routes=[route]), edge.inside)
    seen = carrier.expect("REGISTER")
    extra = [f"WWW-Authenticate: {each}" for each in (*others, folded)]
    carrier.send(reply(seen, 401, extra=extra), seen.source)
    got = child.expect(401).all("WWW-Authenticate")
    assert got == [*others, 'Digest realm="a", nonce="1", qop="auth"']


def test_a_registration_is_granted_although_other_bindings_are_odd(edge, child, children, carrier):
    _, answer = register(
        edge, child, carrier, granted='300, <sip:x@my_pbx>;q="a", "odd" <urn:thing>;expires=1'
    )
    assert answer.all("Contact") == [f"<sip:alice@{child.at}>;expires=300"]
    assert reached(children, 0.1) is None
    assert PUBLIC not in answer["Contact"]


def test_a_broken_grant_is_told_as_a_failure(edge, child, carrier):
    route = f"<sip:127.0.0.1:{edge.inside[1]};hop={carrier.at};lr>"
    child.send(request("REGISTER", "sip:trunk.example", child, routes=[route]), edge.inside)
    seen = carrier.expect("REGISTER")
    carrier.send(BROKEN["control characters"](reply(seen, 200)), seen.source)
    child.expect(502)
