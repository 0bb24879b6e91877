"""Every code that a problem can have, with its status and title, for answers and their description.

A code never changes: clients decide by it. The detail is for people, and may change.
"""

from __future__ import annotations

CODES: dict[str, tuple[int, str]] = {
    # Any request.
    "bad_request": (400, "Bad request"),
    "bad_json": (400, "The body is not JSON"),
    "bad_form": (400, "The body is not a form"),
    "bad_cursor": (400, "Bad cursor"),
    "bad_idempotency_key": (400, "Invalid idempotency key"),
    "bad_key": (401, "No valid API key"),
    "bad_signature": (401, "Invalid signature"),
    "no_such_route": (404, "No such route"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "Method not allowed"),
    "too_large": (413, "The body is too large"),
    "foreign_host": (421, "Unknown host name"),
    "foreign_origin": (403, "Cross-site request refused"),
    "cross_site": (403, "Cross-site request refused"),
    "bad_type": (415, "Content type not supported"),
    "invalid": (422, "The request is not valid"),
    "too_many_requests": (429, "Rate limit reached"),
    "too_many_polls": (429, "Too many waiting requests"),
    "internal_error": (500, "Internal error"),
    "too_busy": (503, "Too many concurrent changes"),
    "unavailable": (503, "Temporarily unavailable"),
    # Idempotency-Key.
    "idempotency_in_flight": (409, "A request with this key is under way"),
    "idempotency_unknown": (409, "Outcome of the earlier request unknown"),
    "idempotency_key_reused": (422, "The key was used for another request"),
    # Accounts and keys.
    "sign_up_closed": (403, "Sign-up is closed"),
    "key_not_found": (404, "No such key"),
    "last_key": (409, "Last API key"),
    "too_many_keys": (409, "API key limit reached"),
    # Calls.
    "call_not_found": (404, "No such call"),
    "call_not_ringing": (409, "The call does not ring"),
    "call_not_active": (409, "The call is not active"),
    "call_over": (409, "The call is over"),
    "call_outbound": (409, "The call is outbound"),
    "call_held": (409, "The call is on hold"),
    "call_transferred": (409, "The call is transferred"),
    "transfer_under_way": (409, "A transfer is under way"),
    "transfer_not_answered": (409, "The third party has not answered"),
    "transfer_leg": (409, "The call is a transfer's own"),
    "no_transfer": (409, "No transfer is under way"),
    "clip_not_found": (404, "No such clip"),
    "bad_clip": (422, "The clip cannot be used"),
    "too_many_clips": (409, "Clip limit reached"),
    "refer_unsupported": (409, "The caller's network takes no transfer"),
    "ring_deadline_passed": (409, "The ring deadline has passed"),
    "not_hosted": (409, "The call has no hosted voice"),
    "no_media": (409, "The call has no audio yet"),
    "queue_full": (409, "Too much waits to be heard"),
    "too_much_said": (429, "Character limit of the call reached"),
    "too_many_waits": (429, "Too many waiting requests"),
    "synthesis_failed": (502, "The text was not spoken"),
    "media_unavailable": (503, "The call's audio is not reached"),
    "media_timeout": (504, "No answer from the call's audio"),
    "hosted_voice_gated": (403, "Hosted speech is a closed beta"),
    "hosted_voice_unavailable": (503, "Hosted speech is not available"),
    "hosted_voice_busy": (503, "All voice hosts are busy"),
    "unknown_voice": (422, "Unknown voice"),
    "unknown_language": (422, "Unknown language"),
    # RecentDials.
    "country_not_allowed": (403, "Country not allowed"),
    "premium_number": (403, "Premium numbers are not dialled"),
    "trunk_not_registered": (409, "The trunk is not registered"),
    "bad_number": (422, "Invalid number"),
    "wrong_host": (422, "Not your trunk's host"),
    "bad_caller_id": (422, "Caller ID not allowed"),
    "no_caller_id": (422, "Caller ID missing"),
    "too_long": (422, "Maximum call duration exceeded"),
    "too_many_dials": (429, "Concurrent call limit reached"),
    "dial_rate": (429, "Dial rate limit reached"),
    "recently_declined": (429, "The called party has declined"),
    "provider_error": (502, "The provider did not place the call"),
    # Numbers and trunks.
    "number_not_found": (404, "You hold no such number"),
    "pool_empty": (409, "No number is free"),
    "too_many_numbers": (409, "Number limit reached"),
    "no_trunk": (404, "No trunk is connected"),
    "trunk_not_found": (404, "No such trunk"),
    "too_many_trunks": (409, "Trunk limit reached"),
    "number_taken": (409, "The number is added already"),
    "number_reserved": (409, "Number reserved by the installation"),
    "too_many_dids": (409, "DID limit reached"),
    "provider_not_configured": (409, "Provider not configured"),
    "test_calls_unavailable": (409, "Test calls not available"),
    "trunk_rate": (429, "Trunk connect limit reached"),
    "vault_missing": (503, "No vault configured"),
    "vault_unavailable": (503, "Vault not available"),
    # Webhook endpoints.
    "endpoint_not_found": (404, "No such endpoint"),
    "delivery_not_found": (404, "No such delivery"),
    "endpoint_disabled": (409, "The endpoint is disabled"),
    "too_many_endpoints": (409, "Endpoint limit reached"),
    "private_url": (422, "URL is not public"),
    # Requests of relays.
    "bad_token": (403, "Invalid token"),
    "not_active": (409, "The call is not answered"),
    "owned_elsewhere": (409, "Another relay holds this call"),
    # Requests of gateways.
    "one_gateway": (409, "There is one gateway"),
    "gateway_refused": (409, "No lease for this gateway"),
}
"""Status and title of each code. Two codes have another status in places: dialling without a trunk
is 409 `no_trunk`, and relays get 410 `call_over`."""

WITH_RETRY_AFTER = frozenset(
    {
        "too_many_requests",
        "too_many_polls",
        "too_many_waits",
        "no_media",
        "queue_full",
        "media_unavailable",
        "idempotency_in_flight",
        "dial_rate",
        "recently_declined",
        "trunk_rate",
        "too_busy",
        "hosted_voice_busy",
        "unavailable",
        "vault_unavailable",
    }
)
"""Those whose answer has a `Retry-After` header."""
