"""Who calls whom, read from the SIP headers of an INVITE. Pure.

`To` and `From` become what the webhook says: the user part if it looks like a telephone number,
else the whole URI. All of it was written by strangers: lengths are capped, nothing is trusted.
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
)
"""The headers that the stack is told to hand out. The last three are the edge's."""

_LONGEST = 255
_HEADER = 1024
"""Characters of a header that are looked at."""
_NUMBER = re.compile(r"\+?[0-9*#]{2,32}", re.ASCII)
_TEL = re.compile(r"tel:([^;>]+)", re.IGNORECASE)
_SIP = re.compile(r"(sips?):(?:([^@>\s]*)@)?([^;>?\s]+)", re.IGNORECASE)
_INDEX = re.compile(r";\s*index\s*=\s*([0-9.]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parties:
    """A call as its INVITE tells it."""

    to: str
    from_: str
    forwarded_from: str | None


def parties(headers: Mapping[str, str], peer: str) -> Parties:
    """The parties of an incoming call. `headers` by name, `peer` the stack's idea of the caller."""
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
    """A name-addr or URI -> `+33…`, another number, `sip:user@host`; "" if there is none."""
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
    """With others the request URI is the registration's contact: only a number counts."""
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
    """Who forwarded the call here last: the topmost Diversion, or the last but one History-Info."""
    if diversion := party(_split(found.get("diversion", ""))[0]):
        return diversion
    entries = [entry for entry in _split(found.get("history-info", "")) if party(entry)]
    if len(entries) > 1:
        return party(sorted(entries, key=_index)[-2])
    # Of a list the stack hands out the first value: whom the caller called to begin with.
    first = party(entries[0]) if entries else ""
    return first if _differ(first, to) else None


def _differ(number: str, other: str) -> bool:
    """Whether both are numbers, and not the same one with and without its country."""
    if not (_NUMBER.fullmatch(number) and _NUMBER.fullmatch(other)):
        return False
    one, two = number.lstrip("+0"), other.lstrip("+0")
    return not (one.endswith(two) or two.endswith(one))


def _index(entry: str) -> tuple[int, ...]:
    found = _INDEX.search(entry)
    return tuple(int(part[:9]) for part in found[1].split(".") if part) if found else ()


def _split(header: str) -> list[str]:
    """The values of a header that is a list: commas in <> and quotes do not part them."""
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
