"""Limits of the voice host."""

from __future__ import annotations

from tools.limits.limit import Limit

_TESTS = "tests/unit/voice/test_"
_HTTP = f"{_TESTS}host_http.py::test_"
_CALLS = f"{_TESTS}host_calls.py::test_"
_CONNECTIONS = f"{_TESTS}host_connections.py::test_"
_LISTENING = f"{_TESTS}listening.py::test_"
_SPEAKING = f"{_TESTS}speaking.py::test_"
_REPORTS = f"{_TESTS}reports.py::test_"

_HOST = (
    Limit(
        "calls, with those for which a place is reserved", "voice.config:Config.max_calls", "",
        "process", "503 `busy`: the call is refused, or rings on",
        f"{_HTTP}a_place_is_reserved_once_for_each_call", "VOICE_MAX_CALLS",
    ),
    Limit(
        "calls of one account, by default half of all",
        "voice.config:Config.max_calls_per_account", "", "account",
        "503 `busy`: the call is refused, or rings on",
        f"{_HTTP}an_account_has_so_many_places_and_leaves_the_others_to_others",
        "VOICE_MAX_CALLS_PER_ACCOUNT",
    ),
    Limit(
        "time for which a place is reserved", "voice.core.places:HELD_S", "s", "call",
        "it is free again", f"{_HTTP}a_reservation_ends_if_its_socket_does_not_come",
    ),
    Limit(
        "connections", "voice.network.connections:MAX_CONNECTIONS", "", "process",
        "the new one is disconnected",
        f"{_CONNECTIONS}connections_beyond_the_most_are_cut_and_those_that_there_are_work_on",
    ),
    Limit(
        "time from a connection to the answer to its request",
        "voice.network.connections:HANDSHAKE_S", "s", "socket", "it is disconnected",
        f"{_CONNECTIONS}a_request_that_does_not_come_is_cut",
    ),
    Limit(
        "body of a request", "voice.network.server:MAX_BODY", "bytes", "socket", "413",
        f"{_HTTP}malformed_and_endless_bodies_are_refused",
    ),
    Limit(
        "message of a relay", "voice.network.server:MAX_MESSAGE", "bytes", "call",
        "closed with 1009", f"{_CALLS}a_message_that_is_too_long_closes_the_socket",
    ),
    Limit(
        "unsent to a relay that does not read", "voice.network.outbox:MAX_UNSENT", "bytes", "call",
        "it is disconnected, and connects again",
        f"{_TESTS}settings.py::test_a_relay_that_does_not_read_is_disconnected",
    ),
)  # fmt: skip

_HEARING = (
    Limit(
        "length of a caller's turn", "voice.core.turn_taking:MAX_TURN_MS", "ms", "call",
        "the turn ends, and another begins",
        f"{_TESTS}turn_taking.py::test_endless_speech_is_cut_into_turns_without_losing_any",
    ),
    Limit(
        "turns whose text is not there yet", "voice.core.hearing:MAX_UNRECOGNISED", "", "call",
        "a further turn has no text",
        f"{_LISTENING}turns_beyond_those_that_can_wait_are_counted_as_lost",
    ),
    Limit(
        "text of a turn", "voice.core.hearing:MAX_TURN_TEXT", "characters", "call",
        "the rest is cut off", f"{_LISTENING}a_text_that_cannot_have_been_said_is_cut",
    ),
    Limit(
        "texts of each side that `listen` can return", "voice.core.hearing:KEPT_FINALS", "",
        "call", "the oldest are left to the transcript",
        f"{_LISTENING}only_the_last_texts_are_kept",
    ),
    Limit(
        "texts of both sides in one answer", "voice.core.answers:MAX_SAID", "", "call",
        "the next `listen` has the rest",
        f"{_LISTENING}listen_returns_so_many_texts_at_once_and_the_rest_with_the_next",
    ),
    Limit(
        "text of them together", "voice.core.answers:MAX_SAID_TEXT", "characters", "call",
        "the next `listen` has the rest",
        f"{_LISTENING}an_answer_of_listen_is_never_too_long_and_skips_nothing",
    ),
)  # fmt: skip

