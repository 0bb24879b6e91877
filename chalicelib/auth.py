"""Authentication: find the account of the current request by its API key or its session cookie."""

from __future__ import annotations

from chalice.app import Request

from chalicelib import browser
from chalicelib.problems import Problem, known
from chalicelib.services.account import sessions
from chalicelib.services.account.accounts import account_of
from chalicelib.services.dependencies import Dependencies


def account(deps: Dependencies, request: Request) -> str:
    """Return the account id. The key comes as `X-API-Key` or `Authorization: Bearer`. Raises
    Problem 401.
    """
    clear = _key(request)
    account_id = account_of(deps, clear.strip()) if clear else None
    if account_id is None:
        raise bad_key(
            "Send your key in the X-API-Key header."
            if not clear
            else "This key opens nothing. Send a valid one in the X-API-Key header."
        )
    return account_id


def account_or_session(deps: Dependencies, request: Request) -> str:
    """Return the account id. With a key the cookie is ignored. Raises Problem 401, or 403
    `cross_site`.
    """
    if _key(request) or not browser.session_token(request):
        return account(deps, request)
    return session(deps, request).key.account_id


def session(deps: Dependencies, request: Request) -> sessions.Session:
    """Return the session of the request's cookie. Raises Problem 401, or 403 `cross_site`."""
    browser.refuse_cross_site(request)
    token = browser.session_token(request)
    found = sessions.current(deps, token) if token else None
    if found is None:
        raise bad_key("The session is over: sign in again." if token else "Nobody is signed in.")
    return found


def bad_key(detail: str) -> Problem:
    """Return the problem of a request without a valid key: 401."""
    problem = known("bad_key", detail)
    problem.headers["WWW-Authenticate"] = 'Bearer realm="chamade"'
    return problem


def _key(request: Request) -> str:
    clear: str = request.headers.get("x-api-key", "")
    if not clear:
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        clear = rest if scheme.lower() == "bearer" else ""
    return clear
