"""Headers to be sent with an INVITE, as they stand behind the `?` of a SIP URI (RFC 3261 19.1.1):
`X-Order=12&X-Tier=gold`, percent-encoded. The form in which a call is asked for, at Twilio and at
our gateway.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote

from common.sip_headers import MAX_HEADERS, fault


def encode(headers: Mapping[str, str]) -> str:
    """Return headers as they stand behind the `?` of a SIP URI."""
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in headers.items())


def decode(text: str) -> dict[str, str]:
    """Return the headers of such a text. Raises ValueError if they are malformed or may not be
    sent.
    """
    headers: dict[str, str] = {}
    for pair in text.split("&", MAX_HEADERS):
        name, equals, value = pair.partition("=")
        if not equals or name in headers:
            raise ValueError("headers are NAME=VALUE, joined by &, each name once")
        headers[name] = unquote(value, errors="strict")
    if (why := fault(headers)) is not None:
        raise ValueError(why)
    return headers
