"""Limits of the gateway."""

from __future__ import annotations

from tools.limits.gateway_connections import CONNECTION_LIMITS
from tools.limits.gateway_rtp import RTP_LIMITS
from tools.limits.gateway_sip import SIP_LIMITS
from tools.limits.limit import Limit
from tools.limits.sip_calls import SIP_CALL_LIMITS
from tools.limits.sip_messages import SIP_MESSAGE_LIMITS
from tools.limits.sip_peers import SIP_PEER_LIMITS

_UNIT = "tests/unit/gateway"
_ADMISSION = f"{_UNIT}/test_admission.py"
_NOISY = f"{_UNIT}/test_noisy_peers.py"

CALLS = (
    Limit(
        resource="Calls",
        constant="gateway.config:Config.max_calls",
        unit="at once",
        owner="process",
        beyond="in: 486, nobody is asked; out: 429",
        test=f"{_UNIT}/test_inbound_calls.py::test_a_full_gateway_is_busy_without_a_webhook",
        setting="GATEWAY_MAX_CALLS",
    ),
    Limit(
        resource="Calls of one trunk (and half of all calls at most)",
        constant="gateway.config:Config.max_calls_per_trunk",
        unit="at once",
        owner="trunk",
        beyond="in: 486; out: 429",
        test=f"{_ADMISSION}::test_calls_of_one_trunk_are_bounded",
        setting="GATEWAY_MAX_CALLS_PER_TRUNK",
    ),
    Limit(
        resource="Calls of peers for no trunk (and a quarter of all calls at most)",
        constant="gateway.config:Config.max_calls_without_trunk",
        unit="at once",
        owner="process",
        beyond="486",
        test=f"{_ADMISSION}::test_calls_of_peers_without_a_trunk_are_bounded",
        setting="GATEWAY_MAX_CALLS_WITHOUT_TRUNK",
    ),
    Limit(
        resource="Calls from networks of several trunks",
        constant="half of all calls",
        unit="at once",
        owner="process",
        beyond="486",
        test=f"{_ADMISSION}::test_calls_from_networks_of_several_trunks_get_at_most_half_of_all",
    ),
    Limit(
        resource="Calls of strangers for no trunk",
        constant="none",
        unit="",
        owner="source address",
        beyond="404, nobody is asked",
        test=f"{_ADMISSION}::test_a_call_of_a_stranger_is_refused_without_a_webhook",
    ),
    Limit(
        resource="Calls by ticket to one number",
        constant="gateway.legs.socket.routes:MAX_BROWSERS_PER_NUMBER",
        unit="at once",
        owner="number",
        beyond="429 before the upgrade",
        test=f"{_NOISY}::test_browsers_that_call_one_number_are_bounded",
    ),
    Limit(
        resource="Gateways",
        constant="chalicelib.domain.gateway_lease:MAX_GATEWAYS",
        unit="at once",
        owner="installation",
        beyond="409 `gateway_refused`: it registers no trunk",
        test="tests/unit/handlers/test_several_gateways.py::test_gateways_are_bounded",
    ),
    Limit(
        resource="Trunks that are tried for one call",
        constant="gateway.api.params:MAX_ROUTES",
        unit="",
        owner="call",
        beyond="400, code 20001",
        test=f"{_UNIT}/test_routes_of_calls.py::test_wrong_routes_are_refused",
    ),
    Limit(
        resource="Length of an answered call",
        constant="gateway.config:Config.time_limit",
        unit="s",
        owner="call",
        beyond="hung up",
        test=f"{_UNIT}/test_inbound_calls.py::test_an_answered_call_is_ended_by_its_time_limit",
        setting="GATEWAY_TIME_LIMIT",
    ),
    Limit(
        resource="Redirects in a row",
        constant="gateway.config:Config.max_redirects",
        unit="",
        owner="call",
        beyond="the call fails",
        test=f"{_UNIT}/test_inbound_calls.py::test_a_redirect_loop_ends",
        setting="GATEWAY_MAX_REDIRECTS",
    ),
    Limit(
        resource="Ended calls that can be fetched",
        constant="gateway.config:Config.ended_kept_max",
        unit="",
        owner="process",
        beyond="the oldest is forgotten; all are after 15 minutes",
        test=f"{_UNIT}/test_rest.py::test_ended_calls_are_kept_for_a_bounded_time_and_number",
    ),
    Limit(
        resource="Keys of the far end",
        constant="gateway.calls.live_call:KEYS_A_SECOND",
        unit="a second, 40 at once",
        owner="call",
        beyond="lost",
        test=f"{_NOISY}::test_keys_beyond_the_pace_are_dropped",
    ),
    Limit(
        resource="The SIP URI of a transfer",
        constant="gateway.api.params:MAX_REFER",
        unit="characters",
        owner="call",
        beyond="400",
        test=f"{_UNIT}/test_rest.py::test_a_target_to_which_no_refer_may_lead_is_refused",
    ),
    Limit(
        resource="Changes of the far end's hold that are told",
        constant="gateway.calls.hold:HOLDS_BURST",
        unit="at once, then one each 30 s",
        owner="call",
        beyond="told later, the last state only",
        test=f"{_UNIT}/test_hold.py"
        "::test_a_far_end_that_changes_its_mind_all_the_time_is_told_at_a_pace",
    ),
)

