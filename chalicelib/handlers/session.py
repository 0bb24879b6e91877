"""`/api/session`: signing in to the dashboard, for a cookie that its scripts cannot read."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from chalicelib.auth import bad_key
from chalicelib.domain.account import account_view, key_view
from chalicelib.domain.instant import to_text
from chalicelib.domain.session_token import LASTS_S
from chalicelib.domain.shape import Strict
from chalicelib.handlers import views
from chalicelib.handlers.operation import Answer, Asked, Limit, NoBody, NoQuery, Operations
from chalicelib.services import accounts, sessions

operations = Operations("session")


class SignIn(Strict):
    """Who signs in."""

    api_key: str = Field(
        min_length=1, max_length=200, description="an API key of yours", examples=["chmd_live_…"]
    )


@operations.post(
    "/api/session",
    body=SignIn,
    answer=views.Session,
    location=lambda _: "/api/session",
    problems=("bad_key",),
    example={"api_key": "chmd_live_…"},
    open=True,
    session=True,
    limit=Limit("sign_in", 20, 600, overall=5000),
)
def sign_in(asked: Asked[SignIn, NoQuery]) -> Answer:
    """Sign in to the dashboard: a key once, for a cookie from then on.

    The cookie holds no key and lasts 12 hours; it is over at once when its key is revoked.
    """
    begun = sessions.begin(asked.ports, asked.body.api_key.strip())
    if begun is None:
        raise bad_key("This key opens nothing.")
    found, token = begun
    asked.browser.keep(token, LASTS_S)
    return _view(asked, found)


@operations.get("/api/session", answer=views.Session, session=True)
def get_session(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Who is signed in, by which key and until when."""
    assert asked.browser.session is not None  # noqa: S101 - an operation that is not open has one
    return _view(asked, asked.browser.session)


@operations.delete("/api/session", open=True, session=True)
def sign_out(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Clear the cookie. Done, too, where nobody is signed in."""
    asked.browser.keep("", 0)
    return None


def _view(asked: Asked[Any, Any], found: sessions.Session) -> dict[str, Any]:
    account = account_view(accounts.account(asked.ports, found.key.account_id))
    return {
        "account_id": account["account_id"],
        "account_name": account["name"],
        "key": key_view(found.key),
        "expires_at": to_text(found.expires_s * 1000),
        "limits": account["limits"],
    }
