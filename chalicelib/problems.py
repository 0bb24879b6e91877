"""Errors as the outside sees them: RFC 9457 problem+json with a stable `code`.

`problem_from` is the one place that knows which failure of a service is which HTTP answer.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from chalice.app import Response
from pydantic import ValidationError

from chalicelib.domain import call as calls
from chalicelib.domain.cursor import BadCursor
from chalicelib.domain.phone import BadNumber
from chalicelib.services.accounts import LastKey, UnknownKey
from chalicelib.services.media import BadToken, CallOver, NotActive, OwnedElsewhere
from chalicelib.services.numbers import PoolEmpty, TooManyNumbers, UnknownNumber
from chalicelib.services.transition import TooBusy, UnknownCall
from chalicelib.store.table import Contention

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """An answer that says what went wrong. `extra` becomes members of the document."""

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
        self.headers, self.extra = headers or {}, extra

    def document(self) -> dict[str, Any]:
        """The problem+json document."""
        return {
            "type": f"urn:chamade:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            **({"detail": self.detail} if self.detail else {}),
            **self.extra,
        }

    def response(self) -> Response:
        """As Chalice sends it."""
        headers: dict[str, str | list[str]] = {
            "Content-Type": CONTENT_TYPE,
            "Cache-Control": "no-store",
            **self.headers,
        }
        return Response(json.dumps(self.document()), headers, self.status)


def problem_from(error: Exception) -> Problem:  # noqa: PLR0911, PLR0912 - a table
    """The problem that a failure is. What nobody foresaw is logged and told as a bare 500."""
    match error:
        case Problem():
            return error
        case calls.Refused(call=call, code=code, detail=detail):
            return Problem(409, code, "Not possible", detail, call=calls.public_view(call))
        case UnknownCall():
            return Problem(404, "call_not_found", "No such call")
        case UnknownNumber():
            return Problem(404, "number_not_found", "You hold no such number")
        case UnknownKey():
            return Problem(404, "key_not_found", "No such key")
        case LastKey():
            return Problem(
                409,
                "last_key",
                "That is the account's last key",
                "Create another key first, then revoke this one.",
            )
        case PoolEmpty():
            return Problem(
                409,
                "pool_empty",
                "No number is free",
                f"The pool holds no free number of country {error}. The operator can add some.",
            )
        case TooManyNumbers(limit=limit):
            return Problem(
                409,
                "too_many_numbers",
                "You hold as many numbers as you may",
                f"The limit is {limit}; release one first.",
            )
        case BadCursor():
            return Problem(
                400, "bad_cursor", "Bad cursor", "Use a cursor as this list returned it, or none."
            )
        case BadNumber():
            return invalid(("number", str(error)))
        case ValidationError():
            return invalid(*((_where(e["loc"]), e["msg"]) for e in error.errors()))
        case BadToken():
            return Problem(403, "bad_token", "The token opens nothing")
        case NotActive():
            return Problem(409, "not_active", "The call is not answered")
        case OwnedElsewhere():
            return Problem(409, "owned_elsewhere", "Another relay holds this call")
        case CallOver(call=call):
            return Problem(410, "call_over", "The call is over", call=calls.public_view(call))
        case TooBusy() | Contention():
            return Problem(
                503, "too_busy", "Too much at once", "Try again.", headers={"Retry-After": "1"}
            )
        case _:
            log.error("unforeseen error", exc_info=error)
            return Problem(500, "internal_error", "Something went wrong here")


def invalid(*errors: tuple[str, str]) -> Problem:
    """422: fields and what is wrong with each."""
    listed = [{"field": field, "message": message} for field, message in errors]
    detail = "; ".join(f"{field}: {message}" if field else message for field, message in errors)
    return Problem(422, "invalid", "The request is not valid", detail, errors=listed)


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)
