"""The application behind Chalice's own test client, on a `World`; webhooks with real signatures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from chalice.test import Client, HTTPResponse
from twilio.request_validator import RequestValidator

from chalicelib import bootstrap
from chalicelib.config import Config
from chalicelib.providers.browser_calls import BrowserCalls
from chalicelib.providers.twilio import TwilioAccount, TwilioProvider
from common import control
from tests.support.object_store import storage
from tests.support.world import World

PUBLIC_URL = "https://api.test/api"
RELAY_URL = "wss://relay.test"
TRUNK = {"host": "sip.carrier.example", "username": "acct42", "password": "s3cret-pw"}
"""The settings of a trunk that an owner must give."""
GATEWAY_SOCKET_URL = "wss://gateway.test"
AUTH_TOKEN = "auth-token-of-the-tests"
CONTROL_SECRET = "control-secret-of-the-tests"
GATEWAY_CONTROL_SECRET = "gateway-control-secret-of-the-tests"


class RecordingTwilio(TwilioProvider):
    """A provider with Twilio's dialect whose REST requests are recorded instead of sent."""

    def __init__(self, world: World) -> None:
        super().__init__(
            TwilioAccount("gateway", "AC" + "0" * 32, AUTH_TOKEN, PUBLIC_URL, RELAY_URL)
        )
        self.dial = world.provider.dial  # type: ignore[method-assign]
        self.steer = world.provider.steer  # type: ignore[method-assign]
        self.hang_up = world.provider.hang_up  # type: ignore[method-assign]
        self.status = world.provider.status  # type: ignore[method-assign]
        self.detects_answer = world.provider.detects_answer


class Api:
    """A client that sends requests as clients outside do."""

    def __init__(self, client: Client, world: World) -> None:
        self._client, self.world = client, world

    def call(
        self, method: str, path: str, body: Any = None, key: str | None = None, **headers: str
    ) -> HTTPResponse:
        """Send a REST request with the world's own key (or another: '' for none)."""
        key = self.world.key if key is None else key
        sent = {
            "Content-Type": "application/json",
            **headers,
            **({"X-API-Key": key} if key else {}),
        }
        raw = b"" if body is None else json.dumps(body).encode()
        return self._client.http.request(method, path, headers=sent, body=raw)

    def raw(self, method: str, path: str, body: bytes, **headers: str) -> HTTPResponse:
        """Send any request."""
        return self._client.http.request(method, path, headers=headers, body=body)

    def webhook(
        self,
        kind: str,
        form: dict[str, str],
        signature: str | None = None,
        dialled: str | None = None,
    ) -> HTTPResponse:
        """Send a provider's post, signed as Twilio signs unless a signature is given; `dialled` is
        the call of ours that its URL names.
        """
        path = f"/webhooks/gateway/{kind}" + (f"?call={dialled}" if dialled else "")
        signed = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + path, form)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": signed if signature is None else signature,
        }
        return self.raw("POST", path, urlencode(form).encode(), **headers)

    def control(
        self, path: str, body: dict[str, Any], secret: str = CONTROL_SECRET
    ) -> HTTPResponse:
        """Send a relay's post, signed now."""
        import time

        raw = json.dumps(body).encode()
        signature = control.sign(secret, path, raw, int(time.time()))
        headers = {"Content-Type": "application/json", control.HEADER: signature}
        return self.raw("POST", path, raw, **headers)


@contextmanager
def serving(world: World, monkeypatch: Any) -> Iterator[Api]:
    """Run the application of `app.py` on the world's table."""
    from dataclasses import replace

    import app

    deps = replace(
        world.deps,
        providers={"gateway": RecordingTwilio(world)},
        settings=replace(world.deps.settings, relay_url=RELAY_URL),
        test_calls=BrowserCalls(GATEWAY_SOCKET_URL, GATEWAY_CONTROL_SECRET),
        recordings=storage(),
    )
    settings = Config("t", PUBLIC_URL, RELAY_URL, "arn", "s", CONTROL_SECRET)
    settings = replace(
        settings,
        gateway_control_secret=GATEWAY_CONTROL_SECRET,
        gateway_socket_url=GATEWAY_SOCKET_URL,
    )
    monkeypatch.setattr(bootstrap, "dependencies", lambda: deps)
    monkeypatch.setattr(bootstrap, "config", lambda: settings)
    with Client(app.app) as client:
        yield Api(client, world)


def problem(response: HTTPResponse) -> tuple[int, str]:
    """Check that an answer has the form of a problem; return its status and code."""
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json_body
    assert body["status"] == response.status_code
    assert body["type"] == f"urn:chamade:problem:{body['code']}"
    return response.status_code, body["code"]
