"""The answer to one Digest challenge (RFC 7616 3.4): which challenges are understood, and the sums.

Pure functions. Without qop the sum is that of RFC 2069, which RFC 3261 22.4 still asks for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.sip.digest.challenge import Challenge, quoted, unescaped

ALGORITHMS: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data).hexdigest(),
}
"""The sums that are spoken here, by their name in a challenge (RFC 7616 6.1)."""

_SESSION = "-SESS"
_LONGEST = 40


class Unusable(ValueError):
    """A challenge that is passed over. Its text is the name of what it asks for."""


@dataclass(frozen=True, slots=True)
class Account:
    """A username and its password."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """The parts of a request that are signed."""

    method: str
    uri: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class DigestChallenge:
    """A challenge that is understood. Texts are as they came, with their escapes.

    `algorithm` is as the challenge spells it, None if it does not name one; `sums` is its name in
    `ALGORITHMS`. `qop` is auth, auth-int or None.
    """

    realm: str
    nonce: str
    sums: str = "MD5"
    session: bool = False
    algorithm: str | None = None
    qop: str | None = None
    opaque: str | None = None
    stale: bool = False
    userhash: bool = False


def understood(challenge: Challenge) -> DigestChallenge:
    """Read a Digest challenge. Raise Unusable with the name of whatever is not spoken here."""
    given = challenge.parameters
    if challenge.scheme.lower() != "digest":
        raise Unusable(challenge.scheme[:_LONGEST])
    if "realm" not in given or "nonce" not in given:
        raise Unusable("Digest without realm or nonce")
    algorithm = given.get("algorithm")
    sums = (algorithm or "MD5").upper()
    session = sums.endswith(_SESSION)
    sums = sums.removesuffix(_SESSION)
    if sums not in ALGORITHMS:
        raise Unusable((algorithm or "")[:_LONGEST])
    return DigestChallenge(
        realm=given["realm"],
        nonce=given["nonce"],
        sums=sums,
        session=session,
        algorithm=algorithm or None,
        qop=_protection(given.get("qop", "")),
        opaque=given.get("opaque"),
        stale=given.get("stale", "").lower() == "true",
        userhash=given.get("userhash", "").lower() == "true",
    )


def authorization(
    challenge: DigestChallenge, account: Account, request: Request, cnonce: str, count: int
) -> str:
    """Return the value of Authorization that answers a challenge.

    `count` is how often the nonce has been used, this time included (RFC 7616 3.4).
    """
    sums, qop = ALGORITHMS[challenge.sums], challenge.qop
    name = account.username
    if challenge.userhash:
        name = sums(_bytes(f"{name}:{unescaped(challenge.realm)}"))
    parts = [
        f"username={quoted(name)}",
        f'realm="{challenge.realm}"',
        f'nonce="{challenge.nonce}"',
        f"uri={quoted(request.uri)}",
        f'response="{response(challenge, account, request, cnonce, count)}"',
    ]
    if challenge.algorithm is not None:
        parts.append(f"algorithm={challenge.algorithm}")
    if qop is not None or challenge.session:
        parts.append(f'cnonce="{cnonce}"')
    if challenge.opaque is not None:
        parts.append(f'opaque="{challenge.opaque}"')
    if qop is not None:
        parts += [f"qop={qop}", f"nc={count:08x}"]
    if challenge.userhash:
        parts.append("userhash=true")
    return f"Digest {', '.join(parts)}"


def response(
    challenge: DigestChallenge, account: Account, request: Request, cnonce: str, count: int
) -> str:
    """Return the sum of a password, a nonce and a request (RFC 7616 3.4.1 to 3.4.3)."""
    sums, qop = ALGORITHMS[challenge.sums], challenge.qop
    nonce = unescaped(challenge.nonce)
    secret = sums(_bytes(f"{account.username}:{unescaped(challenge.realm)}:{account.password}"))
    if challenge.session:
        secret = sums(_bytes(f"{secret}:{nonce}:{cnonce}"))
    signed = f"{request.method}:{request.uri}"
    if qop == "auth-int":
        signed += f":{sums(request.body)}"
    between = f"{nonce}:{count:08x}:{cnonce}:{qop}" if qop else nonce
    return sums(_bytes(f"{secret}:{between}:{sums(_bytes(signed))}"))


def _bytes(text: str) -> bytes:
    """Return a text as it was on the wire, whatever its encoding."""
    return text.encode(errors="surrogateescape")


def _protection(qop: str) -> str | None:
    """Choose from a list of qop. auth comes first: on their way bodies are changed, which breaks
    auth-int. An empty list counts as none.
    """
    offered = [option.strip().lower() for option in qop.split(",") if option.strip()]
    for option in ("auth", "auth-int"):
        if option in offered:
            return option
    if offered:
        raise Unusable(f"qop={qop[:_LONGEST]}")
    return None
