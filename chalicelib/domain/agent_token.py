"""The secret that an account shares with us for the agents we dial, and what is signed with it.

The token is derived, not stored: what is kept is which version of it counts. An agent that has it
can tell our WebSocket handshakes from anybody else's, in two ways:

    X-Twilio-Signature   as Twilio signs the handshake of a media stream: base64 of HMAC-SHA1 of
                         the URL, so that Twilio's own validators accept it
    X-Chamade-Signature  `v1=` and hex HMAC-SHA256 of "<timestamp>.<call id>.<url>", for agents that
                         want to know that it is not last week's

https://www.twilio.com/docs/usage/security#validating-requests
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True)
class AgentToken:
    """The token, 32 hex characters, and its version (1, 2, …)."""

    token: str = field(repr=False)
    version: int


def derive(secret: str, account_id: str, version: int) -> AgentToken:
    """The account's token of that version; `secret` is the installation's
    (services/agent_token.py)."""
    claim = f"agent-token:{account_id}:{version}"
    return AgentToken(_hex_mac(secret, claim)[:32], version)


def handshake_headers(token: str, url: str, call_id: str, now_s: int) -> dict[str, str]:
    """The headers with which a WebSocket to `url` is opened for a call, at `now_s` (epoch s)."""
    twilio = hmac.new(token.encode(), url.encode(), hashlib.sha1).digest()
    return {
        "X-Twilio-Signature": base64.b64encode(twilio).decode(),
        "X-Chamade-Call-Id": call_id,
        "X-Chamade-Timestamp": str(now_s),
        "X-Chamade-Signature": f"v1={_hex_mac(token, f'{now_s}.{call_id}.{url}')}",
    }


def account_sid(account_id: str) -> str:
    """The account as an agent written for Twilio expects it: `AC` and 32 hex digits. Always the
    same for the same account; no secret, and no key to anything.
    """
    return "AC" + hashlib.sha256(f"account-sid:{account_id}".encode()).hexdigest()[:32]


def _hex_mac(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
