"""Requests and responses from bytes and to bytes (RFC 3261 7)."""

from __future__ import annotations

import pytest

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.message import (
    MAX_FIELDS,
    MAX_MESSAGE,
    Request,
    Response,
    parse,
    respond,
)

INVITE = b"""INVITE sip:bob@example.com SIP/2.0\r
Via: SIP/2.0/UDP pc33.example.com;branch=z9hG4bK776asdhds\r
Via: SIP/2.0/UDP pc1.example.com;branch=z9hG4bK1\r
Record-Route: <sip:p1.example.com;lr>\r
From: Alice <sip:alice@example.com>;tag=1928301774\r
To: Bob <sip:bob@example.com>\r
Call-ID: a84b4c76e66710@pc33.example.com\r
CSeq: 314159 INVITE\r
Timestamp: 54\r
Content-Type: text/plain\r
Content-Length: 5\r
\r
hello"""


def request(data: bytes = INVITE) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def test_a_request_is_read():
    message = request()
    assert (message.method, message.uri, message.version) == (
        "INVITE",
        "sip:bob@example.com",
        "SIP/2.0",
    )
    assert message.via.branch == "z9hG4bK776asdhds"
    assert message.from_.tag == "1928301774"
    assert message.to.name == "Bob"
    assert (message.cseq.number, message.cseq.method) == (314159, "INVITE")
    assert message.call_id == "a84b4c76e66710@pc33.example.com"
    assert message.body == b"hello"
    assert not message.truncated


def test_a_message_is_written_as_it_was_read():
    assert bytes(request()) == INVITE


def test_a_response_is_read():
    response = parse(b"SIP/2.0 180 Ringing now\r\nCSeq: 1 INVITE\r\n\r\n")
    assert isinstance(response, Response)
    assert (response.status, response.reason, response.final) == (180, "Ringing now", False)
    assert bytes(response).startswith(b"SIP/2.0 180 Ringing now\r\n")


@pytest.mark.parametrize("line", [b"SIP/2.0 100 ", b"SIP/2.0 100", b"sip/2.0  100  "])
def test_a_response_needs_no_reason(line):
    response = parse(line + b"\r\n\r\n")
    assert isinstance(response, Response)
    assert (response.status, response.reason, response.version) == (100, "", "SIP/2.0")


@pytest.mark.parametrize("status", ["99", "700", "4294967301", "2000", "02001", "0200", "x", "²00"])
def test_a_status_has_three_digits_from_100_to_699(status):
    with pytest.raises(SipSyntaxError, match="status"):
        parse(f"SIP/2.0 {status} OK\r\n\r\n".encode())


def test_lines_may_end_with_lf_alone():
    message = request(INVITE.replace(b"\r\n", b"\n"))
    assert message.call_id == "a84b4c76e66710@pc33.example.com"
    assert message.body == b"hello"


def test_folded_lines_are_one():
    message = request(
        INVITE.replace(b"Alice <", b"Alice\r\n \t<").replace(b"CSeq: ", b"CSeq:\r\n  ")
    )
    assert message.headers.get("From") == "Alice <sip:alice@example.com>;tag=1928301774"
    assert message.cseq.number == 314159


def test_a_line_of_blanks_is_a_folded_one_and_does_not_end_the_head():
    message = request(INVITE.replace(b"CSeq", b" \r\nCSeq"))
    assert message.body == b"hello"


def test_compact_names_are_the_long_ones():
    message = request(
        b"INVITE sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP h\r\nf: <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\n"
        b"i: 1\r\nm: <sip:c@h>\r\nc: a/b\r\nk: timer\r\nx: 90\r\ns: x\r\nl: 0\r\n\r\n"
    )
    names = [name for name, _ in message.headers]
    assert names == [
        *("Via", "From", "To", "Call-ID", "Contact", "Content-Type", "Supported"),
        *("Session-Expires", "Subject", "Content-Length"),
    ]


def test_blanks_may_stand_before_the_colon_and_at_the_end_of_a_line():
    message = request(
        INVITE.replace(b"Call-ID:", b"CALL-id \t :").replace(b"com\r\nCSeq", b"com  \r\nCSeq")
    )
    assert message.call_id == "a84b4c76e66710@pc33.example.com"


def test_the_empty_line_at_the_end_may_be_missing():
    head = INVITE.partition(b"Content-Type")[0]
    assert request(head).headers.get("Timestamp") == "54"
    assert request(head.rstrip()).headers.get("Timestamp") == "54"


def test_empty_lines_in_front_are_skipped():
    assert request(b"\r\n\r\n\n" + INVITE).method == "INVITE"


def test_lines_that_are_no_fields_are_skipped():
    message = request(INVITE.replace(b"CSeq", b"Foobar roobar\r\n: x\r\nn ame: y\r\nCSeq"))
    assert list(message.headers) == list(request().headers)


def test_bytes_that_are_not_utf_8_come_out_as_they_came_in():
    data = INVITE.replace(b"Alice", b'"Ren\xe9 \xff"')
    assert bytes(request(data)) == data


