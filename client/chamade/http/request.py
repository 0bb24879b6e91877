"""A request as a value, and the flow that gets it answered. No I/O.

A flow is a generator that yields the next step (`Send` a request, `Wait` a moment), gets its
outcome, and returns a result. The blocking and the asyncio client run the same flows.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from chamade.decoding import Page
from chamade.errors import ApiError, BadAnswer, Unreachable, api_error

Result = TypeVar("Result")
Item = TypeVar("Item")

TIMEOUT_S = 30.0
ATTEMPTS = 4
"""Times that a request that may be repeated is sent before its error is raised."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 10.0
LONGEST_RETRY_AFTER_S = 10.0
"""Longest Retry-After that is waited for; beyond it the error is raised at once."""

_PASSING = frozenset({429, 500, 502, 503, 504})
_FINAL_CODES = frozenset({"provider_error", "vault_missing", "hosted_voice_unavailable"})
"""Codes for which a repetition does not help."""


@dataclass(frozen=True)
class Request(Generic[Result]):
    """One request. `read` makes the result of the decoded answer; ValueError if it cannot.

    `creates`: a POST that makes something, so it carries an Idempotency-Key and may be repeated.
    `repeatable`: may be repeated though it is no GET. `keyless`: needs no API key.
    """

    method: str
    path: str
    read: Callable[[Any], Result]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    creates: bool = False
    idempotency_key: str | None = None
    repeatable: bool = False
    keyless: bool = False
    timeout_s: float = TIMEOUT_S


@dataclass(frozen=True)
class Send:
    """The step to send a request: path and query below the API's URL, further headers, and the
    body.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes | None
    keyless: bool
    timeout_s: float


@dataclass(frozen=True)
class Wait:
    """The step to wait for a time."""

    seconds: float


@dataclass(frozen=True)
class Reply:
    """The answer to a request. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Flow: TypeAlias = Generator[Send | Wait, Reply | Unreachable | None, Result]


def perform(request: Request[Result], attempts: int | None = ATTEMPTS) -> Flow[Result]:
    """Send a request; return its answer. Raises the answer's `ApiError`, BadAnswer, or Unreachable.

    What may be repeated without doing it twice (GET, and POSTs with an Idempotency-Key) is sent
    up to `attempts` times, None meaning for ever, with a growing pause.
    """
    send = _sending(request)
    safe = request.method == "GET" or "Idempotency-Key" in send.headers or request.repeatable
    tries = 0
    while True:
        outcome = yield send
        tries += 1
        try:
            return _result(request, outcome)
        except (Unreachable, ApiError) as error:
            last = attempts is not None and tries >= attempts
            wait = _pause(error, tries) if safe and not last else None
            if wait is None:
                raise
        yield Wait(wait)


def every(page_at: Callable[[str | None], Request[Page[Item]]]) -> Flow[list[Item]]:
    """Return all the items of a list."""
    items: list[Item] = []
    cursor = None
    while True:
        page = yield from perform(page_at(cursor))
        items += page.items
        if (cursor := page.next_cursor) is None:
            return items


def back_off(tries: int) -> float:
    """Return seconds to wait after so many failures: at random, so that not all clients come at
    once.
    """
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(tries - 1, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret


def _pause(error: Unreachable | ApiError, tries: int) -> float | None:
    """Return the seconds to wait before asking again; None if that would not help."""
    if isinstance(error, Unreachable):
        return back_off(tries)
    in_flight = error.code == "idempotency_in_flight"
    if not in_flight and (error.status not in _PASSING or error.code in _FINAL_CODES):
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= LONGEST_RETRY_AFTER_S else None
    # A limit that does not say when it ends does not end by itself.
    return None if error.status == 429 else back_off(tries)


def _sending(request: Request[Any]) -> Send:
    headers = {}
    key = request.idempotency_key or (str(uuid.uuid4()) if request.creates else None)
    if key is not None:
        headers["Idempotency-Key"] = key
    body = None
    if request.body is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(request.body).encode()
    query = {name: str(value) for name, value in request.query.items() if value is not None}
    return Send(
        request.method, request.path, query, headers, body, request.keyless, request.timeout_s
    )


def _result(request: Request[Result], outcome: Reply | Unreachable | None) -> Result:
    if not isinstance(outcome, Reply):
        raise outcome or Unreachable("nothing came back")
    if outcome.status >= 400:
        raise api_error(outcome.status, _problem(outcome), _retry_after(outcome))
    try:
        shown = json.loads(outcome.body) if outcome.body else None
        return request.read(shown)
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise BadAnswer(
            f"{request.method} {request.path}: HTTP {outcome.status}, but not the answer that this "
            f"client knows ({wrong}). Is CHAMADE_API_URL right, and this client new enough?"
        ) from None


def _problem(reply: Reply) -> Mapping[str, Any]:
    try:
        problem = json.loads(reply.body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _retry_after(reply: Reply) -> float | None:
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None
