"""Session descriptions as values (RFC 8866): read from bytes, written as text.

It reads what peers send, not only what the RFC allows: lines may end in CRLF, LF or CR, in blanks,
or not at all; empty and unknown lines are skipped. What a call never needs (i=, u=, e=, p=, b=, r=,
z=, k=) is skipped, too. It knows nothing of codecs or of offers and answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_BYTES = 32_768
"""Limit of a description; that of a browser with video has about 8,000 bytes."""
MAX_LINES = 512
MAX_LINE = 2_048
"""Limit of a line, in characters."""
MAX_MEDIA = 16
"""Limit of the m= lines. An answer repeats each of them."""
MAX_FORMATS = 128
"""Limit of the formats in an m= line: there are no more RTP payload types."""

_LINE_ENDS = re.compile(r"\r\n|\n|\r")
_TOKEN = re.compile(r"[!#-'*+\-.0-9A-Z^-~]+")
_PROTOCOL = re.compile(r"[!#-'*+\-./0-9A-Z^-~]+")
_HOST = re.compile(r"[0-9A-Za-z._:-]{1,255}")
_PORT = re.compile(r"([0-9]{1,5})(?:/([0-9]{1,5}))?")


class SdpError(ValueError):
    """A session description that cannot be read. Its text says why, in one sentence."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An address of a c= or o= line: a name, an IPv4 or an IPv6 address, without brackets."""

    address: str

    @property
    def family(self) -> str:
        """Return IP4 or IP6. A name counts as IP4."""
        return "IP6" if ":" in self.address else "IP4"

    def __str__(self) -> str:
        return f"IN {self.family} {self.address}"


@dataclass(frozen=True, slots=True)
class Origin:
    """An o= line. Ids are text, since some senders write other than 64 bits of digits."""

    username: str
    session_id: str
    version: str
    connection: Connection

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} {self.connection}"


NO_ORIGIN = Origin("-", "0", "0", Connection("0.0.0.0"))
"""The origin of a description without a readable o= line. A call does not need one."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An a= line: a property, or a name with a value. Names are in lower case."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}:{self.value}"


@dataclass(frozen=True, slots=True)
class _Attributed:
    """A part of a description that has attributes, in the order of their lines."""

    attributes: tuple[Attribute, ...] = field(default=(), kw_only=True)

    def values(self, name: str) -> Iterator[str]:
        """Yield the values of all attributes with a name, in order."""
        return (a.value for a in self.attributes if a.name == name and a.value is not None)

    def has(self, name: str) -> bool:
        """Return whether an attribute is present, with a value or without."""
        return any(a.name == name for a in self.attributes)


@dataclass(frozen=True, slots=True)
class Media(_Attributed):
    """A media description: an m= line and what is below it. Port 0: the stream is refused."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    ports: int = 1
    connection: Connection | None = None


@dataclass(frozen=True, slots=True)
class Session(_Attributed):
    """A session description. `times` are the values of its t= lines."""

    origin: Origin
    connection: Connection | None = None
    media: tuple[Media, ...] = ()
    name: str = "-"
    times: tuple[str, ...] = ("0 0",)


def parse(body: bytes) -> Session:
    """Read a session description. Raise SdpError if it has no v=0, or a broken c= or m= line."""
    lines = list(_lines(body))
    if not lines or lines[0] != ("v", "0"):
        raise SdpError("the session description does not begin with v=0")
    starts = [at for at, (letter, _) in enumerate(lines) if letter == "m"]
    head = lines[: starts[0]] if starts else lines
    if len(starts) > MAX_MEDIA:
        raise SdpError(f"the session description has more than {MAX_MEDIA} m= lines")
    ends = [*starts[1:], len(lines)]
    return Session(
        _origin(next((value for letter, value in head if letter == "o"), "")),
        _first_connection(head),
        tuple(_media(lines[a:b]) for a, b in zip(starts, ends, strict=False)),
        next((value.strip() for letter, value in head if letter == "s" and value.strip()), "-"),
        tuple(value for letter, value in head if letter == "t") or ("0 0",),
        attributes=_attributes(head),
    )


