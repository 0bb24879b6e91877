"""The rules for finding SIP servers (RFC 3263; RFC 2782 for SRV): pure, on records that somebody
else looked up.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

Transport = Literal["udp", "tcp", "tls"]

MAX_SERVICES = 4
"""Limit of the NAPTR records that are followed."""
MAX_HOPS = 16
"""Limit of the SRV records that are followed."""

_SERVICES: dict[str, Transport] = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_SRV = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}
_NAME = re.compile(r"[0-9A-Za-z_]([0-9A-Za-z_.-]{0,251}[0-9A-Za-z_])?\.?")


class CannotResolve(Exception):
    """A host that leads nowhere. Its text names what was asked and what failed."""


@dataclass(frozen=True, slots=True)
class Question:
    """A URI's host, and port, transport and `sips` (or TLS) where given. IPv6 may have brackets.

    `naptr`: NAPTR records are asked for though the transport is given, and those of that transport
    count. RFC 3263 4.1 needs them for the transport alone, but some carriers name their SRV records
    nowhere else.
    """

    host: str
    port: int | None = None
    transport: Transport | None = None
    secure: bool = False
    naptr: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """An address to try. `server_name` is what the certificate must be for: the host that was asked
    for, wherever DNS led (RFC 5922 4). `host` is the name that has the address.
    """

    transport: Transport
    address: str
    port: int
    server_name: str
    host: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Naptr:
    """A NAPTR record (RFC 3403)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    """An SRV record (RFC 2782). The target "." says that there is no such service."""

    priority: int
    weight: int
    port: int
    target: str


def is_address(host: str) -> bool:
    """Return whether a host is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def usual_transport(question: Question) -> Transport:
    """Return the transport if nothing says otherwise (RFC 3263 4.1)."""
    return "tls" if question.secure else "udp"


def is_name(host: str) -> bool:
    """Return whether a host is a name in DNS, at most 253 characters long."""
    return _NAME.fullmatch(host) is not None


def srv_name(transport: Transport, host: str) -> str:
    """Return the name of the SRV records of a host (RFC 3263 4.1)."""
    return f"{_SRV[transport]}.{host}"


def default_transports(secure: bool) -> tuple[Transport, ...]:
    """Return the transports to look for without NAPTR records, in our order (RFC 3263 4.1)."""
    return ("tls",) if secure else ("udp", "tcp")


def default_port(transport: Transport) -> int:
    """Return the port if none is given (RFC 3261 19.1.2)."""
    return 5061 if transport == "tls" else 5060


def known_transport(question: Question, numeric: bool) -> Transport | None:
    """Return the transport that holds without DNS (RFC 3263 4.1), None if DNS is to say it."""
    given = question.transport
    if given is not None and question.secure:
        if given == "udp":
            raise CannotResolve(f"{question.host} is to be reached by TLS, which UDP has not")
        return "tls"
    if given is not None:
        return given
    return usual_transport(question) if numeric or question.port else None


def naptr_services(records: Iterable[Naptr], secure: bool) -> list[tuple[Transport, str]]:
    """Return transports and SRV names of NAPTR records, best first. Unknown services, and for
    `sips` those without TLS, are passed over (RFC 3263 4.1).
    """
    found = []
    for record in sorted(records, key=lambda r: (r.order, r.preference)):
        transport = _SERVICES.get(record.service.upper())
        if transport is None or (secure and transport != "tls"):
            continue
        if record.flags.lower() == "s" and is_name(record.replacement):
            found.append((transport, record.replacement.rstrip(".")))
    return found[:MAX_SERVICES]


def in_order(records: Iterable[Srv], randbelow: Callable[[int], int]) -> list[Srv]:
    """Order SRV records by priority, and within one at random by weight (RFC 2782)."""
    left = sorted(records, key=lambda r: (r.priority, r.weight))[:MAX_HOPS]
    ordered: list[Srv] = []
    while left:
        group = [r for r in left if r.priority == left[0].priority]
        drawn = randbelow(sum(r.weight for r in group) + 1)
        for record in group:
            drawn -= record.weight
            if drawn <= 0:
                ordered.append(record)
                left.remove(record)
                break
    return ordered
