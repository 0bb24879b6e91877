"""Errors as clients see them: RFC 9457 problem+json with a stable `code`.

A failure of a service has a code (`domain/failure.py`); status and title are those of
`problem_codes.py`. `DETAILS` describes the problem, for REST and MCP; `REMEDIES` names the request
of REST that would help. MCP and the command line have remedies of their own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from chalice.app import Response
from pydantic import ValidationError

from chalicelib.domain.call import Call, public_view
from chalicelib.domain.failure import Failure
from chalicelib.problem_codes import CODES
from chalicelib.services.line.trunks import NumberTaken
from chalicelib.services.rate_limits import TooOften

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
UNAVAILABLE_S = 5
"""Seconds after which a request may be sent again that failed since a service was unavailable."""


class Problem(Exception):
    """An answer that says what went wrong. `remedy` names a request of the REST API that would
    help; `extra` becomes members of the document.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or title)
        self.status, self.code, self.title, self.detail = status, code, title, detail
        self.remedy = ""
        self.headers, self.extra = headers or {}, extra

    def document(self) -> dict[str, Any]:
        """Return the problem+json document."""
        detail = " ".join(filter(None, (self.detail, self.remedy)))
        return {
            "type": f"urn:chamade:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            **({"detail": detail} if detail else {}),
            **self.extra,
        }

    def response(self) -> Response:
        """Return the problem as Chalice's response."""
        headers: dict[str, str | list[str]] = {
            "Content-Type": CONTENT_TYPE,
            "Cache-Control": "no-store",
            **self.headers,
        }
        return Response(json.dumps(self.document()), headers, self.status)


def known(
    code: str, detail: str = "", *, retry_after_s: int | None = None, **extra: Any
) -> Problem:
    """Return the problem of that code, with its status and title as in `CODES`."""
    status, title = CODES[code]
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return Problem(status, code, title, detail, headers, **extra)


_TELL_THE_OPERATOR = "Try again; if the error persists, tell the operator."


def _too_often(error: TooOften) -> str:
    times, span, wait_s = error.limit, _span(error.per_s), error.retry_after_s
    return f"This is possible {times} times in {span}; wait {wait_s} s."


def _own_number(error: NumberTaken) -> str:
    return "" if error.elsewhere else f"PATCH /api/trunk/dids/{error.e164} changes it."


def _number_taken(error: NumberTaken) -> str:
    if error.elsewhere:
        return f"{error.e164} is added to another trunk of this provider."
    return f"{error.e164} is added to your trunk."


Sentence = str | Callable[[Any], str]
"""A template of an error's attributes, or a function of the error."""

DETAILS: dict[str, Sentence] = {
    "bad_cursor": "Use a cursor as this list returned it, or none.",
    "bad_idempotency_key": "1 to 255 visible ASCII characters, no spaces.",
    "delivery_not_found": "Deliveries are kept for 14 days.",
    "endpoint_disabled": "{error}",
    "hosted_voice_gated": (
        "Ask the operator of this installation to open it to your account. Until then make speech "
        "yourself, with a TTS of your choice, and stream it to audio.url."
    ),
    "hosted_voice_unavailable": (
        "This installation runs no speech host. Stream speech of your own to audio.url."
    ),
    "idempotency_in_flight": "Send the same request again in a moment, to get the answer.",
    "idempotency_key_reused": (
        "An Idempotency-Key stands for one request, its body included: use a new one for another."
    ),
    "idempotency_unknown": (
        "The earlier request was interrupted, and may have done its work. Check whether it has; if "
        "not, send the request with a new key."
    ),
    "last_key": "Create another key first, then revoke this one.",
    "number_reserved": (
        "{e164} is a routing number of this installation: calls to it ring at the account that has "
        "activated it, and it is no trunk's number or caller ID. Use a number of your carrier's."
    ),
    "number_taken": _number_taken,
    "pool_empty": ("The pool holds no free number of country {error}. The operator can add some."),
    "private_url": "{error}",
    "provider_error": _TELL_THE_OPERATOR,
    "provider_not_configured": "{error}",
    "sign_up_closed": "Only the operator of this installation opens accounts: ask for one.",
    "test_calls_unavailable": "{error}",
    "too_busy": "Try again.",
    "too_many_endpoints": "The limit is {limit}; delete one first.",
    "too_many_keys": "The limit is {limit}; revoke one first.",
    "too_many_numbers": "The limit is {limit}; release one first.",
    "too_many_polls": (
        "{limit} of your requests wait for events already, and no more may wait at a time. Let one "
        "reader hand out events to the others, or ask without `wait`."
    ),
    "too_many_requests": _too_often,
    "trunk_rate": (
        "The limit is {limit} times an hour. The trunk keeps its last settings. Correct all that "
        "is wrong with it in one request."
    ),
    "unavailable": _TELL_THE_OPERATOR,
    "vault_missing": (
        "The operator has to set a key that seals secrets: CHAMADE_KMS_KEY_ID or CHAMADE_KEY_FILE."
    ),
    "vault_unavailable": _TELL_THE_OPERATOR,
}
"""Details by code, for failures that have none of their own."""

