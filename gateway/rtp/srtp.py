"""SRTP: protect what goes, and check and decrypt what comes. libsrtp does the work.

A session counts how often the sequence numbers wrapped, so it outlives a re-INVITE that brings the
same key; made anew, it would fail all packets after the first wrap (RFC 3711 3.3.1).
Source: RFC 3711; RFC 4568 6.2 (the suites and the lengths of their keys); RFC 7714 (GCM).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

import pylibsrtp


class SRTPError(Exception):
    """A packet could not be protected, or is not what its sender protected: forged, or repeated."""


class Suite(enum.Enum):
    """Crypto suites, by their names in SDP. The value has libsrtp's profile and the key's bytes."""

    AES_CM_128_HMAC_SHA1_80 = pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30
    AES_CM_128_HMAC_SHA1_32 = pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 30
    AEAD_AES_128_GCM = pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28

    @property
    def profile(self) -> int:
        """Return libsrtp's number of the suite."""
        profile: int = self.value[0]
        return profile

    @property
    def key_bytes(self) -> int:
        """Return the length of master key and master salt together."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of both directions: each is the master key, then the master salt.

    Raises ValueError if a key has not the length that its suite wants. They are never shown.
    """

    suite: Suite
    send: bytes = field(repr=False)
    receive: bytes = field(repr=False)

    def __post_init__(self) -> None:
        for key in (self.send, self.receive):
            if len(key) != self.suite.key_bytes:
                raise ValueError(
                    f"a key for {self.suite.name} has {self.suite.key_bytes} bytes with its salt, "
                    f"not {len(key)}"
                )


class SecureSession:
    """Both directions of one call. Every failure of a packet is an SRTPError."""

    __slots__ = ("_inbound", "_keys", "_outbound")

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._outbound = _outbound(keys)
        self._inbound = _inbound(keys)

    def rekey(self, keys: Keys) -> None:
        """Use other keys from now on; a direction whose key stays the same is left as it is."""
        before, self._keys = self._keys, keys
        if (keys.suite, keys.send) != (before.suite, before.send):
            self._outbound = _outbound(keys)
        if (keys.suite, keys.receive) != (before.suite, before.receive):
            self._inbound = _inbound(keys)

    def protect(self, packet: bytes) -> bytes:
        """Encrypt and sign an RTP packet."""
        try:
            return self._outbound.protect(packet)
        except (pylibsrtp.Error, ValueError, TypeError) as error:
            raise SRTPError(f"an RTP packet could not be protected: {error}") from error

    def unprotect(self, packet: bytes) -> bytes:
        """Check and decrypt an RTP packet."""
        try:
            return self._inbound.unprotect(packet)
        except (pylibsrtp.Error, ValueError, TypeError) as error:
            raise SRTPError(f"a packet is no SRTP with our key: {error}") from error

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Encrypt and sign an RTCP packet."""
        try:
            return self._outbound.protect_rtcp(packet)
        except (pylibsrtp.Error, ValueError, TypeError) as error:
            raise SRTPError(f"an RTCP packet could not be protected: {error}") from error

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Check and decrypt an RTCP packet."""
        try:
            return self._inbound.unprotect_rtcp(packet)
        except (pylibsrtp.Error, ValueError, TypeError) as error:
            raise SRTPError(f"a packet is no SRTCP with our key: {error}") from error


def _outbound(keys: Keys) -> pylibsrtp.Session:
    return _session(keys.send, keys.suite, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)


def _inbound(keys: Keys) -> pylibsrtp.Session:
    return _session(keys.receive, keys.suite, pylibsrtp.Policy.SSRC_ANY_INBOUND)


def _session(key: bytes, suite: Suite, direction: int) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(key=key, ssrc_type=direction, srtp_profile=suite.profile)
    return pylibsrtp.Session(policy)