STREAMS = (
    Limit(
        resource="A message of a media stream's server",
        constant="gateway.media.stream:MAX_MESSAGE",
        unit="bytes",
        owner="call",
        beyond="the stream is closed",
        test=f"{_NOISY}::test_a_message_of_endless_fragments_closes_the_stream",
    ),
    Limit(
        resource="Audio that waits to be played",
        constant="gateway.media.playout_queue:LIMIT",
        unit="bytes",
        owner="call",
        beyond="dropped, with a warning",
        test=f"{_UNIT}/test_playout.py::test_more_than_ten_minutes_are_dropped",
    ),
    Limit(
        resource="Marks that wait to be played",
        constant="gateway.media.playout_queue:MARKS_LIMIT",
        unit="",
        owner="call",
        beyond="ignored, with a warning",
        test=f"{_UNIT}/test_playout.py::test_outstanding_marks_are_bounded",
    ),
    Limit(
        resource="A mark's name",
        constant="gateway.media.stream:MAX_MARK",
        unit="characters",
        owner="call",
        beyond="ignored, with a warning",
        test=f"{_NOISY}::test_a_mark_with_too_long_a_name_is_ignored",
    ),
    Limit(
        resource="Bytes that wait for a media stream's server",
        constant="gateway.media.stream:MAX_UNREAD",
        unit="bytes",
        owner="call",
        beyond="audio is dropped from 64 kB on, beyond this the stream is given up",
        test=f"{_NOISY}::test_a_relay_that_never_reads_loses_its_stream_and_the_call_goes_on",
    ),
    Limit(
        resource="Audio kept for a stream that is about to open",
        constant="gateway.media.early:EARLY",
        unit="frames",
        owner="call",
        beyond="the oldest is dropped",
        test=f"{_NOISY}::test_audio_kept_before_a_stream_opens_is_bounded",
    ),
    Limit(
        resource="Keys kept for a stream that is about to open",
        constant="gateway.media.early:EARLY_KEYS",
        unit="keys",
        owner="call",
        beyond="dropped",
        test="tests/unit/gateway/test_early_media.py::test_keys_beyond_the_limit_are_dropped",
    ),
    Limit(
        resource="Warnings about one kind of bad message",
        constant="gateway.media.stream:WARNINGS",
        unit="log lines",
        owner="call",
        beyond="not logged",
        test=f"{_UNIT}/test_media_streams.py::test_a_flood_of_bad_messages_does_not_flood_the_log",
    ),
)

