"""Signatures of control requests between relay, gateway and application: each carries an HMAC of
its body.

Header `X-Chamade-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256(secret, "<t>.<path>." + body)>`.
A request older or newer than `TOLERANCE_S` is refused; within that window a replay is harmless,
because every control request is idempotent. The secret may have former values, which are accepted
(common/rotation.py).
"""

from __future__ import annotations

import hashlib
import hmac

from common.rotation import accepted, same, signing

HEADER = "X-Chamade-Signature"
TOLERANCE_S = 60


def sign(secret: str, path: str, body: bytes, now_s: int) -> str:
    """Return the header's value for `body`, posted at `now_s` to `path` (as in the URL, no
    query)."""
    return f"t={now_s},v1={_digest(signing(secret), path, body, now_s)}"


def verify(  # noqa: PLR0913 - what was signed, and when it is looked at
    secret: str,
    path: str,
    body: bytes,
    header: str | None,
    now_s: int,
    *,
    tolerance_s: int = TOLERANCE_S,
) -> bool:
    """Return whether `header` is a fresh signature of `body` for `path`. Never raises."""
    fields = dict(part.split("=", 1) for part in (header or "").split(",") if "=" in part)
    stamp, given = fields.get("t", ""), fields.get("v1", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12) or not given.isascii():
        return False
    if abs(now_s - int(stamp)) > tolerance_s:
        return False
    return same(given, [_digest(each, path, body, int(stamp)) for each in accepted(secret)])


def _digest(secret: str, path: str, body: bytes, stamp: int) -> str:
    message = f"{stamp}.{path}.".encode() + body
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
