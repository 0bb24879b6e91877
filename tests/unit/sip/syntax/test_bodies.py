"""The session description in a body (RFC 2046 5.1, RFC 5621)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sip.errors import Refusal
from gateway.sip.syntax.body import MAX_PARTS, session_description
from gateway.sip.syntax.fields import Headers
from gateway.sip.syntax.message import Request, Response
from tests.support.thorough import often

SDP = b"v=0\r\ns=-\r\n"


def invite(content_type: str, body: bytes, **fields: str) -> Request:
    headers = Headers([("Content-Type", content_type)] if content_type else [])
    for name, value in fields.items():
        headers.add(name.replace("_", "-"), value)
    return Request("INVITE", "sip:a@h", headers=headers, body=body)


def multipart(*parts: bytes, boundary: bytes = b"b", end: bytes = b"\r\n") -> bytes:
    pieces = [b"--" + boundary + end + part for part in parts]
    return end.join([*pieces, b"--" + boundary + b"--" + end])


def part(content: bytes, content_type: str = "application/sdp", more: str = "") -> bytes:
    return f"Content-Type: {content_type}\r\n{more}\r\n".encode() + content


ISUP = part(b"\x01\x02--b\n\r\n", "application/isup;version=itu-t92+")


@pytest.mark.parametrize("kind", ["application/sdp", "Application / SDP ; charset=utf-8", ""])
def test_a_body_of_sdp_is_it(kind):
    assert session_description(invite(kind, SDP)) == SDP


def test_no_body_is_no_description():
    assert session_description(invite("", b"")) is None
    assert session_description(invite("application/sdp", b"\r\n")) is None


@pytest.mark.parametrize(
    "body",
    [
        multipart(part(SDP)),
        multipart(ISUP, part(SDP)),
        multipart(part(SDP), ISUP, part(b"v=1\r\n")),
        b"a preamble, --b and so on\r\n" + multipart(part(SDP)) + b"an epilogue\r\n",
        multipart(part(b"hello", "text/plain"), b"\r\n" + b"no head at all", part(SDP)),
        multipart(part(SDP), boundary=b"b").replace(b"--b\r\n", b"--b \t\r\n"),
        multipart(part(SDP)).removesuffix(b"\r\n"),
        multipart(part(SDP)).removesuffix(b"\r\n--b--\r\n"),
        multipart(b"c: application/sdp\r\n\r\n" + SDP),
        multipart(part(SDP), part(b"x", "text/plain")),
    ],
)
def test_a_part_of_sdp_is_found(body):
    assert session_description(invite("multipart/mixed;boundary=b", body)) == SDP


def test_lines_of_parts_may_end_with_lf_alone():
    body = multipart(ISUP, part(SDP)).replace(b"\r\n", b"\n")
    found = session_description(invite("multipart/mixed;boundary=b", body))
    assert found == SDP.replace(b"\r\n", b"\n").removesuffix(b"\n") + b"\n"


def test_a_boundary_may_be_quoted_and_hold_a_blank():
    body = multipart(part(SDP), boundary=b"a b?")
    assert session_description(invite('multipart/mixed; boundary="a b?"', body)) == SDP


def test_a_line_that_begins_like_a_delimiter_is_none():
    text = part(b"--bogus\r\n" + part(b"v=1\r\n"), "text/plain")
    body = multipart(text, part(SDP))
    assert session_description(invite("multipart/mixed;boundary=b", body)) == SDP


def test_the_type_of_a_part_may_be_folded():
    inner = multipart(part(SDP), boundary=b"in")
    body = multipart(b"Content-Type: multipart/related;\r\n boundary=in\r\n\r\n" + inner)
    assert session_description(invite("multipart/mixed;boundary=b", body)) == SDP


def test_early_media_of_rfc_3959_is_not_the_session():
    early = part(b"v=1\r\n", more="Content-Disposition: early-session\r\n")
    body = multipart(early, part(SDP, more="Content-Disposition: session;handling=required\r\n"))
    assert session_description(invite("multipart/mixed;boundary=b", body)) == SDP


def nested(depth: int) -> Request:
    body, kind = SDP, "application/sdp"
    for level in range(depth):
        body = multipart(part(body, kind), boundary=b"b%d" % level)
        kind = f"multipart/mixed;boundary=b{level}"
    return invite(kind, body)


def test_multiparts_are_opened_to_a_depth():
    assert session_description(nested(3)) == SDP
    with pytest.raises(Refusal):
        session_description(nested(4))


def test_so_many_parts_are_looked_at():
    mixed, others = "multipart/mixed;boundary=b", [part(b"x", "text/plain")] * MAX_PARTS
    assert session_description(invite(mixed, multipart(*others[1:], part(SDP)))) == SDP
    with pytest.raises(Refusal):
        session_description(invite(mixed, multipart(*others, part(SDP))))


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (invite("application/unknownformat", b"<audio/>"), 415),
        (invite("", b"<audio/>"), 415),
        (invite("multipart/mixed;boundary=b", multipart(ISUP)), 415),
        (invite("application/sdp", SDP, Content_Encoding="gzip"), 415),
        (invite("multipart/mixed", multipart(part(SDP))), 400),
        (invite(";", SDP), 400),
    ],
)
def test_a_body_that_nobody_here_can_read_is_refused(message, status):
    with pytest.raises(Refusal) as caught:
        session_description(message)
    assert caught.value.status == status


def test_other_bodies_of_other_messages_are_passed_over():
    headers = Headers([("Content-Type", "text/plain")])
    assert session_description(Response(200, headers=headers, body=b"hello")) is None
    assert session_description(Request("INFO", "sip:a@h", headers=headers, body=b"x")) is None


@settings(max_examples=often(300, 5_000))
@given(
    pieces=st.lists(
        st.sampled_from([b"--b", b"--", b"\r\n", b"\n", b"\r", b"Content-Type: application/sdp"])
        | st.sampled_from([SDP, b"c: multipart/mixed;boundary=b", b" ", b"bb"])
        | st.binary(max_size=5),
        max_size=20,
    )
)
def test_any_body_holds_a_description_or_none_or_is_refused(pieces):
    try:
        found = session_description(invite("multipart/mixed;boundary=b", b"".join(pieces)))
    except Refusal:
        return
    assert found is None or isinstance(found, bytes)
