"""`/dashboard`, to which `/` leads, and the files of its page: those of `dashboard/`, as they are.

All are read once, when one is first asked for. A request's folder and name are looked up among what
was read, and are never part of a path: there is nothing else to be had.

A file's URL has its folder in it. With flat URLs a relative import, such as `../api/feed.js`,
would lead out of `/dashboard` in the browser, or files would have to be rewritten on the way; an
import map is an inline script, which the page's policy forbids. A parameter of a route matches one
segment, so folders have a second route: one more path in the description of the same REST API, and
no other AWS resource. API Gateway allows one variable below `/dashboard`, and may refuse an update
that renames it: so both routes call it `asset`, which is a file or a folder.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chalice.app import Blueprint, Request, Response

from chalicelib import bootstrap
from chalicelib.config import Config
from chalicelib.problems import known

routes = Blueprint(__name__)

FOLDER = Path(__file__).resolve().parents[2] / "dashboard"
"""Beside `chalicelib/`: in the project, and in Lambda, where Chalice unpacks `vendor/`."""

INDEX = "index.html"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_FORBIDDEN = (
    "accelerometer", "autoplay", "camera", "display-capture", "geolocation", "gyroscope",
    "magnetometer", "midi", "payment", "publickey-credentials-get", "serial", "usb",
)  # fmt: skip

_HEADERS = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(["microphone=(self)", *(f"{name}=()" for name in _FORBIDDEN)]),
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page, with the strong `ETag` of exactly these bytes."""

    content: str
    content_type: str
    etag: str


@routes.route("/", methods=["GET", "HEAD"])
def root() -> Response:
    """Lead whoever enters our bare address to the page. Not for ever (308), which browsers keep."""
    return Response("", {"Location": f"{bootstrap.config().public_url}/dashboard"}, 302)


@routes.route("/dashboard", methods=["GET", "HEAD"])
def dashboard() -> Response:
    """Answer with the page."""
    request, config = routes.current_request, bootstrap.config()
    if (request.context or {}).get("path", "").endswith("/"):
        # The page's relative links would be resolved one folder too deep.
        return Response("", {"Location": f"{config.public_url}/dashboard"}, 308)
    policy = _content_policy(config, _address_of_recordings())
    return _answer(request, "", INDEX, {"Content-Security-Policy": policy})


@routes.route("/dashboard/{asset}", methods=["GET", "HEAD"])
def dashboard_asset(asset: str) -> Response:
    """Answer with a file beside the page. Not the page itself: its references lead from
    `/dashboard`.
    """
    return _answer(routes.current_request, "", "" if asset == INDEX else asset, {})


@routes.route("/dashboard/{asset}/{name}", methods=["GET", "HEAD"])
def dashboard_module(asset: str, name: str) -> Response:
    """Answer with a file of one of the folders."""
    return _answer(routes.current_request, asset, name, {})


@functools.cache
def _assets() -> dict[tuple[str, str], Asset]:
    """Read all files, by folder ("" for those beside the page) and name."""
    found = {}
    for path in (*FOLDER.glob("*.*"), *FOLDER.glob("*/*.*")):
        if path.suffix in _TYPES:
            folder = "" if path.parent == FOLDER else path.parent.name
            content = path.read_text("utf-8")
            digest = hashlib.sha256(content.encode()).hexdigest()
            found[folder, path.name] = Asset(content, _TYPES[path.suffix], f'"{digest[:32]}"')
    return found


def _answer(request: Request, folder: str, name: str, more: dict[str, str]) -> Response:
    asset = _assets().get((folder, name))
    if asset is None:
        raise known("not_found")
    headers: dict[str, str | list[str]] = {**_HEADERS, **more, "ETag": asset.etag}
    if _names(request.headers.get("if-none-match", ""), asset.etag):
        return Response("", headers, 304)
    headers["Content-Type"] = asset.content_type
    return Response(asset.content, headers)  # after HEAD the server leaves the body out


def _names(if_none_match: str, etag: str) -> bool:
    """Return whether `If-None-Match` names the ETag (RFC 9110, 13.1.2)."""
    listed = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return etag in listed or listed == ["*"]


def _address_of_recordings() -> str | None:
    from chalicelib.services.call import recordings  # only the page itself needs it

    return recordings.address_of_files(bootstrap.dependencies())


def _content_policy(config: Config, recordings: str | None) -> str:
    """Return the page's Content-Security-Policy: it may load from us alone, talk to us, the relay
    and the gateway's sockets, and play what lies below the address of the recordings.
    """
    sockets = [_origin(url) for url in (config.relay_url, config.gateway_socket_url) if url]
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            " ".join(["connect-src 'self'", *dict.fromkeys(sockets)]),
            *([f"media-src {recordings}"] if recordings else []),
            "worker-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "require-trusted-types-for 'script'",
        )
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
