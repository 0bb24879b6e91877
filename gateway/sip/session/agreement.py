"""The agreement of a call: the stream that both sides agreed on, and what they keep to until the
call ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from gateway.sip.session import audio_line as audio
from gateway.sip.session.audio_line import Direction, Format, Law
from gateway.sip.session.sdes import Srtp
from gateway.sip.session.sdp import Media, Session

_USUAL_NUMBERS = {"PCMU": 0, "PCMA": 8, audio.NOISE: 13, audio.EVENTS: 101}
_DYNAMIC = range(96, 128)


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The stream that both sides agreed on.

    `host` may be a name. `payload_type`, `telephone_event` and `comfort_noise` are the numbers that
    the peer expects; `expected` has those with which it may send, at any time. `ptime` is in ms.
    `held`: the peer wants to hear nothing.
    """

    host: str
    rtp_port: int
    rtcp_port: int
    rtcp_mux: bool
    law: Law
    payload_type: int
    telephone_event: int | None
    comfort_noise: int | None
    expected: tuple[Format, ...]
    ptime: int
    may_send: bool
    may_receive: bool
    held: bool
    srtp: Srtp | None


@dataclass(frozen=True, slots=True)
class State:
    """Everything that an exchange changes, so that it can be taken back.

    `ours` is our last description, `at` the place of its audio line; while it is an offer without
    an answer, `open` is true. `names` has the meaning of each payload type that either side ever
    used: it holds for the whole call (RFC 3264 8.3.2). The latest is last; "" is an encoding that
    is not spoken here. `keys` has our SRTP keys by suite.
    """

    wants: Direction = "sendrecv"
    ours: Session | None = None
    at: int = 0
    names: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    keys: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    negotiated: Negotiated | None = None
    open: bool = False

    def formats(self, names: Iterable[str]) -> tuple[Format, ...]:
        """Return encodings with their payload types: as last used, else the usual, else the next
        that is free. An encoding for which none is left is left out.
        """
        used = {name: number for number, name in self.names.items()}
        taken = set(self.names)
        found = []
        for name in names:
            free = (n for n in (_USUAL_NUMBERS[name], *_DYNAMIC) if n not in taken)
            number = used[name] if name in used else next(free, None)
            if number is not None:
                taken.add(number)
                found.append(Format(number, name))
        return tuple(found)

    def learn(self, media: Media) -> State:
        """Return the state that knows the payload types of a line."""
        numbers = audio.numbers(media)
        older = {number: name for number, name in self.names.items() if number not in numbers}
        spoken = {f.number: f.name for f in audio.formats(media)}
        foreign = {number: "" for number in numbers if number not in spoken}
        return replace(self, names=MappingProxyType(older | foreign | spoken))


def agree(theirs: Session, at: int, ours: Media, wants: Direction, srtp: Srtp | None) -> Negotiated:
    """Return what two descriptions agree on. Raise NotAcceptable if they have no law in common.

    The peer's first law of those in our line is what we send (RFC 3264 6.1, 7).
    """
    line = theirs.media[at]
    expected = audio.formats(ours)
    common = tuple(f for f in audio.formats(line) if audio.first(expected, f.name))
    law = audio.law(common, tuple(law for law in audio.LAWS if audio.first(expected, law)))
    events, noise = audio.first(common, audio.EVENTS), audio.first(common, audio.NOISE)
    mux = line.has("rtcp-mux") and ours.has("rtcp-mux")
    host = audio.host(theirs, line)
    send, receive = audio.ways(wants, theirs, line)
    return Negotiated(
        host=host,
        rtp_port=line.port,
        rtcp_port=line.port if mux else audio.rtcp_port(line),
        rtcp_mux=mux,
        law="PCMU" if law.name == "PCMU" else "PCMA",
        payload_type=law.number,
        telephone_event=events.number if events else None,
        comfort_noise=noise.number if noise else None,
        expected=expected,
        ptime=audio.ptime(line),
        may_send=send,
        may_receive=receive,
        held=audio.nowhere(host) or not audio.receives(audio.direction(theirs, line)),
        srtp=srtp,
    )
