"""A leg's settings: what the two ends have agreed on, as an offer and its answer say it."""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass

from gateway.rtp.srtp import Keys

Address = tuple[str, int]
"""An IP address, never a name, and a port."""

SHORTEST_PTIME, LONGEST_PTIME = 10, 60
"""Milliseconds of audio in a packet that we send."""


class Law(enum.Enum):
    """The codecs: the two laws of G.711."""

    ULAW = "PCMU"
    ALAW = "PCMA"


class Direction(enum.Enum):
    """Ways that audio goes, as this end sees it (RFC 3264 5.1)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Return whether this end sends audio."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """Return whether this end hears audio."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)


@dataclass(frozen=True, slots=True)
class Settings:
    """The agreement of the two ends. Raises ValueError, with the reason, for what cannot be.

    `remote` is where the far end wants audio, None if nowhere (0.0.0.0). `event_type` is the
    payload type of telephone-events, None if the far end takes none; `received_event_type` is for
    a far end that sends them under another one. With `latching`, audio goes to where the far end's
    comes from, and is taken from there; without, it is taken from the IP address of `remote` only.
    `remote_rtcp` is where reports go if not to the port after `remote`.
    """

    remote: Address | None
    payload_type: int = 0
    law: Law = Law.ULAW
    event_type: int | None = None
    received_event_type: int | None = None
    ptime: int = 20
    direction: Direction = Direction.SENDRECV
    keys: Keys | None = None
    latching: bool = False
    remote_rtcp: Address | None = None

    def __post_init__(self) -> None:
        for each in (self.payload_type, self.event_type, self.received_event_type):
            if each is not None and not 0 <= each < 128:
                raise ValueError(f"{each} is no payload type: they are 0 to 127")
        if not SHORTEST_PTIME <= self.ptime <= LONGEST_PTIME:
            bounds = f"{SHORTEST_PTIME} to {LONGEST_PTIME}"
            raise ValueError(f"a packet has {bounds} ms of audio, not {self.ptime}")
        for name in ("remote", "remote_rtcp"):
            if (address := getattr(self, name)) is not None:
                object.__setattr__(self, name, normal(address))


def normal(address: Address) -> Address:
    """Return an address as the kernel writes it, so that the two can be compared.

    Raises ValueError if it is a name, or a port that nothing can be sent to.
    """
    host, port = address
    if not 0 < port < 65536:
        raise ValueError(f"{port} is no port that audio can be sent to")
    return str(ipaddress.ip_address(host)), port
