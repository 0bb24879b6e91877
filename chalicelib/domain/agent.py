"""An agent that we dial: its URL, and the secret that its account shares with us for it.

The token is derived, not stored: only the version that counts is kept. An agent that has the token
can tell our WebSocket handshakes from anybody else's, in two ways:

    X-Twilio-Signature   as Twilio signs the handshake of a media stream: base64 of HMAC-SHA1 of
                         the URL, so that Twilio's own validators accept it
    X-Chamade-Signature  `v1=` and hex HMAC-SHA256 of "<timestamp>.<call id>.<url>", for agents that
                         check that it is not an old one

https://www.twilio.com/docs/usage/security#validating-requests
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field


def _agent_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    plain = text.isascii() and text.isprintable() and " " not in text and "#" not in text
    if not good or not plain:
        raise ValueError(
            "an agent URL begins with ws:// or wss://, names a host in ASCII and has no #fragment, "
            "as in wss://agent.example/calls"
        )
    return text


AgentUrl = Annotated[str, Field(max_length=2048), AfterValidator(_agent_url)]


MAX_WHY = 300
"""Characters that are kept of a relay's reason."""


def not_reached(why: str) -> str:
    """Return the sentence about an agent that was dialled in vain, for its owner; `why` is the
    relay's: "the connection was refused. Check …"
    """
    plain = "".join(char if char.isprintable() else " " for char in why[:MAX_WHY]).strip()
    end = "" if plain.endswith((".", "!", "?")) else "."
    return f"The agent at agent_url was not reached: {plain}{end}"


@dataclass(frozen=True)
class AgentToken:
    """The token, 32 hex characters, and its version (1, 2, …)."""

    token: str = field(repr=False)
    version: int


def derive(secret: str, account_id: str, version: int) -> AgentToken:
    """Return the account's token of that version; `secret` is the installation's
    (services/account/agent_token.py).
    """
    claim = f"agent-token:{account_id}:{version}"
    return AgentToken(_hex_mac(secret, claim)[:32], version)


def handshake_headers(token: str, url: str, call_id: str, now_s: int) -> dict[str, str]:
    """Return the headers with which a WebSocket to `url` is opened for a call, at `now_s` (epoch
    s).
    """
    twilio = hmac.new(token.encode(), url.encode(), hashlib.sha1).digest()
    return {
        "X-Twilio-Signature": base64.b64encode(twilio).decode(),
        "X-Chamade-Call-Id": call_id,
        "X-Chamade-Timestamp": str(now_s),
        "X-Chamade-Signature": f"v1={_hex_mac(token, f'{now_s}.{call_id}.{url}')}",
    }


def account_sid(account_id: str) -> str:
    """Return the account's SID, as an agent written for Twilio expects it: `AC` and 32 hex digits.
    Always the same for the same account; it is no secret and opens nothing.
    """
    return "AC" + hashlib.sha256(f"account-sid:{account_id}".encode()).hexdigest()[:32]


def _hex_mac(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
