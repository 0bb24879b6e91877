"""`/dashboard` and the files that its page is made of: those of `dashboard/`, as they are.

Each is read once, when one is first asked for. A name is looked up among what was read, and is
never part of a path: there is nothing else to be had.
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

_SHUT = (
    "accelerometer", "autoplay", "camera", "display-capture", "geolocation", "gyroscope",
    "magnetometer", "midi", "payment", "publickey-credentials-get", "serial", "usb",
)  # fmt: skip

_HEADERS = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(["microphone=(self)", *(f"{name}=()" for name in _SHUT)]),
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page, and the strong `ETag` of exactly these bytes."""

    content: str
    content_type: str
    etag: str


@routes.route("/dashboard", methods=["GET", "HEAD"])
def dashboard() -> Response:
    """The page."""
    request, config = routes.current_request, bootstrap.config()
    if (request.context or {}).get("path", "").endswith("/"):
        # What it refers to would be looked for a folder too deep.
        return Response("", {"Location": f"{config.public_url}/dashboard"}, 308)
    return _answer(request, INDEX, {"Content-Security-Policy": _content_policy(config)})


@routes.route("/dashboard/{asset}", methods=["GET", "HEAD"])
def dashboard_asset(asset: str) -> Response:
    """One of its files. Not the page itself: its references lead from `/dashboard`."""
    return _answer(routes.current_request, "" if asset == INDEX else asset, {})


@functools.cache
def _assets() -> dict[str, Asset]:
    """All of them by name."""
    found = {}
    for path in FOLDER.iterdir():
        if path.suffix in _TYPES:
            content = path.read_text("utf-8")
            digest = hashlib.sha256(content.encode()).hexdigest()
            found[path.name] = Asset(content, _TYPES[path.suffix], f'"{digest[:32]}"')
    return found


def _answer(request: Request, name: str, more: dict[str, str]) -> Response:
    asset = _assets().get(name)
    if asset is None:
        raise known("not_found")
    headers: dict[str, str | list[str]] = {**_HEADERS, **more, "ETag": asset.etag}
    if _has(request.headers.get("if-none-match", ""), asset.etag):
        return Response("", headers, 304)
    headers["Content-Type"] = asset.content_type
    return Response(asset.content, headers)  # of which the server keeps the body from HEAD


def _has(if_none_match: str, etag: str) -> bool:
    """Whether the asker has it already (RFC 9110, 13.1.2)."""
    listed = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return etag in listed or listed == ["*"]


def _content_policy(config: Config) -> str:
    """What the page may load, and whom it may talk to: us, the relay, the gateway's sockets."""
    sockets = [_origin(url) for url in (config.relay_url, config.gateway_socket_url) if url]
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            " ".join(["connect-src 'self'", *dict.fromkeys(sockets)]),
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
