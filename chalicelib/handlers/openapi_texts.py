"""Texts of the API's description, besides those of the operations."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.delivery import DELIVERY_ID
from chalicelib.domain.endpoint import ENDPOINT_ID
from chalicelib.domain.idempotency import KEPT_S
from chalicelib.domain.recording import RECORDING_ID
from chalicelib.domain.trunk_fields import NAME_PATTERN

ABOUT = """\
A phone line for AI agents. Calls to your numbers ring here; your agent accepts them, hears and \
speaks raw audio over a WebSocket, and dials out through your own SIP trunk.

Send your API key as `X-API-Key`, or as `Authorization: Bearer`. `POST /api/account` gives you the \
first one. Times are RFC 3339 UTC with milliseconds; phone numbers are E.164 (`+33199005678`). \
Members of a body and parameters of a query that are not described here are errors.

Errors are RFC 9457 `application/problem+json`; decide by `code`, which is stable. Things of other \
accounts answer 404.

To take a call: `list_events` with `wait`, or a webhook endpoint, tells of `call.ringing`; \
`accept_call` answers it; open `audio.url` with `Authorization: Bearer <audio.token>`."""

TAGS = {
    "account": "Open an account; see its limits.",
    "keys": "API keys.",
    "recordings": "Recordings of calls: start, pause and stop them, read their files.",
    "calls": "Dial, see calls, answer, refuse, hang up, hold, transfer.",
    "clips": "Audio of yours that callers hear on hold.",
    "speech": "What is said in calls: speak, read the transcript, press keys.",
    "numbers": "Routing numbers from the pool of this installation.",
    "trunks": "SIP trunks of your own, and their numbers (DIDs). `/api/trunk` is the one `main`.",
    "events": "What happened, by long poll.",
    "test-calls": "Calling a number of yours from a browser.",
    "service": "What this installation offers.",
    "session": "Signing in to the dashboard (`/dashboard`). Programs need none of it.",
    "endpoints": "Webhooks: URLs of your own that events are posted to, signed.",
}

SESSION = """\
The dashboard's cookie, in place of an API key. It counts only with the header \
`X-Chamade-Session: 1`, and from a page of this API itself (`Sec-Fetch-Site`, `Origin`): else 403 \
`cross_site`. With an API key it is ignored."""

IDEMPOTENCY_KEY = (
    "A value of your own for this request, such as a UUID. Sent again with it, the request is "
    f"done once and answered the same; kept {KEPT_S // 3600} hours."
)

_E164 = {
    "description": "the number, E.164",
    "schema": {"type": "string", "pattern": r"^\+[1-9][0-9]{6,14}$"},
    "example": "+33199005678",
}

PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "call_id": {
        "description": "the call",
        "schema": {"type": "string", "pattern": f"^{CALL_ID.pattern}$"},
        "example": "call_kqjtvrudv2eky6h5hflyw7sv2e",
    },
    "delivery_id": {
        "description": "the delivery",
        "schema": {"type": "string", "pattern": f"^{DELIVERY_ID.pattern}$"},
        "example": "dlv_x7q2mwz4kqjtvrudv2eky6h5hf",
    },
    "recording_id": {
        "description": "the recording",
        "schema": {"type": "string", "pattern": f"^{RECORDING_ID.pattern}$"},
        "example": "rec_kqjtvrudv2eky6h5hflyw7sv2e_01",
    },
    "e164": _E164,
    "endpoint_id": {
        "description": "the webhook endpoint",
        "schema": {"type": "string", "pattern": f"^{ENDPOINT_ID.pattern}$"},
        "example": "ep_kqjtvrudv2eky6h5hflyw7sv2e",
    },
    "name": {
        "description": "the trunk, or the clip",
        "schema": {"type": "string", "pattern": NAME_PATTERN},
        "example": "main",
    },
    "key_id": {
        "description": "the key's id (not the key)",
        "schema": {"type": "string", "pattern": "^key_[0-9a-f]{16}$"},
        "example": "key_0f1e2d3c4b5a6978",
    },
}
"""Descriptions of the parameters in paths. A new one has to be described here first."""

PROBLEM: dict[str, Any] = {
    "description": "What went wrong (RFC 9457). Some codes have further members.",
    "type": "object",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:chamade:problem:call_not_found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable: decide by it."},
        "detail": {"type": "string", "description": "For people: what would help."},
        "errors": {
            "type": "array",
            "description": "`invalid`: what is wrong where.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "call": {
            "type": "object",
            "description": "The call as it is, where one stood in the way (without its audio).",
        },
        "limit": {"type": "integer", "description": "How much there may be."},
    },
}
