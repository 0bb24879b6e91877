"""Introductions: the headers and the caller's name that an INVITE tells applications beside the
numbers, or that they send. One rule for the gateway, which carries them, and the application, which
shows them.

Only `X-…` and `User-to-User` (RFC 7433) are let through, as at Twilio; headers that the gateway,
its edge or Twilio use themselves are not. What comes in is a stranger's text: `kept` leaves out
what does not keep the rules, since no call is refused for it. What goes out is refused instead:
`fault` says why.

In webhooks each is a field, `SipHeader_X-Order`; `uri_headers.py` has the form of requests.
Source: https://www.twilio.com/docs/voice/api/receiving-sip (custom headers).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MAX_HEADERS = 20
MAX_NAME = 64
MAX_VALUE = 255
"""Characters of a value."""
MAX_BYTES = 2048
"""Bytes of all names and values together: they go into every event of the call."""
MAX_CALLER_NAME = 80

FIELD = "SipHeader_"
"""The beginning of a webhook's field with a header, as at Twilio."""

_NAME = re.compile(r"X-[A-Z0-9._-]{1,62}|User-to-User", re.ASCII | re.IGNORECASE)
_OURS = ("x-chamade-", "x-twilio-", "x-call-sid")
_NOBODY = frozenset({
    "anonymous", "restricted", "unavailable", "unknown", "private", "withheld", "blocked",
    "unknown caller", "private caller", "private number", "caller id blocked",
})  # fmt: skip
"""Names that carriers and phones write for callers who are not named."""
_NO_NAME = re.compile(r"[\d\s+*#().\-/]*")
_VERSTAT = re.compile(r"(?:No-TN-Validation|TN-Validation-(?:Passed|Failed))(?:-[ABC])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Introduction:
    """A caller's introduction, beside the number. Of a call that comes in, all but `stir_verstat`
    is text of strangers.
    """

    caller_name: str = ""
    stir_verstat: str = ""
    """The network's word about the number (STIR, 3GPP TS 24.229 7.2A.20), as Twilio has it."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def fields(self) -> dict[str, str]:
        """Return the fields of a webhook that tell it, under Twilio's names."""
        fields = {f"{FIELD}{name}": value for name, value in self.headers.items()}
        if self.caller_name:
            fields["CallerName"] = self.caller_name
        if self.stir_verstat:
            fields["StirVerstat"] = self.stir_verstat
        return fields


NO_INTRODUCTION = Introduction()


def introduction(name: str, verstat: str, headers: Iterable[tuple[str, str]]) -> Introduction:
    """Return what strangers told, without what breaks the rules."""
    said = verstat if _VERSTAT.fullmatch(verstat) else ""
    return Introduction(plain_name(name), said, kept(headers))


def introduction_in(form: Mapping[str, str]) -> Introduction:
    """Return what the fields of a webhook tell, without what breaks the rules: Twilio passes on
    what strangers wrote.
    """
    headers = [(name[len(FIELD) :], text) for name, text in form.items() if name.startswith(FIELD)]
    return introduction(form.get("CallerName", ""), form.get("StirVerstat", ""), headers)


def allowed(name: str) -> bool:
    """Return whether a header of that name may pass."""
    return bool(_NAME.fullmatch(name)) and not name.lower().startswith(_OURS)


def kept(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers that may pass, of those that a stranger sent. White space is made blanks.

    Left out are other names, the second of a name, values that are empty, too long or hold what
    cannot be printed, and what comes beyond the bounds.
    """
    found: dict[str, str] = {}
    names: set[str] = set()
    left = MAX_BYTES
    for name, text in fields:
        if not allowed(name) or name.lower() in names or len(found) >= MAX_HEADERS:
            continue
        value = " ".join(text.split())
        size = _size(name, value)
        if not 0 < len(value) <= MAX_VALUE or not value.isprintable() or size > left:
            continue
        found[name] = value
        names.add(name.lower())
        left -= size
    return found


def fault(headers: Mapping[str, str]) -> str | None:
    """Return why these headers cannot be sent, None if they can."""
    if len(headers) > MAX_HEADERS:
        return f"at most {MAX_HEADERS} headers"
    if len({name.lower() for name in headers}) < len(headers):
        return "a name that comes twice: case does not count"
    if sum(_size(name, value) for name, value in headers.items()) > MAX_BYTES:
        return f"at most {MAX_BYTES} bytes of names and values"
    faults = (_fault_of(name, value) for name, value in headers.items())
    return next((found for found in faults if found), None)


def _fault_of(name: str, value: str) -> str | None:
    if not allowed(name):
        return (
            f"a name is X-… of letters, digits, '.', '_' and '-', at most {MAX_NAME} "
            "characters and neither X-Chamade-…, X-Twilio-… nor X-Call-Sid; or User-to-User"
        )
    if not 0 < len(value) <= MAX_VALUE:
        return f"a value has 1 to {MAX_VALUE} characters"
    if not value.isprintable() or value != value.strip():
        return "a value is one line of printable characters, without blanks at its ends"
    return None


def plain_name(text: str) -> str:
    """Return a stranger's display name on one line, "" if it names nobody: none, a word for who is
    withheld, or no more than a number.
    """
    shown = "".join(char for char in " ".join(text.split()) if char.isprintable())
    shown = shown[:MAX_CALLER_NAME].strip()
    if _NO_NAME.fullmatch(shown) or shown.lower() in _NOBODY:
        return ""
    return shown


def name_fault(name: str) -> str | None:
    """Return why this cannot be sent as a caller's name, None if it can."""
    if not 0 < len(name) <= MAX_CALLER_NAME:
        return f"1 to {MAX_CALLER_NAME} characters"
    if not name.isprintable() or name != name.strip():
        return "one line of printable characters, without blanks at its ends"
    return None


def _size(name: str, value: str) -> int:
    return len(name) + len(value.encode("utf-8", "replace"))
