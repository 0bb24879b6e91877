"""Errors as clients see them: RFC 9457 problem+json with a stable `code`.

A failure of a service has a code (`domain/failure.py`); status and title are those of
`problem_codes.py`, the sentences those of `problem_texts.py`.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from chalice.app import Response
from pydantic import ValidationError

from chalicelib.domain.call import Call, public_view
from chalicelib.domain.failure import Failure
from chalicelib.problem_codes import CODES
from chalicelib.problem_texts import DETAILS, REMEDIES, Sentence
from chalicelib.wrong_values import what_is_wanted

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
    """Return the problem of that code, with its status and title as in `CODES`, and the detail of
    `DETAILS` if that needs no facts.
    """
    status, title = CODES[code]
    usual = DETAILS.get(code, "")
    if not detail and isinstance(usual, str) and "{" not in usual:
        detail = usual
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return Problem(status, code, title, detail, headers, **extra)


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
            return invalid(*_each_field(error))
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


_ALTERNATIVE = re.compile(r"bool|str|constrained-str|function-\w+\[.*\]")
"""Names that pydantic gives to the alternatives of a field, such as a text or true."""


def _each_field(error: ValidationError) -> list[tuple[str, str]]:
    """Return each field with what is wanted; one that takes several kinds of values has one
    sentence.
    """
    wanted: dict[tuple[str, bool], list[str]] = {}
    for place, each in enumerate(error.errors()):
        path = [str(part) for part in each["loc"]]
        several = len(path) > 1 and _ALTERNATIVE.fullmatch(path[-1]) is not None
        field = ".".join(path[:-1] if several else path)
        # Two errors of a field with one kind of value stay two.
        key = (field, True) if several else (f"{place} {field}", False)
        wanted.setdefault(key, []).append(what_is_wanted(each))
    return [
        (key if several else key.partition(" ")[2], ", or ".join(dict.fromkeys(texts)))
        for (key, several), texts in wanted.items()
    ]