def serialise(session: Session) -> bytes:
    """Write a session description, with CRLF after each line (RFC 8866 9)."""
    lines = ["v=0", f"o={session.origin}", f"s={session.name}"]
    if session.connection is not None:
        lines.append(f"c={session.connection}")
    lines += [f"t={time}" for time in session.times]
    lines += [f"a={attribute}" for attribute in session.attributes]
    for media in session.media:
        port = f"{media.port}/{media.ports}" if media.ports > 1 else str(media.port)
        lines.append(f"m={' '.join((media.kind, port, media.protocol, *media.formats))}")
        if media.connection is not None:
            lines.append(f"c={media.connection}")
        lines += [f"a={attribute}" for attribute in media.attributes]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _lines(body: bytes) -> Iterator[tuple[str, str]]:
    """Yield letter and value of each line that has the form `x=value`."""
    if len(body) > MAX_BYTES:
        raise SdpError(f"the session description has more than {MAX_BYTES} bytes")
    lines = _LINE_ENDS.split(body.decode(errors="replace"))
    if len(lines) > MAX_LINES:
        raise SdpError(f"the session description has more than {MAX_LINES} lines")
    for line in lines:
        if len(line) > MAX_LINE:
            raise SdpError(f"a line of the session description is longer than {MAX_LINE}")
        kept = line.rstrip(" \t\0")
        if len(kept) >= 2 and kept[1] == "=":
            yield kept[0], kept[2:]


def _origin(value: str) -> Origin:
    """Read an o= line from its end, since some senders have blanks in the user name."""
    parts = value.split()
    if len(parts) < 5:
        return NO_ORIGIN
    *username, session_id, version, _network, _family, host = parts
    address = host.strip("[]")
    if not _HOST.fullmatch(address):
        return NO_ORIGIN
    return Origin("_".join(username) or "-", session_id, version, Connection(address))


def _first_connection(lines: list[tuple[str, str]]) -> Connection | None:
    """Read the first c= line, if there is one. A time to live or a count after "/" is dropped."""
    value = next((value for letter, value in lines if letter == "c"), None)
    if value is None:
        return None
    parts = value.split()
    address = parts[2].split("/")[0].strip("[]") if len(parts) > 2 else ""
    if not _HOST.fullmatch(address):
        raise SdpError(f"the line c={value[:80]} has no address")
    return Connection(address)


def _media(lines: list[tuple[str, str]]) -> Media:
    """Read an m= line and those below it. Refused lines may lack formats."""
    value = lines[0][1]
    parts = value.split()
    kind, port, protocol = parts[:3] if len(parts) >= 3 else ("", "", "")
    formats = tuple(parts[3:])
    ports = _PORT.fullmatch(port)
    tokens = all(_TOKEN.fullmatch(token) for token in (kind, *formats))
    if not (ports and tokens and _PROTOCOL.fullmatch(protocol)) or int(ports[1]) > 65_535:
        raise SdpError(f"the line m={value[:80]} is not 'm=kind port protocol formats'")
    if len(formats) > MAX_FORMATS:
        raise SdpError(f"a media line has more than {MAX_FORMATS} formats")
    return Media(
        kind.lower(),
        int(ports[1]),
        protocol,
        formats,
        max(1, int(ports[2] or 1)),
        _first_connection(lines),
        attributes=_attributes(lines),
    )


def _attributes(lines: list[tuple[str, str]]) -> tuple[Attribute, ...]:
    """Read the a= lines."""
    pairs = (value.partition(":") for letter, value in lines if letter == "a")
    return tuple(
        Attribute(name.strip().lower(), value.strip() if colon else None)
        for name, colon, value in pairs
        if name.strip()
    )
