"""Reads the caller and the called party from the headers that the SIP stack passes on. No I/O.

`To` and `From` of the webhook are the telephone number if there is one, else the whole URI. The
rules are the SIP library's (`gateway/sip/identity.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.sip.identity import Party, parties_of, party_of
from gateway.sip.syntax.fields import COMPACT, Headers
from gateway.sip.syntax.grammar import TOKEN

EXPOSED = (
    "To",
    "t",
    "From",
    "f",
    "P-Called-Party-ID",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Remote-Party-ID",
    "Diversion",
    "History-Info",
    "Privacy",
    "X-Chamade-Source",
    "X-Chamade-Request-URI",
    "X-Chamade-Trunk",
    "X-Chamade-Peer",
)
"""The headers that the stack passes on, 16 at most, each with its first value. It knows them by the
name that was written, short or long. The last four are the edge's."""

_LONGEST = 4096
"""Characters of a header that are read."""


@dataclass(frozen=True, slots=True)
class Parties:
    """The parties of a call, from its INVITE."""

    to: str
    from_: str
    forwarded_from: str | None


def parties(headers: Mapping[str, str], peer: str) -> Parties:
    """Return the parties of an incoming call.

    `headers` are by name, `peer` is the caller according to the stack, for an INVITE without From.
    """
    found = Headers(
        (COMPACT.get(name.lower(), name), _one_line(value))
        for name, value in headers.items()
        if name and TOKEN.issuperset(name)
    )
    if not found.get("From"):
        found.put("From", _one_line(peer))
    who = parties_of(found, found.get("X-Chamade-Request-URI"))
    return Parties(
        to=_text(who.called),
        from_=_text(who.caller),
        forwarded_from=str(who.forwarder) if who.forwarder else None,
    )


def party(header: str) -> str:
    """Return the party of a name-addr or URI: `+33…`, another number or `sip:user@host`; "" if
    there is none."""
    found = party_of(_one_line(header))
    return str(found) if found else ""


def _text(found: Party | None) -> str:
    return str(found) if found else "anonymous"


def _one_line(value: str) -> str:
    """Return the value of a folded header on one line (RFC 3261 7.3.1)."""
    return " ".join(value[:_LONGEST].split())
