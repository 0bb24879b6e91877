"""Limits of hosted speech in the application, and of its requests to the relays' door."""

from __future__ import annotations

from tools.limits.limit import Limit

_SPEECH = "tests/unit/services/test_speech.py"
_REPORTS = "tests/unit/services/test_voice_reports.py"
_HTTP = "tests/unit/handlers/test_speech.py"
_RATES = (
    "tests/unit/handlers/test_rest_errors.py"
    "::test_operations_with_a_rate_limit_answer_429_beyond_it"
)
_TOO_OFTEN = "429 `too_many_requests`"
_FACTOR = "chamade-admin account limit ID rate_factor=…"
_DOMAIN = "chalicelib.domain.transcript:"


def _rate(resource: str, constant: str) -> Limit:
    constant = f"chalicelib.handlers.speech:{constant}"
    return Limit(resource, constant, "a minute", "account", _TOO_OFTEN, _RATES, _FACTOR)


SPEECH_LIMITS: tuple[Limit, ...] = (
    _rate("texts to be spoken", "SPEECHES_A_MINUTE"),
    _rate("requests to drop what is spoken", "CLEARS_A_MINUTE"),
    _rate("requests to press keys", "DTMF_A_MINUTE"),
    _rate("requests for a transcript", "READS_A_MINUTE"),
    Limit(
        "a text to be spoken", f"{_DOMAIN}MAX_SAY", "characters", "account",
        "422", f"{_HTTP}::test_a_wrong_field_of_a_text_is_named",
    ),
    Limit(
        "keys of one request", "chalicelib.handlers.speech:MAX_KEYS", "", "account", "422",
        f"{_HTTP}::test_keys_that_are_none_are_422",
    ),
    Limit(
        "characters spoken", f"{_DOMAIN}CHARACTERS_AN_HOUR", "an hour", "account", _TOO_OFTEN,
        f"{_SPEECH}::test_the_characters_of_an_account_are_bounded", _FACTOR,
    ),
    Limit(
        "characters spoken", f"{_DOMAIN}MAX_CHARACTERS", "", "call", "429 `too_much_said`",
        f"{_SPEECH}::test_the_characters_of_a_call_are_bounded",
    ),
    Limit(
        "utterances that are not over", f"{_DOMAIN}MAX_OPEN", "", "call", "409 `queue_full`",
        f"{_SPEECH}::test_utterances_that_are_not_over_are_bounded_and_clear_makes_room",
    ),
    Limit(
        "requests that wait for words, or for a stream, at a time",
        "chalicelib.services.call.waits:WAITS_AT_ONCE", "", "account", "429 `too_many_waits`",
        f"{_SPEECH}::test_requests_that_wait_at_a_time_are_bounded_and_others_are_not",
    ),
    Limit(
        "wait for the caller's reply, or for what is said next", f"{_DOMAIN}MAX_WAIT_S", "s",
        "account", "422", f"{_HTTP}::test_a_wrong_place_in_a_transcript_is_422",
    ),
    Limit(
        "wait for the stream of a call that was just answered",
        "chalicelib.services.call.at_the_relay:MEDIA_WAIT_S", "s", "call", "409 `no_media`",
        f"{_SPEECH}::test_a_stream_that_does_not_come_is_no_media_and_nothing_is_counted",
    ),
    Limit(
        "time that a relay has to take news of a call",
        "chalicelib.providers.relay_door:NEWS_TIMEOUT_S", "s", "process",
        "the relay asks by itself, a little later",
        "tests/unit/services/test_relay_news.py::"
        "test_a_relay_that_does_not_answer_is_not_told_again_for_some_seconds",
    ),
    Limit(
        "entries of a transcript", f"{_DOMAIN}MAX_ENTRIES", "", "call",
        "later ones are not kept; events go on",
        f"{_REPORTS}::test_a_full_transcript_keeps_nothing_more_and_goes_on_telling_of_speech",
    ),
    Limit(
        "text of a transcript", f"{_DOMAIN}MAX_BYTES", "bytes", "call",
        "what does not fit is not kept; events go on",
        f"{_REPORTS}::test_the_bytes_of_a_transcript_are_bounded",
    ),
    Limit(
        "one text of a transcript", f"{_DOMAIN}MAX_TEXT", "characters", "call", "the rest is cut",
        f"{_REPORTS}::test_a_long_text_is_cut_instead_of_refused",
    ),
    Limit(
        "reports with texts of callers that become events", f"{_DOMAIN}TRANSCRIPTS_A_MINUTE",
        "a minute", "account", "the texts are in the transcript only",
        f"{_REPORTS}::test_texts_beyond_the_accounts_budget_are_kept_and_not_told", _FACTOR,
    ),
    Limit(
        "items of a voice host's report", f"{_DOMAIN}MAX_ITEMS", "", "call", "422",
        f"{_HTTP}::test_a_report_beyond_its_bounds_is_422",
    ),
    Limit(
        "voice hosts of a call whose last report is remembered", f"{_DOMAIN}MAX_HOSTS_KNOWN", "",
        "call", "the one whose report is the oldest is forgotten",
        f"{_REPORTS}::test_the_last_reports_of_a_few_hosts_are_remembered",
    ),
    Limit(
        "reports after the end of a call", f"{_DOMAIN}LATE_MS", "ms", "call", "410 `call_over`",
        f"{_REPORTS}::test_a_report_about_a_call_that_just_ended_is_taken_and_a_late_one_is_refused",
    ),
)  # fmt: skip
