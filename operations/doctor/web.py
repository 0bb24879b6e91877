"""An HTTP request for checks, which returns errors as values: checks report what clients see."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from common import control

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class HttpAnswer:
    """An answer. Status 0 means that there was none; `body` then says why."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    sent_at: float = 0.0
    took_s: float = 0.0

    def __str__(self) -> str:
        return self.body if not self.status else f"HTTP {self.status}"

    @property
    def clock_ahead_s(self) -> float | None:
        """Return by how many seconds the server's clock is ahead of ours, to a second; None if the
        answer has no Date."""
        try:
            theirs = parsedate_to_datetime(self.headers["date"]).timestamp()
        except (KeyError, TypeError, ValueError):
            return None
        # The header has whole seconds, rounded down.
        return theirs + 0.5 - (self.sent_at + self.took_s / 2)


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Refuse redirects: a redirect is no answer to a check."""


def ask(
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    login: tuple[str, str] | None = None,
) -> HttpAnswer:
    """Send a GET, or a POST if there is a form or body. `login`: user and password. Does not follow
    redirects."""
    given = dict(headers or {})
    data = urlencode(form).encode() if form is not None else body
    if login:
        given["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
    began, clock = time.monotonic(), time.time()
    try:
        request = Request(url, data=data, headers=given)  # noqa: S310 - the operator's own URLs
        try:
            answer = build_opener(_NoRedirects).open(request, timeout=TIMEOUT_S)
        except HTTPError as error:
            answer = error
        with answer:
            text = answer.read(1 << 20).decode(errors="replace")
            found = {name.lower(): value for name, value in answer.headers.items()}
            return HttpAnswer(answer.status, text, found, clock, time.monotonic() - began)
    except (OSError, ValueError) as error:
        return HttpAnswer(0, _why(error))


def post_signed(base: str, path: str, request: Mapping[str, Any], secret: str) -> HttpAnswer:
    """Post a control request, signed with `secret`."""
    body = json.dumps(request).encode()
    signature = control.sign(secret, path, body, int(time.time()))
    headers = {control.HEADER: signature, "Content-Type": "application/json"}
    return ask(base + path, body=body, headers=headers)


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"the certificate is refused: {reason.verify_message}"
    return f"no answer: {reason}"
