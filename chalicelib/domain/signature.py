"""Signatures of deliveries: Standard Webhooks 1.0.0, symmetric.

The signed text is `{id}.{timestamp}.{body}`, with HMAC-SHA256 and the endpoint's secret; the header
holds one `v1,<base64>` for each secret that counts, with a space between them.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The specification wants 24 to 64."""


def new_secret() -> str:
    """Make a secret: `whsec_` and the base64 of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(keys: Iterable[str], message_id: str, timestamp_s: int, body: str) -> str:
    """Return the header `webhook-signature` of a body: one signature for each of the secrets."""
    message = f"{message_id}.{timestamp_s}.{body}".encode()
    return " ".join(f"v1,{_mac(key, message)}" for key in keys)


def headers(keys: Iterable[str], message_id: str, timestamp_s: int, body: str) -> dict[str, str]:
    """Return the three headers of a delivery. The id holds no full stop: that delimits what is
    signed.
    """
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": sign(keys, message_id, timestamp_s, body),
    }


def _mac(key: str, message: bytes) -> str:
    raw = base64.b64decode(key.removeprefix(PREFIX))
    return base64.b64encode(hmac.new(raw, message, hashlib.sha256).digest()).decode()
