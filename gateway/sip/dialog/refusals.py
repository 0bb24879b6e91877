"""Reads why the far end does not take a call, in its own words."""

from __future__ import annotations

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.grammar import Scanner, read_params
from gateway.sip.syntax.headers import Address
from gateway.sip.syntax.message import Response

_LONGEST_REASON = 200
_MAX_CONTACTS = 16


def why(response: Response) -> str:
    """Return the far end's own words: the Warning's or Reason's text, else the reason phrase."""
    for name in ("Reason", "Warning"):
        try:
            said = _said(response.headers.get(name))
        except SipSyntaxError:
            continue
        if said:
            return f"{response.reason} ({said})"[:_LONGEST_REASON]
    return response.reason[:_LONGEST_REASON]


def _said(value: str) -> str:
    """Return the quoted text of a Warning (20.43) or the `text` of a Reason (RFC 3326)."""
    scanner = Scanner(value)
    before = scanner.until('";')
    if scanner.peek() == '"' and before:
        return scanner.quoted()
    return read_params(scanner).text("text")


def contacts_of(response: Response) -> tuple[str, ...]:
    """Return the addresses of a redirection."""
    if not 300 <= response.status < 400:
        return ()
    found = []
    for value in response.headers.values("Contact")[:_MAX_CONTACTS]:
        try:
            found.append(str(Address.parse(value).uri))
        except SipSyntaxError:
            continue
    return tuple(found)
