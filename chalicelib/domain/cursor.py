"""Opaque, signed cursors: a place in a list, bound to one account and one list."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from chalicelib.domain.failure import Failure
from common.rotation import accepted, same, signing


class BadCursor(Failure, ValueError):
    """Not a cursor of ours, or of another account or list."""

    code = "bad_cursor"


def seal(secret: str, account_id: str, listing: str, place: str) -> str:
    """Return `place` as text that the account can hand back but neither make nor change."""
    mac = _mac(signing(secret), account_id, listing, place)
    return base64.urlsafe_b64encode(mac + place.encode()).decode().rstrip("=")


def unseal(secret: str, account_id: str, listing: str, cursor: str) -> str:
    """Return the place in `cursor`. Raises BadCursor if it was not sealed for this account and
    list.
    """
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        mac, place = raw[:16], raw[16:].decode()
    except (binascii.Error, UnicodeError) as error:
        raise BadCursor("not a cursor") from error
    if not same(mac, [_mac(each, account_id, listing, place) for each in accepted(secret)]):
        raise BadCursor("not a cursor of this list")
    return place


def _mac(secret: str, account_id: str, listing: str, place: str) -> bytes:
    message = f"cursor\n{account_id}\n{listing}\n{place}".encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()[:16]
