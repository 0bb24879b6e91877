"""Signed requests to the application: documents to run, and status callbacks.

The only place that talks HTTP to the customer. A document is waited for and retried once if no
connection came about; a status callback runs beside the call and gives up after a few tries.
Sources: https://www.twilio.com/docs/usage/webhooks/webhooks-security,
https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import aiohttp
import yarl
from twilio.request_validator import RequestValidator

from gateway import logs
from gateway.config import Config
from gateway.errors import (
    CONTENT_TYPE,
    HTTP_RETRIEVAL,
    HTTP_TIMEOUT,
    RESPONSE_TOO_LONG,
    CallFailedError,
)
from gateway.metrics import Metrics
from gateway.twiml import MAX_BYTES, Method
from wire.rotation import signing

_TWIML_TYPES = ("text/xml", "application/xml", "text/html")


class Webhooks:
    """Posts to the application over one keep-alive session."""

    def __init__(self, session: aiohttp.ClientSession, config: Config, metrics: Metrics) -> None:
        self._session = session
        self._config = config
        self._metrics = metrics
        self._validator = RequestValidator(signing(config.auth_token))
        self._pending: set[asyncio.Task[None]] = set()

    def signature(self, url: str, params: Mapping[str, str] | None = None) -> str:
        """`X-Twilio-Signature` for a request to `url` with these form fields."""
        return str(self._validator.compute_signature(url, dict(params or {})))

    async def document(self, url: str, method: Method, params: Mapping[str, str]) -> bytes:
        """The TwiML that the application answers; b"" for an empty answer.

        CallFailedError: unreachable twice, slower than the time-out in all, no 2xx, longer than
        64 kB, or not XML.
        """
        self._metrics.webhooks["voice"] += 1
        token = str(uuid.uuid4())
        try:
            async with asyncio.timeout(self._config.webhook_timeout):
                try:
                    return await self._request(url, method, params, token)
                except aiohttp.ClientConnectionError:
                    # Once more: also what a keep-alive connection that just went away needs.
                    return await self._request(url, method, params, token)
        except TimeoutError:
            failure = CallFailedError(HTTP_TIMEOUT, f"no answer from {_public(url)} in time")
        except (aiohttp.ClientError, ValueError) as error:
            failure = CallFailedError(HTTP_RETRIEVAL, f"{_public(url)}: {type(error).__name__}")
        except CallFailedError as error:
            failure = error
        self._metrics.webhook_errors["voice"] += 1
        raise failure

    def notify(self, url: str, method: Method, params: Mapping[str, str]) -> None:
        """Sends a status callback without waiting for it, with a few retries."""
        self._metrics.webhooks["status"] += 1
        task = asyncio.create_task(self._notify(url, method, params))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def drain(self, seconds: float) -> None:
        """Waits for outstanding status callbacks, then drops them."""
        if self._pending:
            await asyncio.wait(self._pending, timeout=seconds)
        for task in list(self._pending):
            task.cancel()

    async def _notify(self, url: str, method: Method, params: Mapping[str, str]) -> None:
        log = logs.of_call(__name__, params["CallSid"])
        token = str(uuid.uuid4())
        for pause in (*self._config.status_retries, None):
            try:
                async with asyncio.timeout(self._config.webhook_timeout):
                    await self._request(url, method, params, token, wants_twiml=False)
                    return
            except (aiohttp.ClientError, TimeoutError, ValueError, CallFailedError) as error:
                self._metrics.webhook_errors["status"] += 1
                log.warning(
                    "status callback %s failed: %s",
                    params["CallStatus"],
                    error if isinstance(error, CallFailedError) else type(error).__name__,
                    extra={"url": _public(url), "error_code": HTTP_RETRIEVAL},
                )
            if pause is not None:
                await asyncio.sleep(pause)

    async def _request(
        self,
        url: str,
        method: Method,
        params: Mapping[str, str],
        token: str,
        *,
        wants_twiml: bool = True,
    ) -> bytes:
        # A fragment tunes retries on Twilio's side: it is neither sent nor signed.
        url = url.partition("#")[0]
        form: Mapping[str, str] | None = params
        if method == "GET":
            url += ("&" if urlsplit(url).query else "?") + urlencode(params)
            form = None
        headers = {
            "X-Twilio-Signature": self.signature(url, form),
            "I-Twilio-Idempotency-Token": token,
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
        }
        async with self._session.request(
            method,
            yarl.URL(url, encoded=True),  # byte for byte what was signed
            data=form,
            headers=headers,
            allow_redirects=False,
        ) as response:
            body = await _read(response)
            if not 200 <= response.status < 300:
                raise CallFailedError(HTTP_RETRIEVAL, f"{_public(url)} answered {response.status}")
            if wants_twiml and body.strip() and response.content_type not in _TWIML_TYPES:
                raise CallFailedError(
                    CONTENT_TYPE, f"{_public(url)} answered {response.content_type}, not XML"
                )
            return body


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BYTES:
            raise CallFailedError(RESPONSE_TOO_LONG, "the answer is longer than 64 kB")
    return bytes(body)


def _public(url: str) -> str:
    """A URL for the log: without credentials, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
