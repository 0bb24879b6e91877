"""Tickets for `/legs/call`: with one a browser may place this call at the gateway, once and soon,
without any other credential. The application issues them, the gateway takes them.

`<base64url of JSON>.<base64url HMAC-SHA256>`. What the ticket says is all there is to the call: who
holds it can choose nothing. The secret is that of the gateway's control requests; `_CONTEXT` keeps
a signature of one kind from being one of the other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass

from wire.rotation import accepted, same, signing

LIFE_S = 60

_CONTEXT = b"call-ticket."


@dataclass(frozen=True, slots=True)
class Ticket:
    """One call: who calls whom, and, where the number is a trunk's, through which trunk it is to
    seem to come. Good until `expires_s` (epoch).
    """

    to: str
    from_: str
    trunk_id: str | None
    expires_s: int


def issue(secret: str, ticket: Ticket) -> str:
    """The ticket as text. No two are the same, so that each can be used once."""
    said = [ticket.to, ticket.from_, ticket.trunk_id, ticket.expires_s, secrets.token_hex(8)]
    claim = _encoded(json.dumps(said).encode())
    return f"{claim}.{_mac(signing(secret), claim)}"


def read(secret: str, text: str, now_s: float) -> Ticket | None:
    """The ticket, if it is ours and not expired; else None, and always if there is no secret.
    Never raises. Whether it was used already is the gateway's to know.
    """
    claim, _, mac = text.rpartition(".")
    macs = [_mac(each, claim) for each in accepted(secret)] if text.isascii() else []
    if not same(mac, macs):
        return None
    try:
        to, from_, trunk_id, expires_s, _ = json.loads(base64.urlsafe_b64decode(claim + "=="))
    except (binascii.Error, ValueError):
        return None  # signed, but by another version of this
    return Ticket(to, from_, trunk_id, expires_s) if now_s < expires_s else None


def _mac(secret: str, claim: str) -> str:
    return _encoded(hmac.new(secret.encode(), _CONTEXT + claim.encode(), hashlib.sha256).digest())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
