"""The content of the dashboard's cookie, which a browser holds in place of an API key.

`<SHA-256 of the key, hex>.<expires, epoch s>.<base64url HMAC-SHA256>`: stateless, and the key
cannot be derived from it. The table is asked at each request whether the key is still valid, so
that a session ends with its key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from common.rotation import accepted, same, signing

LASTS_S = 12 * 3600
"""Length of a session, used or not: a working day."""


def issue(secret: str, key_hash: str, expires_s: int) -> str:
    """Return a session of that key; `secret` is the installation's token secret."""
    claim = f"{key_hash}.{expires_s}"
    return f"{claim}.{_mac(signing(secret), claim)}"


def check(secret: str, token: str, now_s: int) -> tuple[str, int] | None:
    """Return the key's hash and the expiry, if `token` is ours and not expired. Never raises."""
    claim, _, mac = token.rpartition(".")
    macs = [_mac(each, claim) for each in accepted(secret)] if token.isascii() else []
    if not same(mac, macs):
        return None
    key_hash, expires = claim.split(".")
    return (key_hash, int(expires)) if now_s < int(expires) else None


def _mac(secret: str, claim: str) -> str:
    digest = hmac.new(secret.encode(), f"session.{claim}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
