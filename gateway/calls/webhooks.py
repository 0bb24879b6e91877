"""Signed requests to the application: documents to run, and status callbacks.

All HTTP requests to the customer are made here. The call waits for a document; an application that
fails or is late is asked again, where Twilio would ask a fallback URL. A status callback is sent
beside the call and given up after a few attempts.
Sources: https://www.twilio.com/docs/usage/webhooks/webhooks-security,
https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import aiohttp
import yarl
from twilio.request_validator import RequestValidator

from common.rotation import signing
from gateway.config import Config
from gateway.errors import (
    CONTENT_TYPE,
    HTTP_RETRIEVAL,
    HTTP_TIMEOUT,
    RESPONSE_TOO_LONG,
    CallFailedError,
)
from gateway.telemetry import logs
from gateway.telemetry.metrics import Metrics
from gateway.twiml.verbs import MAX_BYTES, Method

_TWIML_TYPES = ("text/xml", "application/xml", "text/html")


PAUSES_S = (0.5, 1.0, 2.0, 4.0)
"""Pauses before a document is asked for again; the last one repeats."""
BEHIND_S, BEHIND_REQUESTS = 10.0, 16
"""The application is behind once so many requests for documents are that old."""
MAX_PENDING = 5000
"""Limit of the status callbacks that wait for an answer or the next attempt."""


class Webhooks:
    """The client that posts to the application, over one keep-alive session."""

    def __init__(self, session: aiohttp.ClientSession, config: Config, metrics: Metrics) -> None:
        self._session = session
        self._config = config
        self._metrics = metrics
        self._validator = RequestValidator(signing(config.auth_token))
        self._pending: set[asyncio.Task[None]] = set()
        self._overflowing = False
        self._asked: dict[int, float] = {}
        """The beginnings of the requests for documents that are under way, the oldest first."""
        self._numbers = itertools.count()

    @property
    def behind(self) -> bool:
        """Return whether the application has left so many requests for documents without an answer
        for so long that new calls would only make it worse.
        """
        since = next(itertools.islice(self._asked.values(), BEHIND_REQUESTS - 1, None), None)
        return since is not None and time.monotonic() - since > BEHIND_S

    def signature(self, url: str, params: Mapping[str, str] | None = None) -> str:
        """Return the `X-Twilio-Signature` of a request to `url` with these form fields."""
        return str(self._validator.compute_signature(url, dict(params or {})))

    async def document(self, url: str, method: Method, params: Mapping[str, str]) -> bytes:
        """Return the TwiML that the application answers; b"" for an empty answer.

        An application that cannot be reached, takes too long or answers 408, 429 or 5xx is asked
        again until `webhook_patience` is over. Raises CallFailedError then, and at once if the
        answer is another that is no 2xx, is longer than 64 kB, or not XML.
        """
        self._metrics.webhooks["voice"] += 1
        token = str(uuid.uuid4())
        give_up_at = time.monotonic() + self._config.webhook_patience
        for pause in itertools.chain(PAUSES_S, itertools.repeat(PAUSES_S[-1])):
            try:
                return await self._ask(url, method, params, token)
            except CallFailedError as failure:
                self._metrics.webhook_errors["voice"] += 1
                if not failure.passing or time.monotonic() + pause > give_up_at:
                    raise
                log = logs.of_call(__name__, params["CallSid"])
                log.warning("asked again in %g s: %s", pause, failure)
            await asyncio.sleep(pause)
        raise AssertionError("the pauses never end")

    async def _ask(self, url: str, method: Method, params: Mapping[str, str], token: str) -> bytes:
        """Ask for a document once, or twice if there was no connection. CallFailedError."""
        number = next(self._numbers)
        self._asked[number] = time.monotonic()
        where = _public(url)
        try:
            async with asyncio.timeout(self._config.webhook_timeout):
                try:
                    return await self._request(url, method, params, token)
                except aiohttp.ClientConnectionError:
                    # Try once more: a keep-alive connection may have been closed just now.
                    return await self._request(url, method, params, token)
        except TimeoutError:
            what = f"no answer from {where} in time"
            raise CallFailedError(HTTP_TIMEOUT, what, passing=True) from None
        except aiohttp.ClientError as error:
            what = f"{where}: {type(error).__name__}"
            raise CallFailedError(HTTP_RETRIEVAL, what, passing=True) from None
        except ValueError as error:
            raise CallFailedError(HTTP_RETRIEVAL, f"{where}: {type(error).__name__}") from None
        finally:
            del self._asked[number]

    def notify(self, url: str, method: Method, params: Mapping[str, str]) -> None:
        """Send a status callback without waiting for it, with a few retries.

        Beyond the limit of waiting callbacks none is added: an application that is so late asks for
        the call itself.
        """
        self._metrics.webhooks["status"] += 1
        if len(self._pending) >= MAX_PENDING:
            if not self._overflowing:
                log = logs.of_call(__name__, params["CallSid"])
                log.error("%d status callbacks wait; further ones are dropped", MAX_PENDING)
            self._overflowing = True
            self._metrics.webhook_errors["status"] += 1
            return
        self._overflowing = False
        task = asyncio.create_task(self._notify(url, method, params))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def drain(self, seconds: float) -> None:
        """Wait for outstanding status callbacks, then drop them."""
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
        # A fragment only sets Twilio's retries: it is neither sent nor signed.
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
                status = response.status
                passing = status in (408, 429) or status >= 500
                raise CallFailedError(
                    HTTP_RETRIEVAL, f"{_public(url)} answered {status}", passing=passing
                )
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
    """Return a URL for the log: without credentials, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
