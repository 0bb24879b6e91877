"""Keys in INFO: Cisco's `application/dtmf-relay`, the key alone, and Nortel's digits."""

from __future__ import annotations

from gateway.sip.errors import Refusal, SipSyntaxError
from gateway.sip.syntax.headers import Valued
from gateway.sip.syntax.message import Request

KEYS = "0123456789*#ABCD"
_EVENTS = {str(number): key for number, key in enumerate(KEYS)}
"""Keys by the number of their telephone-event (RFC 4733): 10 is `*`, 11 is `#`."""
_TYPES = ("application/dtmf-relay", "application/dtmf", "application/vnd.nortelnetworks.digits")
_USUAL_MS = 250


def parse_dtmf(request: Request) -> tuple[str, int] | None:
    """Return key and duration in ms of an INFO; None if it is about something else.

    Raises Refusal if it is about a key and names none. The types are read alike, since some phones
    send the fields of one as the other, or the key alone.
    """
    try:
        kind = Valued.parse(request.headers.get("Content-Type")).value.lower()
    except SipSyntaxError:
        return None
    if kind not in _TYPES:
        return None
    text = request.body.decode("ascii", "replace")
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, found, value = line.partition("=")
        if found:
            fields.setdefault(name.strip().lower(), value.strip())
    if not fields:
        return _key(text), _USUAL_MS
    duration = fields.get("duration", "")
    usable = duration.isascii() and duration.isdigit() and len(duration) <= 5
    key = _key(fields.get("signal") or fields.get("d", ""))
    return key, int(duration) if usable else _USUAL_MS


def _key(text: str) -> str:
    word = text.strip().upper()
    key = word if len(word) == 1 and word in KEYS else _EVENTS.get(word, "")
    if not key:
        raise Refusal(400, f"Not a key: {word[:10]!r}")
    return key


def dtmf_body(key: str) -> bytes:
    """Return the body of an INFO that presses a key for 160 ms."""
    return f"Signal={key}\r\nDuration=160\r\n".encode("ascii")
