"""The tokens that open a call's two audio sockets.

`<call_id>.<leg>.<expires, epoch s>.<base64url HMAC-SHA256>`: stateless, bound to one call and one
leg. Whether the call still wants a socket is another question, asked of the table at each attach.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Literal

from wire.rotation import accepted, same, signing

Leg = Literal["provider", "agent"]


def issue(secret: str, call_id: str, leg: Leg, expires_s: int) -> str:
    """A token for one leg of one call. The same input gives the same token."""
    claim = f"{call_id}.{leg}.{expires_s}"
    return f"{claim}.{_mac(signing(secret), claim)}"


def check(secret: str, token: str, leg: Leg, now_s: int) -> str | None:
    """The call id if `token` is ours, for this leg and not expired; else None. Never raises."""
    claim, _, mac = token.rpartition(".")
    if not same(mac, [_mac(each, claim) for each in accepted(secret)]):
        return None
    call_id, named_leg, expires = claim.split(".")
    return call_id if named_leg == leg and now_s < int(expires) else None


def _mac(secret: str, claim: str) -> str:
    digest = hmac.new(secret.encode(), f"media.{claim}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
