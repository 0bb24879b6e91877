"""String identifiers in Twilio's form. They are not stored here."""

from __future__ import annotations

import secrets


def new_sid(prefix: str) -> str:
    """Return a new SID: `prefix` (CA call, MZ stream) and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)
