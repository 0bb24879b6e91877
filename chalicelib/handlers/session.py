"""`/api/session`: sign in to the dashboard, by a cookie that its scripts cannot read."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from chalicelib.auth import bad_key
from chalicelib.domain.account import account_view, key_view
from chalicelib.domain.instant import to_text
from chalicelib.domain.model import Strict
from chalicelib.domain.session_token import LASTS_S
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, Limit, NoBody, NoQuery, Operations, Request
from chalicelib.services.account import accounts, sessions

operations = Operations("session")

SIGN_INS, SIGN_INS_OF_ALL = 20, 5000
"""Limits in ten minutes: for one source address, and for all addresses together."""


class SignIn(Strict):
    """A key to sign in with."""

    api_key: str = Field(
        min_length=1, max_length=200, description="an API key of yours", examples=["chmd_live_…"]
    )


@operations.post(
    "/api/session",
    body=SignIn,
    answer=views.Session,
    location=lambda *_: "/api/session",
    problems=("bad_key",),
    example={"api_key": "chmd_live_…"},
    open=True,
    session=True,
    limit=Limit("sign_in", SIGN_INS, 600, overall=SIGN_INS_OF_ALL),
)
def sign_in(request: Request[SignIn, NoQuery]) -> Answer:
    """Sign in to the dashboard: send a key once, and get a cookie for later requests.

    The cookie holds no key and lasts 12 hours; it ends at once when its key is revoked.
    """
    session_and_token = sessions.begin(request.deps, request.body.api_key.strip())
    if session_and_token is None:
        raise bad_key("This key opens nothing.")
    found, token = session_and_token
    request.browser.keep(token, LASTS_S)
    return _view(request, found)


@operations.get("/api/session", answer=views.Session, session=True)
def get_session(request: Request[NoBody, NoQuery]) -> Answer:
    """Show the session: its account, its key and its end."""
    assert request.browser.session is not None  # noqa: S101 - an operation that is not open has one
    return _view(request, request.browser.session)


@operations.delete("/api/session", open=True, session=True)
def sign_out(request: Request[NoBody, NoQuery]) -> Answer:
    """Clear the cookie. Succeeds also if nobody is signed in."""
    request.browser.keep("", 0)
    return None


def _view(request: Request[Any, Any], found: sessions.Session) -> dict[str, Any]:
    account = account_view(accounts.account(request.deps, found.key.account_id))
    return {
        "account_id": account["account_id"],
        "account_name": account["name"],
        "key": key_view(found.key),
        "expires_at": to_text(found.expires_s * 1000),
        "limits": account["limits"],
    }
