"""The tokens that open a call's audio sockets: the provider's, the agent's, and that of the relay
which holds the call that it is joined with (`peer`). The application issues them; a relay checks
them before it upgrades a connection, and the application checks them again at each attach.

`<call_id>.<leg>.<expires, epoch s>.<base64url HMAC-SHA256>`: bound to one call and one leg. Signed
with the secret that application and relays share for control requests, which may have former values
(common/rotation.py); `_CONTEXT` keeps a signature of one kind from being valid as the other. At
each attach, the database says whether the call still wants a socket.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Literal

from common.rotation import accepted, same, signing

Leg = Literal["provider", "agent", "peer"]

MAX_LENGTH = 256
"""Limit in characters; our tokens have less than half as many."""

_CONTEXT = b"media."
_SHAPE = re.compile(r"([A-Za-z0-9_-]+)\.(provider|agent|peer)\.([0-9]{1,12})\.[A-Za-z0-9_-]+")


class BadTokenError(ValueError):
    """The token is not valid. The text says why, in a few words without the token."""


def issue(secret: str, call_id: str, leg: Leg, expires_s: int) -> str:
    """Return a token for one leg of one call. The same input gives the same token."""
    claim = f"{call_id}.{leg}.{expires_s}"
    return f"{claim}.{_mac(signing(secret), claim)}"


def read(secret: str, token: str, leg: Leg, now_s: int) -> str:
    """Return the id of the call that `token` opens for `leg` at `now_s`. Raises BadTokenError."""
    if not token:
        raise BadTokenError("no token")
    shape = _SHAPE.fullmatch(token) if len(token) <= MAX_LENGTH else None
    if shape is None:
        raise BadTokenError("the token is malformed")
    claim, _, mac = token.rpartition(".")
    if not same(mac, [_mac(each, claim) for each in accepted(secret)]):
        raise BadTokenError("the token is not signed by this installation")
    if shape[2] != leg:
        raise BadTokenError(f"the token is the {shape[2]}'s, not the {leg}'s")
    if now_s >= int(shape[3]):
        raise BadTokenError("the token has expired")
    return shape[1]


def _mac(secret: str, claim: str) -> str:
    digest = hmac.new(secret.encode(), _CONTEXT + claim.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
