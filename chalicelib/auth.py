"""Who is asking: the account behind the API key of the current request, or behind the cookie that
stands for one.
"""

from __future__ import annotations

from chalice.app import Request

from chalicelib import browser
from chalicelib.problems import Problem, known
from chalicelib.services import sessions
from chalicelib.services.accounts import account_of
from chalicelib.services.ports import Ports


def account(ports: Ports, request: Request) -> str:
    """The account id. The key comes as `X-API-Key` or `Authorization: Bearer`. Problem 401."""
    clear = _key(request)
    account_id = account_of(ports, clear.strip()) if clear else None
    if account_id is None:
        raise bad_key(
            "Send your key in the X-API-Key header." if not clear else "This key opens nothing."
        )
    return account_id


def account_or_session(ports: Ports, request: Request) -> str:
    """The account id. With a key the cookie is not looked at. Problem 401, or 403 `cross_site`."""
    if _key(request) or not browser.session_token(request):
        return account(ports, request)
    return session(ports, request).key.account_id


def session(ports: Ports, request: Request) -> sessions.Session:
    """The session of the request's cookie. Problem 401, or 403 `cross_site`."""
    browser.refuse_cross_site(request)
    token = browser.session_token(request)
    found = sessions.current(ports, token) if token else None
    if found is None:
        raise bad_key("The session is over: sign in again." if token else "Nobody is signed in.")
    return found


def bad_key(detail: str) -> Problem:
    """401."""
    problem = known("bad_key", detail)
    problem.headers["WWW-Authenticate"] = 'Bearer realm="chamade"'
    return problem


def _key(request: Request) -> str:
    clear: str = request.headers.get("x-api-key", "")
    if not clear:
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        clear = rest if scheme.lower() == "bearer" else ""
    return clear
