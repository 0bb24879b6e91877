"""`/openapi.json` and `/docs`: the description of the API, for programs and for people."""

from __future__ import annotations

import base64
import functools
import hashlib

from chalice.app import Blueprint, Response

from chalicelib import bootstrap

routes = Blueprint(__name__)

_KEPT = "public, max-age=300"


@routes.route("/openapi.json", methods=["GET"])
def openapi_document() -> Response:
    """Serve the API's description as OpenAPI 3.1."""
    return Response(_document(), {"Cache-Control": _KEPT})


@routes.route("/docs", methods=["GET"])
def docs() -> Response:
    """Serve the same description for people. The page loads nothing, and its policy forbids it
    to.
    """
    headers: dict[str, str | list[str]] = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": _KEPT,
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_style_hash()}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
    }
    return Response(_page(), headers)


@functools.cache
def _document() -> dict[str, object]:
    from chalicelib.handlers import openapi

    return openapi.document(bootstrap.config().public_url)


@functools.cache
def _page() -> str:
    from chalicelib.handlers import docs_page

    return docs_page.page(_document())


@functools.cache
def _style_hash() -> str:
    from chalicelib.handlers import docs_page

    return base64.b64encode(hashlib.sha256(docs_page.STYLE.encode()).digest()).decode()
