"""HTTP Basic authentication with the account SID and auth token: the only credential of the
gateway's own API."""

from __future__ import annotations

import base64
import binascii
from typing import Any, cast

from aiohttp import web

from common.rotation import accepted, same
from gateway.config import Config
from runtime.strangers import note_known


def allowed(config: Config, authorization: str | None) -> bool:
    """Return whether an `Authorization` header holds the right SID and token, in constant time."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
    return same(given, [f"{config.account_sid}:{each}" for each in accepted(config.auth_token)])


def basic(account_sid: str, auth_token: str) -> str:
    """Return the value of the `Authorization` header, for clients."""
    return "Basic " + base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()


def note_known_clients(config: Config) -> Any:
    """Return a middleware that marks the connections of the account's holder as known."""

    @web.middleware
    async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
        if allowed(config, request.headers.get("Authorization")):
            note_known(request)
        return cast(web.StreamResponse, await handler(request))

    return middleware