REMEDIES: dict[str, Sentence] = {
    "bad_caller_id": "PUT /api/trunk sets its caller_id, POST /api/trunk/dids adds a number.",
    "country_not_allowed": "PUT /api/trunk sets allowed_countries.",
    "no_caller_id": "PUT /api/trunk sets the trunk's caller_id.",
    "no_trunk": (
        'Connect yours: PUT /api/trunk {{"host": "sip.carrier.example", "username": "…", '
        '"password": "…"}}.'
    ),
    "number_reserved": "POST /api/number activates a routing number.",
    "number_taken": _own_number,
    "trunk_not_registered": "GET /api/trunk shows its status.",
    "trunk_rate": "GET /api/trunk shows its status.",
    "wrong_host": "PUT /api/trunk connects another trunk.",
}
"""Requests that would help, by code."""


def problem_from(error: Exception) -> Problem:
    """Return the problem of an error. An unforeseen error is logged and becomes a plain 500."""
    match error:
        case Problem():
            return error
        case Failure(field=str() as field):
            return invalid((field, str(error)))
        case Failure():
            return _problem_of(error)
        case ValidationError():
            return invalid(*((_where(e["loc"]), e["msg"]) for e in error.errors()))
        case _:
            log.error("unforeseen error", exc_info=error)
            return known("internal_error")


def _problem_of(failure: Failure) -> Problem:
    if failure.logged_as:
        log.error(failure.logged_as, failure)
    wait_s = UNAVAILABLE_S if failure.logged_as else failure.retry_after_s
    members = {
        name: public_view(value) if isinstance(value, Call) else value
        for name, value in failure.members().items()
    }
    detail = failure.detail or _sentence(DETAILS, failure)
    problem = known(failure.code, detail, retry_after_s=wait_s, **members)
    problem.remedy = _sentence(REMEDIES, failure)
    problem.status = failure.status or problem.status
    problem.title = failure.title or problem.title
    return problem


def _sentence(sentences: dict[str, Sentence], failure: Failure) -> str:
    found = sentences.get(failure.code, "")
    return (
        found.format(error=failure, **vars(failure)) if isinstance(found, str) else found(failure)
    )


def invalid(*errors: tuple[str, str]) -> Problem:
    """Return the problem of invalid fields, with what is wrong with each: 422."""
    listed = [{"field": field, "message": message} for field, message in errors]
    detail = "; ".join(f"{field}: {message}" if field else message for field, message in errors)
    return known("invalid", detail, errors=listed)


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)


def _span(seconds: int) -> str:
    return {60: "a minute", 3600: "an hour", 86400: "a day"}.get(seconds, f"{seconds} s")
