"""Limits of the application."""

from __future__ import annotations

from tools.limits.deliveries import DELIVERY_LIMITS
from tools.limits.limit import Limit, Owner
from tools.limits.recordings import RECORDING_LIMITS
from tools.limits.speech import SPEECH_LIMITS

_UNIT = "tests/unit/services"
_HTTP = "tests/unit/handlers"
_RATES = f"{_HTTP}/test_rest_errors.py::test_operations_with_a_rate_limit_answer_429_beyond_it"
_VOICE_SETTINGS = f"{_HTTP}/test_hosted_voice.py::test_voice_settings_that_cannot_be_are_named"
_VOICE_HOSTS = "tests/unit/providers/test_voice_hosts.py"
_SIP_HEADERS = "tests/unit/common/test_sip_headers.py"
_ACCOUNT = "chalicelib.domain.account:DEFAULT_MAX_"
_TOO_OFTEN = "429 `too_many_requests`"


def _of_account(name: str, resource: str, beyond: str, test: str, unit: str = "") -> Limit:
    """Make the row of a limit that the operator sets for an account."""
    constant = f"{_ACCOUNT}{name.removeprefix('max_').upper()}"
    setting = f"chamade-admin account limit ID {name}=…"
    return Limit(resource, constant, unit, "account", beyond, test, setting)


def _rate(resource: str, constant: str, unit: str, owner: Owner = "account") -> Limit:
    """Make the row of a rate limit of the REST API."""
    constant = f"chalicelib.handlers.{constant}"
    setting = "chamade-admin account limit ID rate_factor=…" if owner == "account" else ""
    return Limit(resource, constant, unit, owner, _TOO_OFTEN, _RATES, setting)


