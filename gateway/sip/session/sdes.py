"""Keys of SRTP in session descriptions: the a=crypto lines of RFC 4568.

A line names a suite and carries the master key and salt of whoever wrote it. What a line asks for
beyond that (an MKI, several keys, other than the suite's own protection) is not done here: the line
is passed over, and the reason kept for whoever is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.sip.session.sdp import Attribute, Media

SUITES = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AEAD_AES_128_GCM": 28,
}
"""The suites, best first, with the bytes of master key and salt (RFC 4568 6.2, RFC 7714 14.2)."""

MAX_CRYPTO = 16
"""Limit of the a=crypto lines that are looked at in a media line."""

_LINE = re.compile(r"([0-9]{1,9})\s+(\S+)\s+(\S+)(?:\s+(.*))?")
_LIFETIME = re.compile(r"2\^[0-9]{1,3}|[0-9]{1,20}")
_HARMLESS = re.compile(r"-.*|WSH=[0-9]+", re.IGNORECASE)
"""Session parameters that may be passed over: extensions with "-" (RFC 4568 6.3.7), and the peer's
hint for the size of the replay window (6.3.6)."""


@dataclass(frozen=True, slots=True)
class Crypto:
    """An a=crypto line: tag, suite, and master key with salt, in bytes."""

    tag: int
    suite: str
    key: bytes = field(repr=False)

    def attribute(self) -> Attribute:
        """Return it as an attribute."""
        key = base64.b64encode(self.key).decode()
        return Attribute("crypto", f"{self.tag} {self.suite} inline:{key}")


@dataclass(frozen=True, slots=True)
class Srtp:
    """Protection that both sides agreed on. A key is master key and salt, in bytes."""

    suite: str
    our_key: bytes = field(repr=False)
    their_key: bytes = field(repr=False)


class Unusable(ValueError):
    """An a=crypto line that is passed over. Its text says why."""


def read(value: str) -> Crypto:
    """Read the value of an a=crypto line (RFC 4568 9.1). Raise Unusable with the reason."""
    parts = _LINE.fullmatch(value)
    if parts is None:
        raise Unusable("an a=crypto line is not 'tag suite inline:key'")
    tag, suite, parameters, session = parts.groups()
    suite = suite.upper()
    if suite not in SUITES:
        raise Unusable(f"the suite {suite[:40]} is not spoken here")
    for parameter in (session or "").split():
        if not _HARMLESS.fullmatch(parameter):
            raise Unusable(f"the session parameter {parameter[:40]} is not done here")
    return Crypto(int(tag), suite, _key(parameters, SUITES[suite]))


def readable(media: Media) -> tuple[list[Crypto], list[str]]:
    """Return the usable a=crypto lines of a media line, in order, and why others are not."""
    usable, reasons = [], []
    for at, value in enumerate(media.values("crypto")):
        if at == MAX_CRYPTO:
            break
        try:
            usable.append(read(value))
        except Unusable as why:
            reasons.append(str(why))
    return usable, reasons


def best(lines: Iterable[Crypto]) -> Crypto | None:
    """Return the line with the best suite; of several, the first."""
    order = list(SUITES)
    return min(lines, key=lambda line: order.index(line.suite), default=None)


def _key(parameters: str, length: int) -> bytes:
    """Read `inline:key|lifetime`. A lifetime is taken note of by nobody: calls are far shorter."""
    method, _, info = parameters.partition(":")
    if method.lower() != "inline" or ";" in info:
        raise Unusable("there is not exactly one key, given inline")
    encoded, *rest = info.split("|")
    if len(rest) > 1 or any(part and not _LIFETIME.fullmatch(part) for part in rest):
        raise Unusable("an MKI is not done here")
    encoded = encoded.rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Unusable("a key is not base64") from None
    if len(key) != length:
        raise Unusable(f"a key has {len(key)} bytes instead of {length}")
    return key
