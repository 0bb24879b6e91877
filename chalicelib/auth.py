"""Who is asking: the account behind the API key of the current request."""

from __future__ import annotations

from chalice.app import Request

from chalicelib.problems import Problem
from chalicelib.services.accounts import account_of
from chalicelib.services.ports import Ports


def account(ports: Ports, request: Request) -> str:
    """The account id. The key comes as `X-API-Key` or `Authorization: Bearer`. Problem 401."""
    clear = request.headers.get("x-api-key", "")
    if not clear:
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        clear = rest if scheme.lower() == "bearer" else ""
    account_id = account_of(ports, clear.strip()) if clear else None
    if account_id is None:
        raise Problem(
            401,
            "bad_key",
            "No valid API key",
            "Send your key in the X-API-Key header." if not clear else "This key opens nothing.",
            headers={"WWW-Authenticate": 'Bearer realm="chamade"'},
        )
    return account_id