_CALLS = (
    _of_account(
        "max_concurrent_calls", "calls that are not over, of both directions",
        "callers get a busy tone, and `call.turned_away` tells of it; dialling is 429 "
        "`too_many_dials`",
        f"{_UNIT}/test_admission.py::test_a_caller_beyond_the_accounts_limit_gets_a_busy_tone",
    ),
    _of_account(
        "max_concurrent_dials", "calls dialled that are not over", "429 `too_many_dials`",
        f"{_UNIT}/test_dial.py::test_concurrent_dials_are_limited_and_an_end_makes_room",
    ),
    _of_account(
        "max_dials_per_minute", "calls dialled", "429 `dial_rate`",
        f"{_UNIT}/test_dial.py::test_dials_a_minute_are_limited", "a minute",
    ),
    Limit(
        "new inbound calls (items and events that stay)",
        "chalicelib.services.call.admission:NEW_CALLS_A_MINUTE", "a minute", "account",
        "callers get a busy tone, and `call.turned_away` tells of it",
        f"{_UNIT}/test_admission.py::test_new_calls_a_minute_are_limited_for_callers_who_hang_up_at_once",
        "chamade-admin account limit ID rate_factor=…",
    ),
    _of_account(
        "max_call_s", "length of a call, of both directions", "it ends, `max_duration`",
        f"{_UNIT}/test_admission.py::test_an_inbound_call_lasts_no_longer_than_the_accounts_limit",
        "s",
    ),
    Limit(
        "how long an inbound call rings", "chalicelib.domain.new_call:RING_MS", "ms", "call",
        "it is missed",
        f"{_UNIT}/test_inbound.py::test_a_poll_after_the_deadline_enforces_it",
    ),
    Limit(
        "streams handed out one after the other, none of which lasts",
        "chalicelib.services.call.streams:MAX_STREAMS", "", "call",
        "the call has failed, `media_failed`",
        f"{_UNIT}/test_inbound.py::test_a_call_that_no_relay_takes_fails",
    ),
    Limit(
        "calls looked at before one is turned away",
        "chalicelib.services.call.admission:CHECKED", "", "call", "the others are not looked at",
        f"{_UNIT}/test_admission.py::test_only_a_few_places_are_checked_before_a_caller_is_turned_away",
    ),
    Limit(
        "holds", "chalicelib.handlers.call_lines:HOLDS_A_MINUTE", "a minute", "account",
        "429 `too_many_requests`",
        f"{_HTTP}/test_rest_errors.py::test_operations_with_a_rate_limit_answer_429_beyond_it",
        "chamade-admin account limit ID rate_factor=…",
    ),
    Limit(
        "clips of an account", "chalicelib.domain.clip:MAX_CLIPS", "", "account",
        "409 `too_many_clips`",
        f"{_UNIT}/test_clips.py::test_an_account_has_twenty_clips_also_if_they_come_at_once",
    ),
    Limit(
        "a clip", "chalicelib.domain.clip:MAX_CLIP_MS", "ms", "call", "422 `bad_clip`",
        "tests/unit/domain/test_wav.py::test_a_wav_that_cannot_be_used_says_why",
    ),
    Limit(
        "the WAV of a clip", "chalicelib.domain.clip:MAX_WAV_BYTES", "bytes", "account",
        "422 `bad_clip`",
        f"{_UNIT}/test_clips.py::test_a_wav_that_is_too_large_is_refused",
    ),
    Limit(
        "metadata of a call", "chalicelib.domain.metadata:MAX_BYTES", "bytes", "call", "422",
        f"{_HTTP}/test_dialling.py::test_an_invalid_body_is_422_and_names_the_field",
    ),
    Limit(
        "headers of an INVITE that applications see or send", "common.sip_headers:MAX_HEADERS",
        "headers", "call", "in: left out; out: 422",
        f"{_SIP_HEADERS}::test_headers_beyond_the_number_are_left_out_or_refused",
    ),
    Limit(
        "… their names", "common.sip_headers:MAX_NAME", "characters", "call",
        "in: left out; out: 422", f"{_SIP_HEADERS}::test_other_headers_do_not_pass",
    ),
    Limit(
        "… their values", "common.sip_headers:MAX_VALUE", "characters", "call",
        "in: left out; out: 422",
        f"{_SIP_HEADERS}::test_values_that_cannot_be_shown_are_left_out_coming_in",
    ),
    Limit(
        "… names and values together", "common.sip_headers:MAX_BYTES", "bytes", "call",
        "in: left out; out: 422",
        f"{_SIP_HEADERS}::test_headers_beyond_the_bytes_are_left_out_or_refused",
    ),
    Limit(
        "… in the SIP URI of a call through Twilio",
        "chalicelib.services.call.dial:MAX_TWILIO_HEADERS", "characters", "call",
        "422 `headers_too_long`",
        f"{_UNIT}/test_dial.py::test_through_twilio_there_is_no_name_and_headers_have_its_limit",
    ),
    Limit(
        "a caller's name", "common.sip_headers:MAX_CALLER_NAME", "characters", "call",
        "in: cut; out: 422", f"{_SIP_HEADERS}::test_a_name_is_one_line_and_short",
    ),
)  # fmt: skip

_VOICES = (
    Limit(
        "a voice's name in settings", "chalicelib.domain.voice:MAX_VOICE_NAME", "characters",
        "account", "422", _VOICE_SETTINGS,
    ),
    Limit(
        "a language in settings", "chalicelib.domain.voice:MAX_LANGUAGE", "characters", "account",
        "422", _VOICE_SETTINGS,
    ),
    Limit(
        "voice hosts", "chalicelib.domain.voice:MAX_HOSTS", "", "installation",
        "the application does not start",
        "tests/unit/test_config.py::test_voice_hosts_that_cannot_be_are_refused",
    ),
    Limit(
        "how long one voice host has to answer",
        "chalicelib.providers.voice_hosts:HOST_TIMEOUT_S", "s", "process", "the next one is asked",
        f"{_VOICE_HOSTS}::test_a_host_that_never_answers_is_given_up",
    ),
    Limit(
        "how long voice hosts are asked for a place",
        "chalicelib.providers.voice_hosts:TOTAL_S", "s", "call", "503 `hosted_voice_unavailable`",
        f"{_VOICE_HOSTS}::test_no_further_host_is_asked_when_the_time_is_over",
    ),
    Limit(
        "voices, and languages, of a voice host's answer",
        "chalicelib.providers.voice_hosts:MAX_CHOICES", "", "process", "the others are not shown",
        f"{_VOICE_HOSTS}::test_what_hosts_offer_is_cut_to_what_is_shown",
    ),
)  # fmt: skip

