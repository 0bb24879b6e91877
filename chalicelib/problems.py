"""Errors as the outside sees them: RFC 9457 problem+json with a stable `code`.

`problem_from` is the one place that knows which failure of a service is which HTTP answer; the
statuses and titles are those of `problem_codes.py`.
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
from chalicelib.domain.endpoint import PlainHttp, PrivateUrl
from chalicelib.domain.idempotency import BadIdempotencyKey
from chalicelib.domain.phone import BadNumber
from chalicelib.problem_codes import CODES
from chalicelib.services.accounts import LastKey, SignUpClosed, TooManyKeys, UnknownKey
from chalicelib.services.deliveries import UnknownDelivery
from chalicelib.services.dial import NotPlaced
from chalicelib.services.endpoints import EndpointDisabled, TooManyEndpoints, UnknownEndpoint
from chalicelib.services.idempotency import InFlight, KeyReused, OutcomeUnknown
from chalicelib.services.media import BadToken, CallOver, NotActive, OwnedElsewhere
from chalicelib.services.numbers import PoolEmpty, TooManyNumbers, UnknownNumber
from chalicelib.services.rate_limits import TooOften
from chalicelib.services.say import VoiceGated, VoiceUnavailable
from chalicelib.services.test_calls import TestCallsUnavailable
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
from chalicelib.store.secrets import SecretsUnavailable
from chalicelib.store.table import Contention, TableUnavailable
from chalicelib.store.vault import BadSeal, VaultUnavailable

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
UNAVAILABLE_S = 5
"""Seconds to wait for what is not there just now. Those who ask have waited for our retries."""


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


def known(
    code: str, detail: str = "", *, retry_after_s: int | None = None, **extra: Any
) -> Problem:
    """The problem of that code, with its status and title as in `CODES`."""
    status, title = CODES[code]
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return Problem(status, code, title, detail, headers, **extra)


def problem_from(error: Exception) -> Problem:  # noqa: PLR0911, PLR0912, PLR0915 - a table
    """The problem that a failure is. What nobody foresaw is logged and told as a bare 500."""
    match error:
        case Problem():
            return error
        case calls.Refused(call=call, code=code, detail=detail):
            return known(code, detail, call=calls.public_view(call))
        case UnknownCall():
            return known("call_not_found")
        case UnknownNumber():
            return known("number_not_found")
        case UnknownKey():
            return known("key_not_found")
        case LastKey():
            return known("last_key", "Create another key first, then revoke this one.")
        case TooManyKeys(limit=limit):
            return known("too_many_keys", f"The limit is {limit}; revoke one first.", limit=limit)
        case SignUpClosed():
            return known(
                "sign_up_closed",
                "Whoever runs this installation opens accounts: ask them for one.",
            )
        case TooOften(limit=limit, per_s=per_s, retry_after_s=retry_after_s):
            return known(
                "too_many_requests",
                f"This is possible {limit} times in {_span(per_s)}; wait {retry_after_s} s.",
                retry_after_s=retry_after_s,
                limit=limit,
            )
        case InFlight(retry_after_s=retry_after_s):
            return known(
                "idempotency_in_flight",
                "Its answer will be there in a moment: send the same request again.",
                retry_after_s=retry_after_s,
            )
        case BadIdempotencyKey():
            return known("bad_idempotency_key", "1 to 255 visible ASCII characters, no spaces.")
        case KeyReused():
            return known(
                "idempotency_key_reused",
                "An Idempotency-Key stands for one request, its body included: use a new one for "
                "another.",
            )
        case OutcomeUnknown():
            return known(
                "idempotency_unknown",
                "It ended in the middle, and may have done what it was to do. Look whether it "
                "has; if not, send the request with a new key.",
            )
        case VoiceGated():
            return known(
                "hosted_voice_gated",
                "Ask the operator of this installation to open it to your account. Until then "
                "make speech yourself, with a TTS of your choice, and stream it to audio.url.",
            )
        case VoiceUnavailable():
            return known(
                "hosted_voice_unavailable",
                "This installation runs no speech host. Stream speech of your own to audio.url.",
            )
        case PoolEmpty():
            return known(
                "pool_empty",
                f"The pool holds no free number of country {error}. The operator can add some.",
            )
        case TooManyNumbers(limit=limit):
            return known("too_many_numbers", f"The limit is {limit}; release one first.")
        case NotDialled(code=code, detail=detail, retry_after_s=retry_after_s, facts=facts):
            problem = known(code, detail, retry_after_s=retry_after_s, **facts)
            # Nothing is missing where the request went; the account is not ready for it.
            problem.status = 409 if code == "no_trunk" else problem.status
            return problem
        case NotPlaced(call=call, why=why):
            return known(
                "provider_error",
                why or "Try again; if it stays so, tell the operator.",
                call=calls.public_view(call),
            )
        case NoTrunk():
            return known(
                "no_trunk",
                'Connect yours: PUT /api/trunk {"host": "sip.carrier.example", "username": "…", '
                '"password": "…"}.',
            )
        case UnknownTrunk():
            return known("trunk_not_found")
        case NumberTaken(e164=e164, elsewhere=elsewhere):
            return known(
                "number_taken",
                f"{e164} is added to another trunk of this provider."
                if elsewhere
                else f"{e164} is added to your trunk. PATCH /api/trunk/dids/{e164} changes it.",
            )
        case TooManyConnects(limit=limit, retry_after_s=retry_after_s):
            return known(
                "trunk_rate",
                f"The limit is {limit} times an hour. The trunk stays as it was set last: see "
                "GET /api/trunk for how it is doing, and set all that is wrong with it at once.",
                retry_after_s=retry_after_s,
                limit=limit,
            )
        case TooManyDids(detail=detail):
            return known("too_many_dids", detail)
        case ProviderNotConfigured():
            return known("provider_not_configured", str(error))
        case TestCallsUnavailable():
            return known("test_calls_unavailable", str(error))
        case PrivateHost():
            return invalid(("host", str(error)))
        case UnknownEndpoint():
            return known("endpoint_not_found")
        case UnknownDelivery():
            return known("delivery_not_found", "Deliveries are kept for 14 days.")
        case EndpointDisabled():
            return known("endpoint_disabled", str(error))
        case TooManyEndpoints(limit=limit):
            return known(
                "too_many_endpoints", f"The limit is {limit}; delete one first.", limit=limit
            )
        case PrivateUrl():
            return known("private_url", str(error))
        case PlainHttp():
            return invalid(("url", str(error)))
        case VaultMissing():
            return known(
                "vault_missing",
                "The operator has to say what seals secrets: CHAMADE_KMS_KEY_ID or "
                "CHAMADE_KEY_FILE.",
            )
        case VaultUnavailable() | BadSeal():
            log.error("vault: %s", error)
            return known(
                "vault_unavailable",
                "Try again; if it stays so, tell the operator.",
                retry_after_s=UNAVAILABLE_S,
            )
        case SecretsUnavailable():
            log.error("secrets: %s", error)
            return known(
                "unavailable",
                "Try again; if it stays so, tell the operator.",
                retry_after_s=UNAVAILABLE_S,
            )
        case BadCursor():
            return known("bad_cursor", "Use a cursor as this list returned it, or none.")
        case BadNumber():
            return invalid(("number", str(error)))
        case ValidationError():
            return invalid(*((_where(e["loc"]), e["msg"]) for e in error.errors()))
        case BadToken():
            return known("bad_token")
        case NotActive():
            return known("not_active")
        case OwnedElsewhere(relay_url=relay_url):
            return known("owned_elsewhere", relay_url=relay_url)
        case CallOver(call=call):
            return Problem(410, "call_over", "The call is over", call=calls.public_view(call))
        case TooBusy() | Contention():
            return known("too_busy", "Try again.", retry_after_s=1)
        case TableUnavailable():
            return _unavailable(error)
        case _:
            log.error("unforeseen error", exc_info=error)
            return known("internal_error")


def _unavailable(error: TableUnavailable) -> Problem:
    log.error("table: %s", error)
    return known(
        "unavailable",
        "The data store does not answer, so whether anything was done is not known: look, or send "
        "the request again; if it stays so, tell the operator.",
        retry_after_s=UNAVAILABLE_S,
    )


def invalid(*errors: tuple[str, str]) -> Problem:
    """422: fields and what is wrong with each."""
    listed = [{"field": field, "message": message} for field, message in errors]
    detail = "; ".join(f"{field}: {message}" if field else message for field, message in errors)
    return known("invalid", detail, errors=listed)


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)


def _span(seconds: int) -> str:
    return {60: "a minute", 3600: "an hour", 86400: "a day"}.get(seconds, f"{seconds} s")
