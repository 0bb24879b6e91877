"""Reads the caller and the called party from the SIP headers of an INVITE. No I/O.

`To` and `From` of the webhook are the user part if it looks like a telephone number, else the whole
URI. All of it was written by strangers: lengths are limited, and nothing is trusted.
Sources: RFC 3261 20.10, 20.20, 20.39; RFC 3325 (P-Asserted-Identity), RFC 5806 (Diversion),
RFC 7044 (History-Info), RFC 7315 (P-Called-Party-ID).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

EXPOSED = (
    "To",
    "From",
    "P-Called-Party-ID",
    "P-Asserted-Identity",
    "Diversion",
    "History-Info",
    "Privacy",
    "X-Chamade-Source",
    "X-Chamade-Request-URI",
    "X-Chamade-Trunk",
    "X-Chamade-Peer",
)
"""The headers that the stack passes on. The last four are the edge's."""

_LONGEST = 255
_HEADER = 1024
"""Characters of a header that are read."""
_NUMBER = re.compile(r"\+?[0-9*#]{2,32}", re.ASCII)
_TEL = re.compile(r"tel:([^;>]+)", re.IGNORECASE)
_SIP = re.compile(r"(sips?):(?:([^@>\s]*)@)?([^;>?\s]+)", re.IGNORECASE)
_INDEX = re.compile(r";\s*index\s*=\s*([0-9.]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parties:
    """The parties of a call, from its INVITE."""

    to: str
    from_: str
    forwarded_from: str | None


def parties(headers: Mapping[str, str], peer: str) -> Parties:
    """Return the parties of an incoming call.

    `headers` are by name, `peer` is the caller according to the stack.
    """
    found = {name.lower(): value for name, value in headers.items()}
    # With many carriers the request URI names the called number and To the account.
    to = (
        party(found.get("p-called-party-id", ""))
        or _number_in(found.get("x-chamade-request-uri", ""))
        or party(found.get("to", ""))
    )
    return Parties(
        to=to or "anonymous",
        from_=_caller(found, peer),
        forwarded_from=_forwarder(found, to),
    )


def party(header: str) -> str:
    """Return the party of a name-addr or URI: `+33…`, another number or `sip:user@host`; "" if
    there is none."""
    header = header[:_HEADER]
    if tel := _TEL.search(header):
        number = re.sub(r"[\s().-]", "", tel[1])
        return number if _NUMBER.fullmatch(number) else ""
    if not (sip := _SIP.search(header)):
        return ""
    scheme, user, host = sip[1].lower(), unquote(sip[2] or ""), sip[3].lower()
    user = user.partition(";")[0]
    if _NUMBER.fullmatch(user):
        return user
    uri = f"{scheme}:{user}@{host}" if user else f"{scheme}:{host}"
    return "".join(c for c in uri if c.isprintable() and not c.isspace())[:_LONGEST]


def _number_in(header: str) -> str:
    """Return the number in a header, "" if there is none: with some carriers the request URI is the
    registration's contact, which is not a number."""
    found = party(header)
    return found if _NUMBER.fullmatch(found) else ""


def _caller(found: Mapping[str, str], peer: str) -> str:
    if "id" in found.get("privacy", "").lower():
        return "anonymous"
    caller = (
        party(found.get("p-asserted-identity", ""))
        or party(found.get("from", ""))
        or party(peer)
        or "anonymous"
    )
    return "anonymous" if caller.startswith("sip:anonymous@") else caller


def _forwarder(found: Mapping[str, str], to: str) -> str | None:
    """Return the party that forwarded the call here last: the topmost Diversion, or the last but
    one History-Info."""
    if diversion := party(_split(found.get("diversion", ""))[0]):
        return diversion
    entries = [entry for entry in _split(found.get("history-info", "")) if party(entry)]
    if len(entries) > 1:
        return party(sorted(entries, key=_index)[-2])
    # The stack passes on the first value of a list: the number that the caller dialled at first.
    first = party(entries[0]) if entries else ""
    return first if _differ(first, to) else None


def _differ(number: str, other: str) -> bool:
    """Return whether both are numbers and differ by more than the country code."""
    if not (_NUMBER.fullmatch(number) and _NUMBER.fullmatch(other)):
        return False
    one, two = number.lstrip("+0"), other.lstrip("+0")
    return not (one.endswith(two) or two.endswith(one))


def _index(entry: str) -> tuple[int, ...]:
    found = _INDEX.search(entry)
    return tuple(int(part[:9]) for part in found[1].split(".") if part) if found else ()


def _split(header: str) -> list[str]:
    """Return the values of a list header. Commas in <> and quotes do not separate values."""
    parts, depth, quoted, current = [], 0, False, ""
    for char in header[:4096]:
        if char == '"':
            quoted = not quoted
        elif not quoted:
            depth += {"<": 1, ">": -1}.get(char, 0)
            if char == "," and depth <= 0:
                parts.append(current)
                current = ""
                continue
        current += char
    return [*parts, current]
