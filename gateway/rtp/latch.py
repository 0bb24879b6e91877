"""The address that a far end's audio comes from, and so, behind NAT, goes to.

Once a stream is latched, others are ignored: whoever finds the port must not take the call over.
The negotiated address is believed at once, and always. Any other must show two packets of one
stream in a row, so that a stray one does not take the latch.
Source: RFC 4961 (symmetric RTP); RFC 7362 (latching, and its dangers).
"""

from __future__ import annotations

from gateway.rtp.settings import Address

SILENCE_S = 3.0
"""Seconds without a packet after which a latched address may be followed by another."""


class Latch:
    """The address of one far end."""

    __slots__ = ("_allowed", "_candidate", "_remote", "heard_at", "latched")

    def __init__(self) -> None:
        self._remote: Address | None = None
        self._allowed = False
        self._candidate: tuple[Address, int, int] | None = None
        self.latched: Address | None = None
        """The address whose packets are taken; None before the first."""
        self.heard_at = 0.0

    @property
    def destination(self) -> Address | None:
        """Return where audio is sent to."""
        return self.latched if self._allowed and self.latched else self._remote

    def apply(self, remote: Address | None, *, allowed: bool) -> None:
        """Take a negotiated address. The latch opens if it is another one, or the rule is.

        None is a far end that wants nothing for now: its address is kept.
        """
        if (remote is None or remote == self._remote) and allowed == self._allowed:
            return
        self._remote = remote or self._remote
        self._allowed = allowed
        self.latched = self._candidate = None

    def may_admit(self, address: Address, now: float) -> bool:
        """Return whether a packet from an address that is not latched is worth a look."""
        if self._remote is None or address == self._remote:
            return self._remote is not None
        if self.latched is not None and now - self.heard_at < SILENCE_S:
            return False
        return self._allowed or address[0] == self._remote[0]

    def admit(self, address: Address, ssrc: int, sequence: int) -> bool:
        """Latch the address of a valid packet for which `may_admit` was true, if it is to be."""
        if self._remote is None or address[0] != self._remote[0]:
            expected = (address, ssrc, sequence)
            if self._candidate != expected:
                self._candidate = (address, ssrc, sequence + 1 & 0xFFFF)
                return False
        self.latched, self._candidate = address, None
        return True