APPLICATION = (
    Limit(
        resource="A document (TwiML)",
        constant="gateway.twiml.verbs:MAX_BYTES",
        unit="bytes",
        owner="call",
        beyond="the call fails",
        test=f"{_UNIT}/test_webhooks.py::test_an_answer_longer_than_64_kb_fails_the_call",
    ),
    Limit(
        resource="Depth of a document",
        constant="gateway.twiml.verbs:MAX_DEPTH",
        unit="elements",
        owner="call",
        beyond="the call fails",
        test=f"{_UNIT}/test_twiml.py::test_a_document_that_is_nested_too_deeply_is_refused",
    ),
    Limit(
        resource="Time for a document",
        constant="gateway.config:Config.webhook_timeout",
        unit="s",
        owner="call",
        beyond="asked for again",
        test=f"{_UNIT}/test_webhooks.py::"
        "test_an_application_that_fails_or_is_late_is_asked_again_while_the_call_rings",
        setting="GATEWAY_WEBHOOK_TIMEOUT",
    ),
    Limit(
        resource="Time for which a document is asked for again",
        constant="gateway.config:Config.webhook_patience",
        unit="s",
        owner="call",
        beyond="the call fails",
        test=f"{_UNIT}/test_webhooks.py::test_a_webhook_that_times_out_fails_the_call",
        setting="GATEWAY_WEBHOOK_PATIENCE",
    ),
    Limit(
        resource="Documents that wait for 10 s and more",
        constant="gateway.calls.webhooks:BEHIND_REQUESTS",
        unit="",
        owner="process",
        beyond="new calls get 503 until one is answered",
        test=f"{_UNIT}/test_webhooks.py::test_new_calls_are_refused_while_the_application_is_behind",
    ),
    Limit(
        resource="Status callbacks under way",
        constant="gateway.calls.webhooks:MAX_PENDING",
        unit="",
        owner="process",
        beyond="dropped, with an error in the log",
        test=f"{_NOISY}::test_status_callbacks_under_way_are_bounded",
    ),
    Limit(
        resource="Trunks",
        constant="gateway.trunks.application:MAX_TRUNKS",
        unit="",
        owner="process",
        beyond="the list is refused; what was known stays",
        test=f"{_NOISY}::test_trunks_are_bounded",
    ),
    Limit(
        resource="An answer of the application about trunks",
        constant="runtime.signed_post:MAX_ANSWER",
        unit="bytes",
        owner="process",
        beyond="refused and asked again",
        test=f"{_UNIT}/trunks/test_application.py::test_an_error_carries_the_problems_code",
    ),
    Limit(
        resource="Trunks that wait to be fetched by themselves",
        constant="gateway.trunks.registry:MAX_NUDGES",
        unit="",
        owner="process",
        beyond="the whole list is fetched",
        test=f"{_UNIT}/trunks/test_registry.py::test_too_many_nudges_are_replaced_by_a_fetch_of_the_list",
    ),
    Limit(
        resource="Networks of a trunk",
        constant="gateway.trunks.fields:MAX_NETWORKS",
        unit="",
        owner="trunk",
        beyond="the trunk fails, with the reason",
        test=f"{_UNIT}/trunks/test_trunk.py::test_unusable_values_of_the_newer_fields_are_refused",
    ),
    Limit(
        resource="Reports of a trunk that wait",
        constant="1",
        unit="",
        owner="trunk",
        beyond="the latest replaces it",
        test=f"{_UNIT}/trunks/test_reports.py::test_only_the_latest_status_follows_a_report_under_way",
    ),
)

FRONT = (
    Limit(
        resource="Gateway processes behind one front",
        constant="runtime.processors:MAX_PROCESSES",
        unit="",
        owner="installation",
        beyond="the gateway does not start",
        test=f"{_UNIT}/front/test_shares.py::test_a_wrong_number_of_processes_is_refused",
        setting="GATEWAY_PROCESSES",
    ),
    Limit(
        resource="Requests of the front to one gateway process",
        constant="gateway.front.link:MAX_IN_FLIGHT",
        unit="at once",
        owner="process",
        beyond="503",
        test=f"{_UNIT}/front/test_front.py::test_requests_to_a_process_are_bounded",
    ),
    Limit(
        resource="Sockets that the front passes on to one gateway process",
        constant="gateway.front.link:MAX_SOCKETS",
        unit="at once",
        owner="process",
        beyond="503 before the upgrade",
        test=f"{_UNIT}/front/test_front.py::test_sockets_to_a_process_are_bounded",
    ),
    Limit(
        resource="Time for an answer of a gateway process to the front",
        constant="gateway.front.link:ANSWERS_WITHIN_S",
        unit="s",
        owner="socket",
        beyond="503; a process that does not answer three health checks is started again",
        test=f"{_UNIT}/front/test_front.py::test_requests_to_a_process_are_bounded",
    ),
)

LIMITS: tuple[Limit, ...] = (
    *CALLS,
    *FRONT,
    *CONNECTION_LIMITS,
    *STREAMS,
    *APPLICATION,
    *SIP_LIMITS,
    *SIP_CALL_LIMITS,
    *SIP_MESSAGE_LIMITS,
    *SIP_PEER_LIMITS,
    *RTP_LIMITS,
)
