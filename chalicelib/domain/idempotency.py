"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07): the syntax of a key, and the
fingerprint by which two requests are the same.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import Any

from chalicelib.domain.failure import Failure
from common.rotation import accepted

KEPT_S = 24 * 3600
"""Time for which the answer to the first request with a key is kept."""

CLAIM_MS = 60_000
"""Time after which a request without an answer is not being worked on any more: twice the longest
time that a Lambda function behind API Gateway may take."""

KEY_PATTERN = r"^[!-~]{1,255}$"
"""Visible ASCII. The draft writes keys as quoted strings; the quotes then are part of the key."""

_KEY = re.compile(KEY_PATTERN, re.ASCII)


class BadIdempotencyKey(Failure, ValueError):
    """Not 1 to 255 visible ASCII characters."""

    code = "bad_idempotency_key"


def check_key(key: str) -> str:
    """Check a key; return it. Raises BadIdempotencyKey."""
    if not _KEY.fullmatch(key):
        raise BadIdempotencyKey
    return key


def fingerprints(secret: str, operation: str, path: dict[str, str], body: Any) -> list[str]:
    """Return the request's fingerprint, then those that it would have under former secrets. Two
    requests that have one in common ask for the same thing; the order of members does not count.

    MACs, not hashes: bodies may hold secrets that are few enough to be guessed.
    """
    canonical = json.dumps([operation, path, body], sort_keys=True, separators=(",", ":"))
    message = f"idempotency.{canonical}".encode()
    return [
        hmac.new(each.encode(), message, hashlib.sha256).hexdigest() for each in accepted(secret)
    ]
