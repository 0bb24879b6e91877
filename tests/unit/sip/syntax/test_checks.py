"""Messages that cannot be worked on, and what is said of them."""

from __future__ import annotations

import pytest

from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.syntax.checks import MAX_VIAS, check_request, check_response
from gateway.sip.syntax.message import Request, Response, parse

FIELDS = """Via: SIP/2.0/UDP h;branch=z9hG4bK1
From: <sip:a@h>;tag=1
To: <sip:b@h>
Call-ID: 1
CSeq: 1 OPTIONS
"""


def request(line: str = "OPTIONS sip:b@h SIP/2.0", fields: str = FIELDS) -> Request:
    message = parse(f"{line}\n{fields}\n".encode())
    assert isinstance(message, Request)
    return message


def response(line: str = "SIP/2.0 200 OK", fields: str = FIELDS) -> Response:
    message = parse(f"{line}\n{fields}\n".encode())
    assert isinstance(message, Response)
    return message


def refusal(message: Request) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        check_request(message)
    return caught.value.status, caught.value.reason


def test_a_request_that_is_whole_is_taken():
    check_request(request())
    check_request(request("OPTIONS tel:+33123456789 SIP/2.0"))
    check_request(request("OPTIONS sips:h;lr SIP/2.0"))


def test_a_request_without_a_from_tag_is_taken_since_rfc_2543_knew_none():
    check_request(request(fields=FIELDS.replace(";tag=1", "")))


def test_another_version_is_refused():
    assert refusal(request("OPTIONS sip:b@h SIP/7.0"))[0] == 505


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq"])
def test_a_mandatory_field_must_be_there_once(name):
    line = next(line for line in FIELDS.splitlines() if line.startswith(name))
    assert refusal(request(fields=FIELDS.replace(f"{line}\n", ""))) == (
        400,
        f"{name} must be there once, not 0 times",
    )
    assert refusal(request(fields=f"{FIELDS}{line}\n")) == (
        400,
        f"{name} must be there once, not 2 times",
    )
    assert refusal(request(fields=FIELDS.replace(line, f"{name}:"))) == (400, f"{name} is empty")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("<sip:a@h>", '"a <sip:a@h>', "From: the closing quote is missing"),
        ("<sip:b@h>", "<sip:b@h>, <sip:c@h>", "To: expected the end of the address"),
        ("1 OPTIONS", "x OPTIONS", "CSeq: expected a number"),
        ("1 OPTIONS", "12345678901 OPTIONS", "digits at '12345678901 OPTIONS'"),
        ("1 OPTIONS", "1 INVITE", "The CSeq is of INVITE, not of OPTIONS"),
        ("1 OPTIONS\n", "1 OPTIONS\nContent-Length: 5\n", "shorter than Content-Length"),
        (
            "1 OPTIONS\n",
            "1 OPTIONS\nContent-Length: -5\n",
            "Content-Length must be a number of bytes, not '-5'",
        ),
        (
            "1 OPTIONS\n",
            "1 OPTIONS\nContent-Length: 5\nl: 6\n",
            "Content-Length has 2 different values",
        ),
        ("Call-ID: 1", f"Call-ID: {'1' * 257}", "longer than 256"),
        ("z9hG4bK1", "z9hG4bK1;;,;,,", "Via: "),
        ("z9hG4bK1", "z9hG4bK1, SIP/2.0/UDP", "Via: "),
    ],
)
def test_a_malformed_field_is_refused_by_name(old, new, why):
    status, reason = refusal(request(fields=FIELDS.replace(old, new)))
    assert status == 400
    assert why in reason


def test_a_request_has_passed_at_most_so_many_proxies():
    more = "".join(f"Via: SIP/2.0/UDP h{n}\n" for n in range(MAX_VIAS - 1))
    check_request(request(fields=FIELDS + more))
    assert str(MAX_VIAS) in refusal(request(fields=FIELDS + more + "v: SIP/2.0/UDP h"))[1]


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("<sip:b@h>", 400),
        ("sip:b@h; lr", 400),
        ("sip:b@h?Route=%3Csip:x%3E", 400),
        ("sip:b@", 400),
        ("hello", 400),
        ("urn:service:sos", 416),
        ("http://example.com", 416),
    ],
)
def test_a_request_uri_must_be_one_that_is_known_here(uri, status):
    assert refusal(request(f"OPTIONS {uri} SIP/2.0"))[0] == status


def test_no_reason_can_break_the_line():
    message = request(fields=FIELDS.replace("<sip:a@h>", "<\x1b\x85\u2028sip>"))
    reason = refusal(message)[1]
    assert reason.isprintable()


def test_a_response_that_is_whole_is_taken():
    check_response(response())


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        ("SIP/7.0 200 OK", "", ""),
        ("SIP/2.0 200 OK", "Via: SIP/2.0/UDP h;branch=z9hG4bK1\n", ""),
        ("SIP/2.0 200 OK", "z9hG4bK1", "z9hG4bK1, SIP/2.0/UDP h2"),
        ("SIP/2.0 200 OK", "1 OPTIONS", "9292394834772304023312 OPTIONS"),
        ("SIP/2.0 200 OK", "1 OPTIONS", "1 ACK"),
        ("SIP/2.0 200 OK", "1 OPTIONS", "1 OPTIONS\nl: 7"),
        ("SIP/2.0 200 OK", "1 OPTIONS", "1 OPTIONS\nl: seven"),
    ],
)
def test_a_response_that_is_not_ours_or_not_whole_is_discarded(line, old, new):
    with pytest.raises(SipSyntaxError):
        check_response(response(line, FIELDS.replace(old, new)))
