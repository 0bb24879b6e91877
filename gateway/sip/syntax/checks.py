"""Refuses messages that cannot be worked on, with the status and the sentence that say why.

What is checked is what a user agent relies on afterwards: mandatory fields once each and by their
grammar (RFC 3261 8.1.1), the version, the URI's scheme, the body's length.
"""

from __future__ import annotations

from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.syntax.headers import Address, CSeq, Via
from gateway.sip.syntax.message import Request, Response, content_length
from gateway.sip.syntax.uri import OtherUri, SipUri, parse_uri

MAX_VIAS = 100
"""Proxies on the way of a request; Max-Forwards has it pass 70."""
_VERSION = "SIP/2.0"
_ONCE = ("From", "To", "Call-ID", "CSeq")
_MAX_CALL_ID = 256


def check_request(request: Request) -> None:
    """Raise Refusal if the request is not one that can be worked on."""
    if request.version != _VERSION:
        raise Refusal(505, f"This side speaks {_VERSION}, not {request.version[:20]}")
    for name in _ONCE:
        found = request.headers.all(name)
        if len(found) != 1:
            raise Refusal(400, f"{name} must be there once, not {len(found)} times")
        if not found[0]:
            raise Refusal(400, f"{name} is empty")
    _check_length(request)
    if len(request.call_id) > _MAX_CALL_ID:
        raise Refusal(400, f"The Call-ID is longer than {_MAX_CALL_ID} characters")
    _check_vias(request)
    _check_cseq(request)
    for name in ("From", "To"):
        _check_address(request, name)
    _check_uri(request)


def check_response(response: Response) -> None:
    """Raise SipSyntaxError if the response must be discarded (RFC 3261 8.1.3.3, 18.1.2, 18.3)."""
    if response.version != _VERSION:
        raise SipSyntaxError(f"a response of {response.version[:20]}")
    if len(response.headers.values("Via")) != 1:
        raise SipSyntaxError("a response that has passed by others, or has no Via")
    content_length(response.headers)
    if response.truncated:
        raise SipSyntaxError("the body is shorter than Content-Length")
    if response.cseq.method == "ACK":
        raise SipSyntaxError("a response to an ACK")


def _check_length(request: Request) -> None:
    try:
        content_length(request.headers)
    except SipSyntaxError as error:
        raise Refusal(400, str(error)) from None
    if request.truncated:
        raise Refusal(400, "The body is shorter than Content-Length")


def _check_vias(request: Request) -> None:
    vias = request.headers.values("Via")
    if len(vias) > MAX_VIAS:
        raise Refusal(400, f"The request has more than {MAX_VIAS} Vias")
    for text in vias:
        try:
            Via.parse(text)
        except SipSyntaxError as error:
            raise Refusal(400, f"Via: {error}") from None


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
        if len(request.uri.split()) > 1:
            raise SipSyntaxError("a blank is in it")
        uri = parse_uri(request.uri)
    except SipSyntaxError as error:
        raise Refusal(400, f"Request-URI: {error}") from None
    if isinstance(uri, OtherUri):
        raise Refusal(416, f"The URI scheme {uri.scheme[:20]} is not known here")
    if isinstance(uri, SipUri) and uri.headers:
        raise Refusal(400, "Request-URI: headers may not stand in it (RFC 3261 19.1.1)")
