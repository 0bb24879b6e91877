"""What is particular to browsers: which origins are ours, whose page a request is from, and the
cookie of the dashboard's session.

Browsers send a cookie whoever makes them ask. So it counts only with a header of our own, which a
page of another site could send no sooner than we had answered its browser's preflight, and nothing
here does (docs/api.md).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from chalice.app import Request

from chalicelib import bootstrap
from chalicelib.problems import known

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

COOKIE = "chamade_session"
HEADER = "X-Chamade-Session"


def ours(request: Request) -> tuple[list[str], list[str]]:
    """The hosts and origins that are this API: as configured, and as API Gateway calls it, which
    answers under its own name, too. A loopback address has several names.
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
    """Problem 403 unless the request is from a page of ours, for all that the browser says."""
    headers = request.headers
    if headers.get(HEADER.lower()) != "1":
        raise known("cross_site", f"A cookie counts only with the header {HEADER}: 1.")
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site not in (None, "same-origin"):
        raise known("cross_site", f"Sec-Fetch-Site is {site[:32]!r}, not 'same-origin'.")
    if origin is not None and origin not in ours(request)[1]:
        raise known("cross_site", "The Origin is not that of this API.")


def session_token(request: Request) -> str:
    """What the session's cookie holds; "" without one. Two of them are none: one would be of a
    neighbouring host's making, and which one nobody can tell.
    """
    pairs = (each.strip().partition("=") for each in request.headers.get("cookie", "").split(";"))
    found = [value for name, _, value in pairs if name == COOKIE]
    return found[0] if len(found) == 1 else ""


def set_cookie(token: str, lasts_s: int) -> str:
    """The header `Set-Cookie` that keeps a session's token, or with 0 s clears it."""
    secure = "" if bootstrap.config().public_url.startswith("http://") else "; Secure"
    kept = f"{COOKIE}={token}; Max-Age={lasts_s}; Path=/"
    return f"{kept}; HttpOnly; SameSite=Strict{secure}"
