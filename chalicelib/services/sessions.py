"""Sessions of the dashboard: a browser shows a key once, and a cookie from then on."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain import session_token
from chalicelib.domain.account import ApiKey
from chalicelib.services import accounts
from chalicelib.services.ports import Ports


@dataclass(frozen=True)
class Session:
    """Who is signed in: by which key, and until when (epoch s)."""

    key: ApiKey
    expires_s: int


def begin(ports: Ports, clear: str) -> tuple[Session, str] | None:
    """A session of whoever shows a key, and its token. None: the key opens nothing."""
    key = accounts.key_of(ports, clear)
    if key is None:
        return None
    expires_s = ports.now() // 1000 + session_token.LASTS_S
    token = session_token.issue(ports.token_secret, key.hash, expires_s)
    return Session(key, expires_s), token


def current(ports: Ports, token: str) -> Session | None:
    """The session of a token. None: forged or expired, or its key has been revoked."""
    found = session_token.check(ports.token_secret, token, ports.now() // 1000)
    key = accounts.key_with(ports, found[0]) if found else None
    return Session(key, found[1]) if found and key else None
