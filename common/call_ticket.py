"""Tickets for `/legs/call`: each lets a browser place one call at the gateway, once and soon,
without any other credential. The application issues them, the gateway accepts them.

`<base64url of JSON>.<base64url HMAC-SHA256>`. The ticket fixes the whole call: its holder can
choose nothing. The secret is that of the gateway's control requests; `_CONTEXT` keeps a signature
of one kind from being valid as the other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass

from common.rotation import accepted, same, signing

LIFE_S = 60

_CONTEXT = b"call-ticket."


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call: the caller, the called number and, where the number is a trunk's, the trunk through
    which the call seems to come in. Valid until `expires_s` (epoch)."""

    to: str
    from_: str
    trunk_id: str | None
    expires_s: int


def issue(secret: str, ticket: Ticket) -> str:
    """Return the ticket as text. No two are the same, so that each can be used once."""
    said = [ticket.to, ticket.from_, ticket.trunk_id, ticket.expires_s, secrets.token_hex(8)]
    claim = _encoded(json.dumps(said).encode())
    return f"{claim}.{_mac(signing(secret), claim)}"


def read(secret: str, text: str, now_s: float) -> Ticket | None:
    """Return the ticket if it is ours and not expired; None otherwise, and always without a secret.

    Never raises. The gateway, not this function, knows whether it was used already.
    """
    claim, _, mac = text.rpartition(".")
    macs = [_mac(each, claim) for each in accepted(secret)] if text.isascii() else []
    if not same(mac, macs):
        return None
    try:
        to, from_, trunk_id, expires_s, _ = json.loads(base64.urlsafe_b64decode(claim + "=="))
    except (binascii.Error, ValueError):
        return None  # signed, but by another version of this code
    return Ticket(to, from_, trunk_id, expires_s) if now_s < expires_s else None


def subject(text: str) -> str:
    """Return what the ticket's call counts for: its trunk, or else the number that it calls. Return
    the text itself if it is no ticket.

    The signature is not checked. It is for a front, which chooses who checks it: the same one for
    the same ticket.
    """
    try:
        claim = base64.urlsafe_b64decode(text.rpartition(".")[0] + "==")
        to, _, trunk_id, _, _ = json.loads(claim)
    except (ValueError, TypeError, RecursionError):
        return text
    return str(trunk_id or to)


def _mac(secret: str, claim: str) -> str:
    return _encoded(hmac.new(secret.encode(), _CONTEXT + claim.encode(), hashlib.sha256).digest())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
