"""Sentences about problems, by code: what went wrong (`DETAILS`), for REST and MCP, and the request
of REST that would help (`REMEDIES`). MCP and the command line have remedies of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.domain.dial_rules import NotDialled
from chalicelib.domain.trunk_fields import MAIN
from chalicelib.services.line.trunks import NoTrunk, NumberTaken
from chalicelib.services.rate_limits import TooOften

MAX_LISTED = 20
"""Choices that a sentence lists; the answer has a member with all of them."""

_TELL_THE_OPERATOR = "Try again; if the error persists, tell the operator."


def _too_often(error: TooOften) -> str:
    times, span, wait_s = error.limit, _span(error.per_s), error.retry_after_s
    return f"This is possible {times} times in {span}; wait {wait_s} s."


def _own_number(error: NumberTaken) -> str:
    return "" if error.elsewhere else f"PATCH {_path(error.trunk)}/dids/{error.e164} changes it."


def _connect(error: NoTrunk | NotDialled) -> str:
    path = _path(getattr(error, "name", MAIN))
    settings = '{"host": "sip.carrier.example", "username": "…", "password": "…"}'
    return f"Connect yours: PUT {path} {settings}."


def _path(trunk: str) -> str:
    return "/api/trunk" if trunk == MAIN else f"/api/trunks/{trunk}"


def _number_taken(error: NumberTaken) -> str:
    if error.elsewhere:
        return (
            f"{error.e164} is added to another trunk: calls of both name the number only, so it "
            "can be on one of them."
        )
    return f"{error.e164} is already added to your trunk: nothing is left to do."


def _listed(choices: list[str]) -> str:
    shown = ", ".join(choices[:MAX_LISTED])
    return shown + (", …" if len(choices) > MAX_LISTED else "") if choices else "none"


Sentence = str | Callable[[Any], str]
"""A template of an error's attributes, or a function of the error."""

DETAILS: dict[str, Sentence] = {
    "bad_form": "Send a form, as application/x-www-form-urlencoded.",
    "bad_json": "Send JSON, as text in UTF-8.",
    "bad_signature": "Sign it with this installation's secret, and send it within minutes.",
    "bad_type": "Send JSON, with the header Content-Type: application/json.",
    "bad_request": "This is not a request that the service can read.",
    "clip_not_found": "Your account has no clip of this name.",
    "too_many_clips": "The limit is {limit}; delete one first.",
    "call_not_found": "Your account has no call with this id.",
    "endpoint_not_found": "Your account has no webhook endpoint with this id.",
    "foreign_host": "Send the request to the address that this installation is published at.",
    "foreign_origin": "Only pages of this installation may send such requests from a browser.",
    "internal_error": (
        "Something is wrong with the service. Check what has been done before you try again; if "
        "the error persists, tell the operator when it was."
    ),
    "key_not_found": "Your account has no API key with this id.",
    "method_not_allowed": "The header Allow names the methods that are possible here.",
    "no_such_route": "There is nothing at this path: /docs lists the requests that there are.",
    "not_found": "There is nothing at this address.",
    "bad_cursor": "Use a cursor as this list returned it, or none.",
    "bad_idempotency_key": "A key has 1 to 255 visible ASCII characters, none of them a space.",
    "delivery_not_found": "Deliveries are kept for 14 days.",
    "endpoint_disabled": "{error}",
    "hosted_voice_gated": (
        "Ask the operator of this installation to open it to your account. Until then make speech "
        "yourself, with a TTS of your choice, and stream it to audio.url."
    ),
    "hosted_voice_unavailable": (
        "This installation has no voice host, or none answers. Stream speech of your own to "
        "audio.url."
    ),
    "hosted_voice_busy": (
        "Each voice host has as many calls as it can take. Try again in a moment, or speak "
        "yourself on audio.url."
    ),
    "unknown_voice": lambda error: f"The voices are: {_listed(error.choices)}.",
    "unknown_language": lambda error: f"The languages are: {_listed(error.choices)}.",
    "media_timeout": (
        "The relay, or the voice host, did not answer in time. It may have been done all the same: "
        "events and the transcript tell."
    ),
    "media_unavailable": (
        "The relays do not answer, and the call goes on. Try again; if the error persists, tell "
        "the operator."
    ),
    "no_media": (
        "No stream of the call is up at the moment, or no voice host is on it yet: try again in a "
        "second."
    ),
    "not_hosted": (
        "An agent speaks and hears on this call's audio, not a voice host. Calls get a hosted "
        'voice when they are accepted or dialled: {{"voice": "hosted"}}.'
    ),
    "queue_full": (
        "Too much waits to be heard already. Wait until some of it is heard, or drop it: "
        "`interrupt`, or POST …/clear."
    ),
    "synthesis_failed": "The voice host could not speak this text. Try again, or in other words.",
    "not_recorded": "Start a recording first.",
    "recording_not_found": (
        "Your account has no recording with this id. Recordings are deleted after some time."
    ),
    "recording_not_over": "It goes on, or its file is being made: wait until it is ready.",
    "recording_unavailable": "This installation has no storage for recordings.",
    "recordings_full": (
        "Your recordings have the {limit} bytes that they may have together. Delete some first."
    ),
    "too_many_waits": (
        "{limit} of your requests wait already, and no more may wait at a time. Ask without "
        "waiting, or let one end."
    ),
    "too_much_said": "A call may have {limit} characters spoken. Nothing more is spoken in it.",
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
    "too_many_trunks": "The limit is {limit}; disconnect one first.",
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
    "call_not_found": "GET /api/calls lists your calls.",
    "endpoint_disabled": 'PATCH /api/webhooks/{{endpoint_id}} {{"enabled": true}} enables it.',
    "endpoint_not_found": "GET /api/webhooks lists your endpoints.",
    "key_not_found": "GET /api/keys lists your keys.",
    "number_not_found": "GET /api/numbers and GET /api/trunks list yours.",
    "not_recorded": 'POST /api/call/{{call_id}}/recording {{"action": "start"}} starts one.',
    "recording_not_found": "GET /api/call/{{call_id}}/recordings lists those of a call.",
    "recording_not_over": 'POST /api/call/{{call_id}}/recording {{"action": "stop"}} ends it.',
    "recordings_full": "DELETE /api/recording/{{recording_id}} deletes one.",
    "bad_caller_id": "PUT /api/trunk sets its caller_id, POST /api/trunk/dids adds a number.",
    "country_not_allowed": "PUT /api/trunk sets allowed_countries.",
    "no_caller_id": "PUT /api/trunk sets the trunk's caller_id.",
    "no_trunk": _connect,
    "number_reserved": "POST /api/number activates a routing number.",
    "number_taken": _own_number,
    "trunk_not_registered": "GET /api/trunks shows its status.",
    "trunk_rate": "GET /api/trunk shows its status.",
    "too_many_trunks": "DELETE /api/trunks/{{name}} disconnects one.",
    "wrong_host": "PUT /api/trunks/{{name}} connects another trunk.",
}
"""Requests that would help, by code."""


def _span(seconds: int) -> str:
    return {60: "a minute", 3600: "an hour", 86400: "a day"}.get(seconds, f"{seconds} s")