_EVENTS = (
    _of_account(
        "max_waiting_polls", "polls that wait for events, MCP's included",
        "429 `too_many_polls` with `Retry-After`; what need not wait is answered",
        f"{_UNIT}/test_inbox.py::test_waiting_polls_of_an_account_are_limited",
    ),
    Limit(
        "how long a poll waits", "chalicelib.services.inbox:MAX_WAIT_S", "s", "API key", "422",
        f"{_HTTP}/test_rest_errors.py::test_a_wait_or_a_page_beyond_its_limit_is_422",
    ),
    Limit(
        "events in an answer", "chalicelib.services.inbox:PAGE", "", "API key", "422",
        f"{_HTTP}/test_rest_errors.py::test_a_wait_or_a_page_beyond_its_limit_is_422",
    ),
    Limit(
        "how long events are kept", "chalicelib.domain.event:RETENTION_S", "s", "account",
        "they go by TTL",
        f"{_UNIT}/test_inbox.py::test_everything_a_call_leaves_but_the_call_itself_has_a_ttl",
    ),
    Limit(
        "events of calls that were turned away",
        "1 a minute", "", "account", "the next event has the count",
        f"{_UNIT}/test_admission.py::test_an_event_a_minute_counts_the_calls_turned_away",
    ),
    Limit(
        "events of numbers called that are not added",
        "chalicelib.store.trunk_limits:MAX_NOT_ADDED",
        "an hour", "trunk", "nothing is written; the call is rejected all the same",
        f"{_UNIT}/test_not_added.py::test_events_about_numbers_not_added_are_bounded",
    ),
)  # fmt: skip

_ACCOUNTS = (
    _rate("accounts opened", "account:SIGN_UPS_AN_HOUR", "an hour", "source address"),
    Limit(
        "accounts opened", "chalicelib.handlers.account:SIGN_UPS_AN_HOUR_OF_ALL", "an hour",
        "installation", _TOO_OFTEN,
        f"{_UNIT}/test_rate_limits.py::test_sources_are_counted_separately_and_in_total",
        "CHAMADE_SIGN_UP=closed",
    ),
    _rate("sign-ins to the dashboard", "session:SIGN_INS", "in ten minutes", "source address"),
    Limit(
        "sign-ins to the dashboard", "chalicelib.handlers.session:SIGN_INS_OF_ALL",
        "in ten minutes", "installation", _TOO_OFTEN,
        f"{_UNIT}/test_rate_limits.py::test_concurrent_sources_stay_within_the_total",
    ),
    Limit(
        "how long a session lasts (a signed cookie: nothing is kept)",
        "chalicelib.domain.session_token:LASTS_S", "s", "API key", "401",
        f"{_HTTP}/test_session.py::test_a_session_ends_after_twelve_hours",
    ),
    _of_account(
        "max_keys", "API keys", "409 `too_many_keys`",
        f"{_HTTP}/test_account.py::test_keys_created_concurrently_stay_within_the_limit",
    ),
    _rate("API keys made", "api_keys:KEYS_MADE_AN_HOUR", "an hour"),
    _rate("rotations of the agent token", "account:ROTATIONS_AN_HOUR", "an hour"),
    _rate("requests for the levels of a call", "call_facts:READS_A_MINUTE", "a minute"),
    _rate("lists of hosted voices", "calls:VOICES_A_MINUTE", "a minute"),
    Limit(
        "answers kept under an Idempotency-Key", "chalicelib.domain.idempotency:KEPT_S", "s",
        "account", "they go by TTL; what is refused keeps none, the rest has limits of its own",
        f"{_HTTP}/test_idempotency.py::test_a_key_is_kept_for_a_day",
    ),
    Limit(
        "body of a request", "chalicelib.http:MAX_BODY", "bytes", "API key", "413 `too_large`",
        f"{_HTTP}/test_rest_errors.py::test_broken_json_a_wrong_media_type_and_a_huge_body_have_their_problems",
    ),
    Limit(
        "calls in an answer", "chalicelib.services.call.call_list:MAX_LIMIT", "", "API key", "422",
        f"{_HTTP}/test_rest_errors.py::test_an_invalid_query_is_422_with_the_reason",
    ),
    Limit(
        "places of one kind (calls, polls)", "chalicelib.store.places:MAX_PLACES", "", "account",
        "the operator's command refuses a higher limit",
        f"{_UNIT}/test_account_admin.py::test_changed_limits_apply_from_the_next_request",
    ),
)  # fmt: skip

