"""Limits of recordings, in the application and in relays."""

from __future__ import annotations

from tools.limits.limit import Limit

_SERVICE = "tests/unit/services/test_recordings.py::test_"
_UPLOADS = "tests/unit/relay/test_recording_uploads.py::test_"
_RECORDER = "tests/unit/relay/test_recorder.py::test_"
_HTTP = "tests/unit/handlers/test_recordings.py::test_"
_RATES = (
    "tests/unit/handlers/test_rest_errors.py"
    "::test_operations_with_a_rate_limit_answer_429_beyond_it"
)
_TOO_OFTEN = "429 `too_many_requests`"
_FACTOR = "chamade-admin account limit ID rate_factor=…"
_HANDLERS = "chalicelib.handlers.recordings:"

RECORDING_LIMITS: tuple[Limit, ...] = (
    Limit(
        "changes of recordings", f"{_HANDLERS}CHANGES_A_MINUTE", "a minute", "account", _TOO_OFTEN,
        _RATES, _FACTOR,
    ),
    Limit(
        "requests for recordings", f"{_HANDLERS}READS_A_MINUTE", "a minute", "account",
        _TOO_OFTEN, _RATES, _FACTOR,
    ),
    Limit(
        "recordings", "chalicelib.domain.recording:MAX_RECORDINGS", "", "call",
        "409 `too_many_recordings`",
        f"{_SERVICE}a_call_has_a_limited_number_of_recordings_and_of_changes",
    ),
    Limit(
        "changes of its recordings", "chalicelib.domain.recording:MAX_CHANGES", "", "call",
        "409 `too_many_recordings`; it can still be ended",
        f"{_SERVICE}a_call_has_a_limited_number_of_recordings_and_of_changes",
    ),
    Limit(
        "recordings that are kept", "chalicelib.config:RECORDING_ACCOUNT_GB", "GB", "account",
        "409 `recordings_full`; calls of its numbers go on without a recording",
        f"{_SERVICE}an_account_records_no_more_than_it_may_keep",
        "CHAMADE_RECORDING_GB",
    ),
    Limit(
        "time for which a recording is kept", "chalicelib.config:RECORDING_DAYS", "days",
        "account", "it is deleted", f"{_SERVICE}items_of_recordings_expire_as_their_files_do",
        "CHAMADE_RECORDING_DAYS",
    ),
    Limit(
        "segments for which a relay asks at a time", "chalicelib.handlers.media:MAX_SEGMENTS", "",
        "process", "422", f"{_HTTP}relays_ask_for_a_few_segments_of_a_day",
    ),
    Limit(
        "the latest begin of a segment", "chalicelib.handlers.media:MAX_START_MS", "ms", "call",
        "422", f"{_HTTP}relays_ask_for_a_few_segments_of_a_day",
    ),
    Limit(
        "a segment", "chalicelib.domain.composition:MAX_SEGMENT", "bytes", "call",
        "it is left out of the file",
        "tests/unit/domain/test_composition.py::test_what_is_no_segment_is_left_out",
    ),
    Limit(
        "tries to compose a recording", "chalicelib.domain.recording:MAX_TRIES", "", "call",
        "it has failed, `not_composed`",
        f"{_SERVICE}a_composition_that_fails_is_tried_again_and_given_up_in_the_end",
    ),
    Limit(
        "segments that wait for their upload", "relay.core.segment_queue:MAX_WAITING", "", "call",
        "the oldest is dropped, and is a gap",
        f"{_UPLOADS}beyond_what_may_wait_the_oldest_is_dropped_and_counted",
    ),
    Limit(
        "segments of all calls that wait for their upload",
        "relay.core.segment_queue:MAX_WAITING_ALL", "", "process",
        "the call's oldest is dropped, or the new one",
        f"{_UPLOADS}calls_together_hold_no_more_than_the_process_has_room_for",
    ),
    Limit(
        "time for which an upload is tried", "relay.network.recording_uploads:GIVE_UP_S", "s",
        "call", "the segment is a gap", f"{_UPLOADS}a_segment_is_given_up_in_the_end",
    ),
    Limit(
        "a caller's audio that is held to find its place",
        "relay.core.recording_tracks:MAX_HELD", "samples", "call", "it is placed at once",
        f"{_RECORDER}a_burst_of_more_than_is_held_is_placed_at_once",
    ),
)  # fmt: skip
