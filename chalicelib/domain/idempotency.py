"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07): what a key may look like, and
what makes two requests the same one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import Any

from wire.rotation import accepted

KEPT_S = 24 * 3600
"""How long a key stands for its first request."""

CLAIM_MS = 60_000
"""After this long without an answer nobody works on the request any more: twice what a Lambda
behind API Gateway may take."""

KEY_PATTERN = r"^[!-~]{1,255}$"
"""Visible ASCII. The draft writes keys as quoted strings; the quotes then are part of the key."""

_KEY = re.compile(KEY_PATTERN, re.ASCII)


class BadIdempotencyKey(ValueError):
    """Not 1 to 255 visible ASCII characters."""


def check_key(key: str) -> str:
    """`key` itself. BadIdempotencyKey."""
    if not _KEY.fullmatch(key):
        raise BadIdempotencyKey
    return key


def fingerprints(secret: str, operation: str, path: dict[str, str], body: Any) -> list[str]:
    """Two requests that have one in common ask the same thing: the order of members does not
    count. The first is the request's; the others it would have had under former secrets.

    MACs, not hashes: bodies may hold secrets that are few enough to be guessed.
    """
    canonical = json.dumps([operation, path, body], sort_keys=True, separators=(",", ":"))
    message = f"idempotency.{canonical}".encode()
    return [
        hmac.new(each.encode(), message, hashlib.sha256).hexdigest() for each in accepted(secret)
    ]
