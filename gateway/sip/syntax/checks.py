"""Refuses requests that cannot be worked on, with the status and the sentence that say why.

What is checked is what a user agent relies on afterwards: mandatory fields once each and by their
grammar (RFC 3261 8.1.1), the version, the URI's scheme, the body's length.
"""

from __future__ import annotations

from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.syntax.headers import Address, CSeq
from gateway.sip.syntax.message import Request
from gateway.sip.syntax.uri import OtherUri, parse_uri

_ONCE = ("From", "To", "Call-ID", "CSeq")
_MAX_CALL_ID = 256


def check_request(request: Request) -> None:
    """Raise Refusal if the request is not one that can be worked on."""
    if request.version != "SIP/2.0":
        raise Refusal(505, f"This side speaks SIP/2.0, not {request.version[:20]}")
    for name in _ONCE:
        found = request.headers.all(name)
        if len(found) != 1 or not found[0]:
            raise Refusal(400, f"{name} must be there once, not {len(found)} times")
    if request.truncated:
        raise Refusal(400, "The body is shorter than Content-Length")
    if len(request.call_id) > _MAX_CALL_ID:
        raise Refusal(400, f"The Call-ID is longer than {_MAX_CALL_ID} characters")
    _check_cseq(request)
    for name in ("From", "To"):
        _check_address(request, name)
    if request.method != "ACK" and not request.from_.tag:
        raise Refusal(400, "From has no tag")
    _check_uri(request)


def _check_cseq(request: Request) -> None:
    try:
        cseq = CSeq.parse(request.headers.get("CSeq"))
    except SipSyntaxError as error:
        raise Refusal(400, f"CSeq: {error}") from None
    if cseq.method != request.method:
        raise Refusal(400, f"The CSeq is of {cseq.method[:20]}, not of {request.method[:20]}")


def _check_address(request: Request, name: str) -> None:
    try:
        Address.parse(request.headers.get(name))
    except SipSyntaxError as error:
        raise Refusal(400, f"{name}: {error}") from None


def _check_uri(request: Request) -> None:
    try:
        uri = parse_uri(request.uri)
    except SipSyntaxError as error:
        raise Refusal(400, f"Request-URI: {error}") from None
    if isinstance(uri, OtherUri):
        raise Refusal(416, f"The URI scheme {uri.scheme[:20]} is not known here")
