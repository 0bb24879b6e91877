"""Keys in INFO: `application/dtmf-relay` as Cisco defined it, and `application/dtmf`."""

from __future__ import annotations

from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.syntax.headers import Valued
from gateway.sip.syntax.message import Request

KEYS = "0123456789*#ABCD"
_EVENTS = {str(number): key for number, key in enumerate(KEYS)}
"""Keys by the number of their telephone-event (RFC 4733): 10 is `*`, 11 is `#`."""
_USUAL_MS = 250


def parse_dtmf(request: Request) -> tuple[str, int] | None:
    """Return key and duration in ms of an INFO; None if it is about something else.

    Raises Refusal if it is about a key and names none.
    """
    try:
        kind = Valued.parse(request.headers.get("Content-Type")).value.lower()
    except SipSyntaxError:
        return None
    text = request.body.decode("ascii", "replace")
    if kind == "application/dtmf":
        return _key(text), _USUAL_MS
    if kind != "application/dtmf-relay":
        return None
    fields = {}
    for line in text.splitlines():
        name, found, value = line.partition("=")
        if found:
            fields[name.strip().lower()] = value.strip()
    duration = fields.get("duration", "")
    usable = duration.isascii() and duration.isdigit() and len(duration) <= 5
    return _key(fields.get("signal", "")), int(duration) if usable else _USUAL_MS


def _key(text: str) -> str:
    word = text.strip().upper()
    key = word if len(word) == 1 and word in KEYS else _EVENTS.get(word, "")
    if not key:
        raise Refusal(400, f"Not a key: {word[:10]!r}")
    return key


def dtmf_body(key: str) -> bytes:
    """Return the body of an INFO that presses a key for 160 ms."""
    return f"Signal={key}\r\nDuration=160\r\n".encode("ascii")
