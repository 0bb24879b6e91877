"""Verify that Chamade sent a webhook: Standard Webhooks 1.0.0 (https://www.standardwebhooks.com).
Before you use anything of the body:

    event = chamade.webhooks.verify(secret, request.headers, request.body)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping

from chamade.decoding import decode
from chamade.errors import BadSignature
from chamade.models import Event

TOLERANCE_S = 300
_PREFIX = "whsec_"


def verify(
    secret: str,
    headers: Mapping[str, str],
    body: bytes | str,
    *,
    now: float | None = None,
    tolerance_s: float = TOLERANCE_S,
) -> Event:
    """Verify a webhook; return its event. `body`: exactly as it came; `headers`: in any case;
    `secret`: the endpoint's (`whsec_…`). Raises BadSignature if it was not signed with that in the
    last five minutes.

    `webhook-id` stays the same when a webhook is sent again: drop those whose id you have handled.
    """
    raw = body.encode() if isinstance(body, str) else body
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, sent_at = lower["webhook-id"], lower["webhook-timestamp"]
        signatures = lower["webhook-signature"].split()
    except KeyError as missing:
        raise BadSignature(f"the header {missing.args[0]} is missing") from None
    signed = f"{message_id}.{sent_at}.".encode() + raw
    expected = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    if not any(hmac.compare_digest(_bytes(one), expected) for one in signatures):
        raise BadSignature("the webhook is not signed with this secret")
    if not fresh(sent_at, time.time() if now is None else now, tolerance_s):
        raise BadSignature("the webhook is too old, or this machine's clock is wrong")
    return _event(message_id, raw)


def fresh(timestamp: str, now: float, tolerance_s: float) -> bool:
    """Return whether a time in a header (epoch seconds) is about now."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        return False
    return abs(now - int(timestamp)) <= tolerance_s


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a webhook's secret reads whsec_ and base64") from None


def _bytes(signature: str) -> bytes:
    version, _, text = signature.partition(",")
    try:
        return base64.b64decode(text, validate=True) if version == "v1" else b""
    except (binascii.Error, ValueError):
        return b""


def _event(message_id: str, body: bytes) -> Event:
    try:
        shown = json.loads(body)
        return decode(Event, {"event_id": message_id, "at": shown.get("timestamp"), **shown})
    except (ValueError, AttributeError, TypeError) as wrong:
        raise ValueError(f"signed, but no event of a version that is known here: {wrong}") from None
