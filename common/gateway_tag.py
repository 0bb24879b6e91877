"""The part of a call's SID that says which gateway made it, where there are several gateways.

Gateways write it and the application reads it (docs/contracts.md), so that a request about a call
goes to the gateway that has the call, and nobody keeps a list.
"""

from __future__ import annotations

import hashlib

_AT = slice(4, 8)
"""The digits of a SID: behind `CA` and the two of the gateway process (gateway/sids.py)."""


def tag_of(gateway: str) -> str:
    """Return the four hexadecimal digits that stand for a gateway's name."""
    return hashlib.sha256(gateway.encode()).hexdigest()[:4]


def tag_in(sid: str) -> str:
    """Return the digits of a call's SID that are a tag, if the SID has one."""
    return sid[_AT]
