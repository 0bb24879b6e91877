"""Ids of calls: derived from what begins them where that may come twice, else random."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

CALL_ID = re.compile(r"call_[a-z2-7]{26}", re.ASCII)
"""What an id looks like; anything else is nobody's call."""


def inbound_call_id(provider: str, provider_call_id: str) -> str:
    """The id of a provider's call. Derived, so that a webhook that comes twice finds its call.

    `call_` and 26 characters of base32 (130 bits of SHA-256).
    """
    digest = hashlib.sha256(f"{provider}:{provider_call_id}".encode()).digest()
    return "call_" + base64.b32encode(digest).decode().lower()[:26]


def derived_call_id(seed: str) -> str:
    """The id of the call that a request dials which may come twice: the same for the same seed."""
    return inbound_call_id("seed", seed)


def new_call_id() -> str:
    """An id like `inbound_call_id`'s, for a call that begins with us: random."""
    return "call_" + base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26]