def test_a_nul_is_refused_but_behind_a_backslash():
    with pytest.raises(SipSyntaxError, match="NUL"):
        parse(INVITE.replace(b"Alice", b"Al\0ice"))
    assert request(INVITE.replace(b"Alice", b'"Al\\\0ice"')).from_.name == "Al\0ice"


def test_a_cr_inside_a_line_is_refused():
    with pytest.raises(SipSyntaxError, match="CR"):
        parse(INVITE.replace(b"Alice", b"Al\rice"))


def test_a_message_has_a_size():
    filler = b"x" * (MAX_MESSAGE - len(INVITE))
    assert request(INVITE + filler).body == b"hello"
    with pytest.raises(SipSyntaxError, match=str(MAX_MESSAGE)):
        parse(INVITE + filler + b"x")


def test_a_message_has_at_most_so_many_fields():
    start, fields = b"INVITE sip:b@h SIP/2.0\r\n", b"X: y\r\n" * MAX_FIELDS
    assert len(request(start + fields + b"\r\n").headers) == MAX_FIELDS
    with pytest.raises(SipSyntaxError, match=str(MAX_FIELDS)):
        parse(start + fields + b"X: y\r\n\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"hello",
        b"\0\0\0\0",
        b"INVITE",
        b"INVITE sip:a@h",
        b"INVITE sip:a@h HTTP/1.1",
        b"IN(VITE sip:a@h SIP/2.0",
        b" SIP/2.0",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\xff" * 100,
    ],
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(SipSyntaxError):
        parse(data)


def test_a_body_is_as_long_as_content_length_says():
    assert request(INVITE + b" and more").body == b"hello"


def test_without_content_length_the_body_is_the_rest():
    assert request(INVITE.replace(b"Content-Length: 5\r\n", b"")).body == b"hello"


def test_a_body_that_is_too_short_is_marked():
    message = request(INVITE[:-2])
    assert message.truncated
    assert message.body == b"hel"


def test_the_same_content_length_twice_is_one():
    assert request(INVITE.replace(b"Content-Length", b"l: 5\r\nContent-Length")).body == b"hello"


def test_the_written_content_length_is_that_of_the_body_whatever_its_name_was():
    message = request(INVITE.replace(b"Content-Length", b"content-LENGTH"))
    message.body = b"hi"
    assert bytes(message).lower().count(b"content-length") == 1
    assert bytes(message).endswith(b"Content-Length: 2\r\n\r\nhi")


def test_a_version_is_kept_for_whoever_checks_it():
    assert request(INVITE.replace(b" SIP/2.0\r", b" SIP/7.0\r")).version == "SIP/7.0"


def test_a_reason_cannot_add_header_fields():
    with pytest.raises(ValueError, match="start line"):
        bytes(Response(486, "Busy\r\nX-Evil: 1"))
    with pytest.raises(ValueError, match="start line"):
        bytes(Request("BYE", "sip:a@h SIP/2.0\nX-Evil: 1"))


def test_a_response_has_what_must_be_copied():
    response = respond(
        request(), 200, tag="99", headers={"Contact": "<sip:me@h>", "Retry-After": 5}
    )
    assert list(response.headers) == [
        ("Via", "SIP/2.0/UDP pc33.example.com;branch=z9hG4bK776asdhds"),
        ("Via", "SIP/2.0/UDP pc1.example.com;branch=z9hG4bK1"),
        ("Record-Route", "<sip:p1.example.com;lr>"),
        ("From", "Alice <sip:alice@example.com>;tag=1928301774"),
        ("To", "Bob <sip:bob@example.com>;tag=99"),
        ("Call-ID", "a84b4c76e66710@pc33.example.com"),
        ("CSeq", "314159 INVITE"),
        ("Contact", "<sip:me@h>"),
        ("Retry-After", "5"),
    ]
    assert response.reason == "OK"


def test_a_100_has_the_timestamp_and_no_tag():
    response = respond(request(), 100, tag="99")
    assert response.headers.get("Timestamp") == "54"
    assert response.to.tag == ""
    assert "Record-Route" not in response.headers


def test_a_refusal_has_no_record_route_and_its_own_words():
    response = respond(request(), 486, "Not now", tag="99")
    assert "Record-Route" not in response.headers
    assert response.reason == "Not now"
    assert respond(request(), 499).reason == "Error"


def test_a_tag_that_is_there_stays():
    message = request(INVITE.replace(b"To: Bob <sip:bob@example.com>", b"To: sip:bob@h;tag=1"))
    assert respond(message, 200, tag="99").headers.get("To") == "sip:bob@h;tag=1"


def test_a_to_that_cannot_be_read_is_given_back_as_it_came():
    message = request(INVITE.replace(b"To: Bob", b'To: "Bob'))
    assert respond(message, 400, tag="99").headers.get("To") == '"Bob <sip:bob@example.com>'
