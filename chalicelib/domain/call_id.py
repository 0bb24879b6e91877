"""Ids of calls: derived if the request that begins the call may come twice, else random."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

CALL_ID = re.compile(r"call_[a-z2-7]{26}", re.ASCII)
"""The form of a call's id; other text names no call."""


def inbound_call_id(provider: str, provider_call_id: str) -> str:
    """Return the id of a provider's call. Derived, so that a webhook that comes twice finds its
    call.

    `call_` and 26 characters of base32 (130 bits of SHA-256).
    """
    digest = hashlib.sha256(f"{provider}:{provider_call_id}".encode()).digest()
    return "call_" + base64.b32encode(digest).decode().lower()[:26]


def derived_call_id(seed: str) -> str:
    """Return the id of a call whose request may come twice: the same for the same seed."""
    return inbound_call_id("seed", seed)


def new_call_id() -> str:
    """Return an id like `inbound_call_id`'s, but random, for a call that we dial."""
    return "call_" + base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26]
