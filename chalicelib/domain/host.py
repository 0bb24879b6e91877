"""SIP hosts as owners give them: their syntax, and whether they are on the public Internet."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator

from chalicelib.domain.foreign_text import printable
from common.addresses import forbidden

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMERIC_LABEL = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".home.arpa", ".localdomain")
_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_host(text: str) -> str:
    """Parse a DNS name or IP literal; return it in small letters, IPv6 without brackets. Raises
    ValueError, which says what is wrong.

    A name that ends in a number is refused: some resolvers take `127.1` for an address.
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    address = _address(bare)
    if address is not None:
        return str(address)
    name = bare.lower().removesuffix(".")
    labels = name.split(".")
    whole = all(_LABEL.fullmatch(label) for label in labels) and len(name) <= 253
    if bare is not text or not whole or _NUMERIC_LABEL.fullmatch(labels[-1]):
        raise ValueError(
            f"{printable(text)!r} is neither a DNS name nor an IP address: give the host alone, as "
            "in sip.example.com, without sip:, user, port or spaces (names beyond ASCII as xn--…)"
        )
    return name


def ascii_host(name: str) -> str:
    """Return a configured host's name as `parse_host` would write it: names beyond ASCII as xn--….
    What is no host name comes back in small letters.
    """
    try:
        return parse_host(name.removesuffix(".").encode("idna").decode())
    except ValueError:
        return name.lower()


def public_host(host: str) -> bool:
    """Return whether a host may be on the public Internet; False for a host of our own network,
    where the gateway must not be made to register. When the gateway resolves a public *name*, it
    checks where that leads.
    """
    if _address(host) is not None:
        return not forbidden(host)
    return "." in host and not f".{host}".endswith(_PRIVATE_SUFFIXES)


def _address(text: str) -> _IpAddress | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    scoped = isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None
    return None if scoped else address


def is_address(host: str) -> bool:
    """Return whether a host is an IP literal, whatever its scope."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


Host = Annotated[str, AfterValidator(parse_host)]
