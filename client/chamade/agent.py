"""Verify that Chamade opens a socket to your agent (`agent_url`). Before you accept the WebSocket:

   call_id = chamade.agent.verify(token, "wss://agent.example/calls", request.headers)
The token is that of your account (`client.account.agent_token`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

from chamade.errors import BadSignature
from chamade.webhooks import TOLERANCE_S, fresh


def verify(
    token: str,
    url: str,
    headers: Mapping[str, str],
    *,
    now: float | None = None,
    tolerance_s: float = TOLERANCE_S,
) -> str:
    """Verify a handshake; return the id of the call for which the socket is opened. `url`: your
    `agent_url` as it was set, with its query; not what a proxy made of it. Raises BadSignature if a
    signature is not ours, or older than five minutes.

    `X-Twilio-Signature` is base64 of HMAC-SHA1 of the URL, as for Twilio's media streams, and
    always the same. `X-Chamade-Signature` is `v1=` and hex HMAC-SHA256 of `TIMESTAMP.CALL_ID.URL`.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        twilio, ours = lower["x-twilio-signature"], lower["x-chamade-signature"]
        sent_at, call_id = lower["x-chamade-timestamp"], lower["x-chamade-call-id"]
    except KeyError as missing:
        raise BadSignature(f"the header {missing.args[0]} is missing") from None
    sha1 = base64.b64encode(hmac.new(token.encode(), url.encode(), hashlib.sha1).digest())
    signed = f"{sent_at}.{call_id}.{url}".encode()
    sha256 = b"v1=" + hmac.new(token.encode(), signed, hashlib.sha256).hexdigest().encode()
    same_url = hmac.compare_digest(twilio.encode(), sha1)
    same_call = hmac.compare_digest(ours.encode(), sha256)
    if not (same_url and same_call):
        raise BadSignature("the socket is not opened with this token, or for another URL")
    if not fresh(sent_at, time.time() if now is None else now, tolerance_s):
        raise BadSignature("the signature is too old, or this machine's clock is wrong")
    return call_id
