"""Our lines in session descriptions: the audio that we describe, and the lines that we refuse."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.sip.session import audio_line as audio
from gateway.sip.session.audio_line import Direction, Format
from gateway.sip.session.sdes import Crypto
from gateway.sip.session.sdp import Attribute, Media

_KEYS = "0-15"
"""The telephone-events that are understood: digits, star, pound, A to D (RFC 4733 3.2)."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as we describe it. `ptime` is in ms."""

    formats: tuple[Format, ...]
    direction: Direction
    ptime: int = audio.DEFAULT_PTIME
    crypto: tuple[Crypto, ...] = ()
    rtcp_mux: bool = False


def describe(port: int, protocol: str, stream: Stream) -> Media:
    """Describe our audio. Each format has an rtpmap, also those with static numbers: some peers
    look for it (RFC 3264 5.1 recommends it).
    """
    lines = [Attribute("rtpmap", f"{f.number} {f.name}/8000") for f in stream.formats]
    if events := audio.first(stream.formats, audio.EVENTS):
        lines.append(Attribute("fmtp", f"{events.number} {_KEYS}"))
    lines.append(Attribute("ptime", str(stream.ptime)))
    lines += [line.attribute() for line in stream.crypto]
    if stream.rtcp_mux:
        lines.append(Attribute("rtcp-mux"))
    lines.append(Attribute(stream.direction))
    numbers = tuple(str(f.number) for f in stream.formats)
    return Media("audio", port, protocol, numbers, attributes=tuple(lines))


def turned(line: Media, direction: Direction) -> Media:
    """Return a line with another direction."""
    kept = tuple(a for a in line.attributes if a.name not in audio.DIRECTIONS)
    return replace(line, attributes=(*kept, Attribute(direction)))


def refused(line: Media) -> Media:
    """Return the refusal of a line: port 0, and its formats, of which there must be one
    (RFC 3264 6).
    """
    return Media(line.kind, 0, line.protocol, line.formats or ("0",))