_NUMBERS = (
    _of_account(
        "max_numbers", "routing numbers", "409 `too_many_numbers`",
        f"{_UNIT}/test_numbers.py::test_concurrent_activations_stay_within_the_accounts_limit",
    ),
    _rate("routing numbers activated", "numbers:ACTIVATIONS_AN_HOUR", "an hour"),
    Limit(
        "trunks", "chalicelib.domain.trunk:MAX_TRUNKS", "", "account", "409 `too_many_trunks`",
        f"{_UNIT}/test_named_trunks.py::test_trunks_connected_concurrently_stay_within_the_bound",
    ),
    Limit(
        "networks of a trunk", "chalicelib.domain.trunk_fields:MAX_NETWORKS", "", "trunk", "422",
        "tests/unit/domain/test_trunk_options.py::"
        "test_more_networks_than_a_trunk_may_have_are_refused",
    ),
    Limit(
        "addresses of a network of a trunk", "4096 (IPv4), 2^80 (IPv6)", "", "trunk", "422",
        "tests/unit/domain/test_trunk_options.py::"
        "test_a_network_that_is_none_or_too_large_is_refused",
    ),
    Limit(
        "trunks that a call falls back to", "chalicelib.domain.trunk_fields:MAX_FALLBACKS", "",
        "trunk", "422",
        "tests/unit/domain/test_trunk_options.py::"
        "test_fallbacks_are_names_once_each_and_three_at_most",
    ),
    Limit(
        "trunks connected", "chalicelib.store.trunk_limits:MAX_CONNECTS", "an hour", "account",
        "429 `trunk_rate`",
        f"{_UNIT}/test_trunks.py::test_connects_an_hour_are_limited_despite_disconnecting",
    ),
    Limit(
        "numbers of a trunk (DIDs)", "chalicelib.domain.did:MAX_DIDS", "", "trunk",
        "409 `too_many_dids`",
        f"{_UNIT}/test_dids.py::test_numbers_added_concurrently_stay_within_the_trunks_limit",
    ),
    _rate("numbers added to a trunk", "trunks:DIDS_ADDED_AN_HOUR", "an hour"),
    Limit(
        "numbers of the pool and of other accounts as DID or caller ID", "0", "", "account",
        "409 `number_reserved`",
        f"{_UNIT}/test_reserved_numbers.py::test_a_free_pool_number_cannot_be_added_to_a_trunk",
    ),
    Limit(
        "webhook endpoints", "chalicelib.domain.endpoint:MAX_ENDPOINTS", "", "account",
        "409 `too_many_endpoints`",
        f"{_UNIT}/test_endpoints.py::test_endpoints_created_concurrently_stay_within_ten",
    ),
)  # fmt: skip

_STRANGERS = (
    Limit(
        "a field of a provider's post (a caller's own text)",
        "chalicelib.providers.twilio_webhooks:MAX_FIELD", "characters", "call",
        "422, and nothing is kept",
        f"{_HTTP}/test_provider_webhooks.py::test_a_field_that_is_too_long_is_refused_and_nothing_is_kept",
    ),
    Limit(
        "a stranger's text in events of calls that did not ring",
        "chalicelib.domain.foreign_text:MAX_SHOWN", "characters", "call", "it is cut",
        f"{_UNIT}/test_not_added.py::test_the_event_cuts_text_written_by_strangers",
    ),
    Limit(
        "calls to a number that is nobody's", "0", "items", "call",
        "rejected; one log line each (fields as above, new calls as the gateway lets them in)",
        f"{_UNIT}/test_inbound.py::test_a_call_to_an_unassigned_number_is_rejected_and_leaves_nothing",
    ),
    Limit(
        "log lines of calls that were turned away", "1 a minute", "", "account",
        "nothing is written",
        f"{_UNIT}/test_admission.py::test_a_flood_is_logged_once_a_minute",
    ),
)  # fmt: skip

LIMITS: tuple[Limit, ...] = (
    *_CALLS,
    *_VOICES,
    *RECORDING_LIMITS,
    *SPEECH_LIMITS,
    *_EVENTS,
    *DELIVERY_LIMITS,
    *_ACCOUNTS,
    *_NUMBERS,
    *_STRANGERS,
)
