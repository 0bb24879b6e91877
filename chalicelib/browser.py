"""Cross-site checks and the session cookie: our own origins, the page that a request comes from,
and the dashboard's cookie.

Browsers send a cookie with requests of any site's page. So it counts only with a header of our own:
a page of another site could send it only if we had answered its browser's preflight request, which
we never do (docs/api.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chalice.app import Request

from chalicelib import bootstrap
from chalicelib.problems import known

if TYPE_CHECKING:
    from chalicelib.services.account.sessions import Session

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

COOKIE = "chamade_session"
HEADER = "X-Chamade-Session"


class Browser:
    """The cookie of an operation of the session: the `session` of the request's cookie, and the
    cookie of the answer.
    """

    def __init__(self, session: Session | None = None) -> None:
        self.session = session
        self.cookie: str | None = None

    def keep(self, token: str, lasts_s: int) -> None:
        """Set the cookie to the session's token, or with 0 s clear it."""
        self.cookie = set_cookie(token, lasts_s)


def ours(request: Request) -> tuple[list[str], list[str]]:
    """Return the hosts and origins of this API: as configured, and API Gateway's own name for it. A
    loopback address has several names.
    """
    public = urlsplit(bootstrap.config().public_url)
    names = {public.netloc}
    if public.hostname in ("127.0.0.1", "localhost"):
        port = f":{public.port}" if public.port else ""
        names |= {name + port for name in LOOPBACK}
    gateways = (request.context or {}).get("domainName")
    if gateways:
        names.add(str(gateways))
    return sorted(names), sorted(f"{public.scheme}://{name}" for name in names)


def refuse_cross_site(request: Request) -> None:
    """Refuse a request that is not from a page of ours, by all that the browser says. Raises
    Problem 403.
    """
    headers = request.headers
    if headers.get(HEADER.lower()) != "1":
        raise known("cross_site", f"A cookie counts only with the header {HEADER}: 1.")
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site not in (None, "same-origin"):
        raise known("cross_site", f"Sec-Fetch-Site is {site[:32]!r}, not 'same-origin'.")
    if origin is not None and origin not in ours(request)[1]:
        raise known("cross_site", "The Origin is not that of this API.")


def session_token(request: Request) -> str:
    """Return the content of the session's cookie; "" without one, and with two, since a
    neighbouring host may have set one of them.
    """
    pairs = (each.strip().partition("=") for each in request.headers.get("cookie", "").split(";"))
    found = [value for name, _, value in pairs if name == COOKIE]
    return found[0] if len(found) == 1 else ""


def set_cookie(token: str, lasts_s: int) -> str:
    """Return the header `Set-Cookie` that keeps a session's token, or with 0 s clears it."""
    secure = "" if bootstrap.config().public_url.startswith("http://") else "; Secure"
    kept = f"{COOKIE}={token}; Max-Age={lasts_s}; Path=/"
    return f"{kept}; HttpOnly; SameSite=Strict{secure}"
