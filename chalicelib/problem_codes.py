"""Every code that a problem can have, with its status and title: for answers and their description.

A code is for good: clients decide by it. The detail is for people, and may change.
"""

from __future__ import annotations

CODES: dict[str, tuple[int, str]] = {
    # What any request may come to.
    "bad_request": (400, "Bad request"),
    "bad_json": (400, "The body is not JSON"),
    "bad_form": (400, "The body is not a form"),
    "bad_cursor": (400, "Bad cursor"),
    "bad_idempotency_key": (400, "Not an idempotency key"),
    "bad_key": (401, "No valid API key"),
    "bad_signature": (401, "The signature is missing, old or wrong"),
    "no_such_route": (404, "No such route"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "Method not allowed"),
    "too_large": (413, "The body is too large"),
    "foreign_host": (421, "Not a host name of this API"),
    "foreign_origin": (403, "Not from a page of another site"),
    "cross_site": (403, "Only from a page of this API"),
    "bad_type": (415, "Not a content type that is read here"),
    "invalid": (422, "The request is not valid"),
    "too_many_requests": (429, "Too often"),
    "internal_error": (500, "Something went wrong here"),
    "too_busy": (503, "Too much at once"),
    "unavailable": (503, "Not available just now"),
    # Idempotency-Key.
    "idempotency_in_flight": (409, "A request with this key is under way"),
    "idempotency_unknown": (409, "What came of an earlier request with this key is not known"),
    "idempotency_key_reused": (422, "The key was used for another request"),
    # Accounts and keys.
    "sign_up_closed": (403, "No accounts are opened here"),
    "key_not_found": (404, "No such key"),
    "last_key": (409, "That is the account's last key"),
    "too_many_keys": (409, "You have as many keys as you may"),
    # Calls.
    "call_not_found": (404, "No such call"),
    "call_not_ringing": (409, "Not possible"),
    "call_not_active": (409, "Not possible"),
    "call_over": (409, "Not possible"),
    "call_outbound": (409, "Not possible"),
    "ring_deadline_passed": (409, "Not possible"),
    "hosted_voice_gated": (403, "Hosted speech is a closed beta"),
    "hosted_voice_unavailable": (503, "There is no hosted speech here"),
    # Dialling.
    "country_not_allowed": (403, "Your trunk does not dial that country"),
    "premium_number": (403, "Such numbers are not dialled"),
    "trunk_not_registered": (409, "The trunk is not registered"),
    "bad_number": (422, "Not a number that can be dialled"),
    "wrong_host": (422, "Not your trunk's host"),
    "bad_caller_id": (422, "Not a number that you may call from"),
    "no_caller_id": (422, "No number to call from"),
    "too_long": (422, "Longer than your calls may be"),
    "too_many_dials": (429, "Too many calls at a time"),
    "dial_rate": (429, "Too many calls a minute"),
    "recently_declined": (429, "The called party has declined"),
    "provider_error": (502, "The provider did not place the call"),
    # Numbers and trunks.
    "number_not_found": (404, "You hold no such number"),
    "pool_empty": (409, "No number is free"),
    "too_many_numbers": (409, "You hold as many numbers as you may"),
    "no_trunk": (404, "No trunk is connected"),
    "trunk_not_found": (404, "No such trunk"),
    "number_taken": (409, "The number is added already"),
    "too_many_dids": (409, "Too many numbers"),
    "provider_not_configured": (409, "Not possible with that provider"),
    "test_calls_unavailable": (409, "No test calls to that number"),
    "trunk_rate": (429, "The trunk is connected too often"),
    "vault_missing": (503, "No secrets can be kept here yet"),
    "vault_unavailable": (503, "The secret cannot be sealed or opened now"),
    # Webhook endpoints.
    "endpoint_not_found": (404, "No such endpoint"),
    "delivery_not_found": (404, "No such delivery"),
    "endpoint_disabled": (409, "The endpoint is disabled"),
    "too_many_endpoints": (409, "You have as many endpoints as you may"),
    "private_url": (422, "Not a URL on the public Internet"),
    # Between us and the relays.
    "bad_token": (403, "The token opens nothing"),
    "not_active": (409, "The call is not answered"),
    "owned_elsewhere": (409, "Another relay holds this call"),
}
"""Status and title of each. Two have another status where they come up otherwise: dialling without
a trunk is 409 `no_trunk`, and relays get 410 `call_over`."""

WITH_RETRY_AFTER = frozenset(
    {
        "too_many_requests",
        "idempotency_in_flight",
        "dial_rate",
        "recently_declined",
        "trunk_rate",
        "too_busy",
        "unavailable",
        "vault_unavailable",
    }
)
"""Those whose answer has a `Retry-After` header."""
