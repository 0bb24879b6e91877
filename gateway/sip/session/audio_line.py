"""The audio lines of session descriptions: which of them is usable, and with what.

Usable means G.711 over RTP: PCMU or PCMA at 8000 Hz, beside it telephone-event (RFC 4733) and
comfort noise (RFC 3389). Lines about ICE, DTLS and BUNDLE are not looked at.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal, get_args

from gateway.sip.session.sdp import Media, Session

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
"""The directions of a stream, as whoever writes the description sees it (RFC 8866 6.7)."""
Law = Literal["PCMU", "PCMA"]

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
LAWS: tuple[Law, ...] = get_args(Law)
EVENTS = "telephone-event"
NOISE = "CN"

PLAIN = frozenset({"RTP/AVP", "RTP/AVPF"})
SECURE = frozenset({"RTP/SAVP", "RTP/SAVPF"})
"""Profiles with feedback (RFC 4585) are taken as they are: no feedback is asked for or sent."""

DEFAULT_PTIME = 20
"""Milliseconds of audio in a packet, unless the receiver wants otherwise (RFC 3551 4.2)."""
MIN_PTIME, MAX_PTIME = 10, 60

NETWORK, TRANSPORT, NO_AUDIO, NO_FORMAT, MULTICAST, OTHER = 301, 302, 304, 305, 330, 399
"""Warning codes (RFC 3261 20.43): other kind of address, other transport, no such media, no such
format, multicast, and anything else."""

_STATIC = {0: "PCMU", 8: "PCMA", 13: NOISE}
_NAMES = {"PCMU": "PCMU", "PCMA": "PCMA", "TELEPHONE-EVENT": EVENTS, "CN": NOISE}
_RTPMAP = re.compile(r"([0-9]{1,3})\s+([^\s/]+)\s*/\s*([0-9]{1,9})(?:\s*/\s*([0-9]{1,3}))?")
_PORT = re.compile(r"([0-9]{1,5})(?:\s.*)?")


class NotAcceptable(Exception):
    """A description that cannot be agreed to: 488, with a Warning header that says why."""

    def __init__(self, reason: str, code: int = OTHER) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code

    def warning(self, agent: str) -> str:
        """Return the value of the Warning header. `agent` is our host or pseudonym."""
        quoted = self.reason.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.code} {agent} "{quoted}"'


@dataclass(frozen=True, slots=True)
class Format:
    """A payload type of RTP and its encoding: PCMU, PCMA, telephone-event or CN."""

    number: int
    name: str


def formats(media: Media) -> tuple[Format, ...]:
    """Return the formats of a line that are spoken here, in order. An rtpmap counts more than what
    a static number stands for (RFC 3551 6).
    """
    mapped: dict[int, str] = {}
    for value in media.values("rtpmap"):
        if parts := _RTPMAP.match(value):
            eight_khz_mono = int(parts[3]) == 8000 and int(parts[4] or 1) == 1
            name = _NAMES.get(parts[2].upper(), "") if eight_khz_mono else ""
            mapped.setdefault(int(parts[1]), name)
    named = ((n, mapped.get(n, _STATIC.get(n, ""))) for n in numbers(media))
    return tuple(Format(number, name) for number, name in named if name)


def numbers(media: Media) -> list[int]:
    """Return the payload types of a line, in order."""
    found = (int(f) for f in media.formats if re.fullmatch("[0-9]{1,3}", f))
    return list(dict.fromkeys(number for number in found if number < 128))


def first(found: tuple[Format, ...], *names: str) -> Format | None:
    """Return the first format with one of the names."""
    return next((f for f in found if f.name in names), None)


def law(found: tuple[Format, ...], laws: tuple[Law, ...] = LAWS) -> Format:
    """Return the first format with one of the laws. Raise NotAcceptable if there is none."""
    chosen = first(found, *laws)
    if chosen is None:
        raise NotAcceptable(f"the audio has to be {' or '.join(laws)} at 8000 Hz", NO_FORMAT)
    return chosen


def ptime(media: Media) -> int:
    """Return how many ms of audio the writer wants in a packet: a multiple of 10 from 10 to 60."""
    wanted = _milliseconds(media, "ptime") or DEFAULT_PTIME
    most = _milliseconds(media, "maxptime") or MAX_PTIME
    return max(MIN_PTIME, min(wanted, most, MAX_PTIME) // 10 * 10)


def _milliseconds(media: Media, name: str) -> int | None:
    """Read a time of at least 1 ms; some senders write fractions."""
    for value in media.values(name):
        whole = re.match("[0-9]{1,6}", value)
        if whole and int(whole[0]) > 0:
            return int(whole[0])
    return None


def direction(session: Session, media: Media) -> Direction:
    """Return the direction of a line, or the session's, or else sendrecv."""
    for part in (media, session):
        for name in DIRECTIONS:
            if part.has(name):
                return name
    return "sendrecv"


def join(send: bool, receive: bool) -> Direction:
    """Return the direction of somebody who sends, receives, both or neither."""
    if send:
        return "sendrecv" if receive else "sendonly"
    return "recvonly" if receive else "inactive"


def sends(way: Direction) -> bool:
    """Return whether the writer of a direction sends."""
    return way in {"sendrecv", "sendonly"}


def receives(way: Direction) -> bool:
    """Return whether the writer of a direction receives."""
    return way in {"sendrecv", "recvonly"}


def ways(wants: Direction, theirs: Session, line: Media) -> tuple[bool, bool]:
    """Return whether we send and receive, if we want one direction and the peer's line another."""
    way = direction(theirs, line)
    send = sends(wants) and receives(way) and not nowhere(host(theirs, line))
    return send, receives(wants) and sends(way)


def host(session: Session, media: Media) -> str:
    """Return where RTP for a line goes: an address or a name. Raise NotAcceptable if nowhere."""
    connection = media.connection or session.connection
    if connection is None:
        raise NotAcceptable("the audio line has no c= line, so there is nowhere to send to")
    address = _address(connection.address)
    if address is not None and address.is_multicast:
        raise NotAcceptable(f"{connection.address} is a multicast address", MULTICAST)
    return connection.address


def nowhere(host: str) -> bool:
    """Return whether a host stands for "send nothing": 0.0.0.0, as RFC 2543 held a call
    (RFC 3264 8.4), its IPv6 form, or a name below .invalid (RFC 6157 4).
    """
    address = _address(host)
    return address.is_unspecified if address else host.lower().rstrip(".").endswith(".invalid")


def check_family(host: str, ours: str) -> None:
    """Raise NotAcceptable if two addresses are of different families."""
    theirs_is, ours_is = _address(host), _address(ours)
    if theirs_is is None or ours_is is None or theirs_is.is_unspecified:
        return
    if theirs_is.version != ours_is.version:
        raise NotAcceptable(
            f"audio is at an IPv{theirs_is.version} address, this side has IPv{ours_is.version} "
            "only",
            NETWORK,
        )


def rtcp_port(media: Media) -> int:
    """Return the port for RTCP: of a=rtcp (RFC 3605), or the next above RTP's. The address in
    a=rtcp is not followed: reports go where the audio goes.
    """
    for value in media.values("rtcp"):
        port = _PORT.fullmatch(value)
        if port and 0 < int(port[1]) <= 65_535:
            return int(port[1])
    return min(media.port + 1, 65_535)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