_SPEECH = (
    Limit(
        "text of an utterance", "common.voice_requests:MAX_TEXT", "characters", "call",
        "`bad_request`", f"{_LISTENING}a_malformed_request_is_answered_with_what_is_wrong",
    ),
    Limit(
        "utterances that are spoken or wait", "voice.core.playout:MAX_QUEUED", "", "call",
        "`queue_full`", f"{_SPEAKING}a_queue_that_is_full_takes_no_more",
    ),
    Limit(
        "text of them together, before another is taken", "voice.core.playout:MAX_QUEUED_TEXT",
        "characters", "call", "`queue_full`",
        f"{_SPEAKING}a_queue_of_long_texts_is_full_sooner",
    ),
    Limit(
        "audio made ahead, before another sentence is synthesised", "voice.core.playout:AHEAD_MS",
        "ms", "call", "the next sentence waits",
        f"{_SPEAKING}no_more_is_synthesised_than_is_soon_needed",
    ),
    Limit(
        "marks in audio that is not played yet", "voice.core.playout:MAX_MARKS_AHEAD", "", "call",
        "only the last one of an utterance is added",
        f"{_SPEAKING}speech_that_is_far_ahead_has_no_more_marks_than_a_relay_takes",
    ),
    Limit(
        "requests that wait", "voice.core.answers:MAX_WAITING", "", "call", "`too_many`",
        f"{_LISTENING}requests_beyond_those_that_may_wait_are_refused",
    ),
    Limit(
        "time for which a request waits", "voice.core.answers:HOLD_S", "s", "call",
        "it is answered with the state at that time",
        f"{_LISTENING}nobody_waits_for_longer_than_the_one_who_asked",
    ),
)  # fmt: skip

_OUT = (
    Limit(
        "items of a report", "voice.network.reports:MAX_ITEMS", "", "call",
        "the others are in the next",
        f"{_REPORTS}items_go_out_in_order_and_those_that_wait_go_together",
    ),
    Limit(
        "items that wait to be reported", "voice.network.reports:MAX_QUEUED", "", "call",
        "the oldest are dropped",
        f"{_REPORTS}items_beyond_those_that_can_wait_push_out_the_oldest",
    ),
    Limit(
        "calls with items that wait to be reported", "voice.network.reports:MAX_CALLS", "",
        "process", "nothing is reported about further calls",
        f"{_REPORTS}calls_beyond_those_whose_items_can_wait_are_not_reported",
    ),
    Limit(
        "time for which a report is tried again", "voice.network.reports:GIVE_UP_S", "s", "call",
        "it is dropped", f"{_REPORTS}an_application_that_never_answers_is_given_up",
    ),
)  # fmt: skip

_ENGINES = f"{_TESTS[: -len('test_')]}engines/test_"
_WORKERS = (
    Limit(
        "jobs that wait for models, of each kind",
        "voice.engines.local.engine:JOBS_A_CALL", "for each of `VOICE_MAX_CALLS`", "process",
        "the utterance has no text, or the sentence is not spoken",
        f"{_ENGINES}turns.py::test_beyond_the_bound_a_job_is_refused_at_once",
    ),
    Limit(
        "speech that a local model hears at once, while other calls wait",
        "voice.engines.local.engine:PIECE_MS", "ms", "call",
        "the rest is heard in the call's next turn",
        "tests/voice/test_local_engine.py::test_a_long_story_is_understood_in_pieces_to_its_end",
    ),
    Limit(
        "speech that a local model makes at once, while other calls wait",
        "voice.engines.local.phonemes:STRETCH_MS", "ms, about", "call",
        "the rest is made in the call's next turn",
        f"{_ENGINES}phonemes.py::test_no_phoneme_is_lost_and_no_stretch_is_too_long",
    ),
    Limit(
        "message to or from a model", "voice.engines.local.messages:MAX_FRAME", "bytes", "call",
        "the job fails",
        f"{_ENGINES}workers.py::test_a_message_that_no_job_or_answer_can_be_is_refused",
    ),
    Limit(
        "time that a model has for a job", "voice.engines.local.workers:JOB_S", "s", "process",
        "its process is replaced",
        f"{_ENGINES}workers.py::test_a_worker_that_hangs_or_talks_nonsense_is_replaced",
    ),
)  # fmt: skip

_SERVICES = (
    Limit(
        "audio that waits for Amazon Transcribe", "voice.engines.aws.transcribe:KEPT_MS", "ms",
        "call", "the oldest is not heard",
        f"{_ENGINES}transcribe.py::test_audio_that_waits_for_a_stream_is_bounded",
    ),
    Limit(
        "results of Amazon Transcribe that are kept", "voice.engines.aws.words:MAX_RESULTS", "",
        "call", "the oldest are forgotten",
        f"{_ENGINES}words.py::test_only_the_last_results_of_a_long_call_are_kept",
    ),
    Limit(
        "answer of an OpenAI-compatible server", "voice.engines.openai.client:MAX_ANSWER", "bytes",
        "call", "the utterance has no text",
        f"{_ENGINES}openai.py::test_an_answer_without_end_is_not_held",
    ),
)  # fmt: skip

LIMITS = (*_HOST, *_HEARING, *_SPEECH, *_OUT, *_WORKERS, *_SERVICES)
