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
from chalicelib.domain.dialling import NotDialled
from chalicelib.domain.phone import BadNumber
from chalicelib.services.accounts import LastKey, UnknownKey
from chalicelib.services.dial import NotPlaced
from chalicelib.services.media import BadToken, CallOver, NotActive, OwnedElsewhere
from chalicelib.services.numbers import PoolEmpty, TooManyNumbers, UnknownNumber
from chalicelib.services.transition import TooBusy, UnknownCall
from chalicelib.services.trunks import (
    NoTrunk,
    NumberTaken,
    PrivateHost,
    ProviderNotConfigured,
    TooManyConnects,
    TooManyDids,
    UnknownTrunk,
    VaultMissing,
)
from chalicelib.store.table import Contention
from chalicelib.store.vault import BadSeal, VaultUnavailable

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"


_NOT_DIALLED = {
    "no_trunk": (409, "No trunk is connected"),
    "trunk_not_registered": (409, "The trunk is not registered"),
    "country_not_allowed": (403, "Your trunk does not dial that country"),
    "premium_number": (403, "Such numbers are not dialled"),
    "too_many_dials": (429, "Too many calls at a time"),
    "dial_rate": (429, "Too many calls a minute"),
    "recently_declined": (429, "The called party has declined"),
    "wrong_host": (422, "Not your trunk's host"),
    "bad_number": (422, "Not a number that can be dialled"),
    "bad_caller_id": (422, "Not a number that you may call from"),
    "no_caller_id": (422, "No number to call from"),
    "too_long": (422, "Longer than your calls may be"),
}
"""Codes of `NotDialled`: status and title."""


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
        case NotDialled(code=code, detail=detail, retry_after_s=retry_after_s, facts=facts):
            status, title = _NOT_DIALLED[code]
            wait = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
            return Problem(status, code, title, detail, headers=wait, **facts)
        case NotPlaced(call=call, why=why):
            return Problem(
                502,
                "provider_error",
                "The provider did not place the call",
                why or "Try again; if it stays so, tell the operator.",
                call=calls.public_view(call),
            )
        case NoTrunk():
            return Problem(
                404,
                "no_trunk",
                "No trunk is connected",
                'Connect yours: PUT /api/trunk {"host": "sip.carrier.example", "username": "…", '
                '"password": "…"}.',
            )
        case UnknownTrunk():
            return Problem(404, "trunk_not_found", "No such trunk")
        case NumberTaken(e164=e164, elsewhere=elsewhere):
            return Problem(
                409,
                "number_taken",
                "The number is added already",
                f"{e164} is added to another trunk of this provider."
                if elsewhere
                else f"{e164} is added to your trunk. PATCH /api/trunk/dids/{e164} changes it.",
            )
        case TooManyConnects(limit=limit, retry_after_s=retry_after_s):
            return Problem(
                429,
                "trunk_rate",
                "The trunk is connected too often",
                f"The limit is {limit} times an hour. The trunk stays as it was set last: see "
                "GET /api/trunk for how it is doing, and set all that is wrong with it at once.",
                headers={"Retry-After": str(retry_after_s)},
                limit=limit,
            )
        case TooManyDids(detail=detail):
            return Problem(409, "too_many_dids", "Too many numbers", detail)
        case ProviderNotConfigured():
            return Problem(
                409, "provider_not_configured", "Not possible with that provider", str(error)
            )
        case PrivateHost():
            return invalid(("host", str(error)))
        case VaultMissing():
            return Problem(
                503,
                "vault_missing",
                "No trunk can be connected here yet",
                "The operator has to say what seals passwords: CHAMADE_KMS_KEY_ID or "
                "CHAMADE_KEY_FILE.",
            )
        case VaultUnavailable() | BadSeal():
            log.error("vault: %s", error)
            return Problem(
                503,
                "vault_unavailable",
                "The trunk's password cannot be sealed or opened now",
                "Try again; if it stays so, tell the operator.",
                headers={"Retry-After": "5"},
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
