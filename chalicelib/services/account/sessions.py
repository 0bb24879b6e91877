"""Sessions of the dashboard: a browser sends a key once, and a cookie from then on."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain import session_token
from chalicelib.domain.account import ApiKey
from chalicelib.services.account import accounts
from chalicelib.services.dependencies import Dependencies


@dataclass(frozen=True)
class Session:
    """A session of the dashboard: its key, and when it ends (epoch s)."""

    key: ApiKey
    expires_s: int


def begin(deps: Dependencies, clear: str) -> tuple[Session, str] | None:
    """Begin a session with a key; return it and its token. None: the key opens nothing."""
    key = accounts.key_of(deps, clear)
    if key is None:
        return None
    expires_s = deps.now() // 1000 + session_token.LASTS_S
    token = session_token.issue(deps.secrets.tokens, key.hash, expires_s)
    return Session(key, expires_s), token


def current(deps: Dependencies, token: str) -> Session | None:
    """Return the session of a token. None: the token is forged or expired, or its key has been
    revoked.
    """
    found = session_token.check(deps.secrets.tokens, token, deps.now() // 1000)
    key = accounts.key_with(deps, found[0]) if found else None
    return Session(key, found[1]) if found and key else None
