"""String identifiers as Twilio writes them. Not a registry: nothing here remembers a SID."""

from __future__ import annotations

import secrets


def new_sid(prefix: str) -> str:
    """A fresh SID: `prefix` (CA call, MZ stream) and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)
