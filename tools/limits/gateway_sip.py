"""Limits of the gateway's SIP legs and trunks."""

from __future__ import annotations

from tools.limits.limit import Limit

_TESTS = "tests/unit/gateway/sip"

SIP_LIMITS: tuple[Limit, ...] = (
    Limit(
        "trunks that are kept registered",
        "gateway.legs.sip.trunk_lines:MAX_TRUNKS",
        "trunks",
        "process",
        "it fails, with the reason, until another one goes",
        f"{_TESTS}/test_many_trunks.py::test_a_trunk_too_many_fails_until_another_is_dropped",
    ),
    Limit(
        "trunks of other gateway processes that are known",
        "gateway.legs.sip.trunk_lines:MAX_OTHERS",
        "trunks",
        "process",
        "no call goes out by it in this process",
        f"{_TESTS}/test_trunks_of_other_processes.py::"
        "test_trunks_of_other_processes_are_bounded_and_take_no_room_of_ours",
    ),
    Limit(
        "networks of all trunks from which calls are taken",
        "gateway.trunks.networks:MAX_NETWORKS",
        "networks",
        "process",
        "the trunk fails, with the reason, until another one goes",
        f"{_TESTS}/test_calls_from_networks.py"
        "::test_a_trunk_whose_networks_find_no_room_has_failed_until_another_one_goes",
    ),
    Limit(
        "networks of one message to the edge",
        "gateway.trunks.networks:TOLD_AT_ONCE",
        "networks",
        "process",
        "the next message has the others",
        f"{_TESTS}/test_edge_networks.py"
        "::test_messages_are_short_and_one_follows_the_answer_to_the_other",
    ),
    Limit(
        "registrations that are begun in a second",
        "gateway.legs.sip.pace:PER_SECOND",
        "trunks",
        "process",
        "the others wait their turn; a trunk has one",
        f"{_TESTS}/test_many_trunks.py::test_many_trunks_are_registered_one_by_one",
    ),
    Limit(
        "names looked up at a time",
        "gateway.trunks.ssrf:LOOKUPS",
        "names",
        "process",
        "others wait up to 4 s for their turn; a trunk has one look-up",
        "tests/unit/gateway/trunks/test_trunk.py::"
        "test_unanswered_look_ups_hold_a_bounded_number_of_threads",
    ),
    Limit(
        "searches for servers by NAPTR and SRV at a time",
        "gateway.legs.sip.lookup:SEARCHES",
        "trunks",
        "process",
        "others wait for their turn; a trunk has one search",
        f"{_TESTS}/test_servers.py::test_searches_at_a_time_are_bounded",
    ),
    Limit(
        "time in which a carrier must say anything about an INVITE, if there is another trunk",
        "gateway.legs.sip.fall_over:HEARD_WITHIN",
        "s",
        "call",
        "the next trunk is tried; what comes of the first is cancelled or hung up",
        f"{_TESTS}/test_routes.py::test_a_silent_trunk_is_left_for_the_next",
    ),
    Limit(
        "OPTIONS to a carrier that wait for an answer",
        "1",
        "",
        "trunk",
        "an answer to the one before is not waited for any more",
        "tests/unit/sip/test_keep_alive.py::"
        "test_an_answer_that_comes_after_the_silence_was_told_changes_nothing",
    ),
    Limit(
        "calls over SIP",
        "gateway.legs.sip.bounds:MAX_CALLS",
        "calls",
        "process",
        "a dial fails at once (503, with the reason), an INVITE is answered 486",
        f"{_TESTS}/test_bounds.py::test_a_full_gateway_takes_no_call",
    ),
    Limit(
        "calls over SIP that belong to no trunk",
        "gateway.legs.sip.bounds:MAX_STRANGERS",
        "calls",
        "process",
        "486",
        f"{_TESTS}/test_bounds.py::test_calls_without_a_trunk_leave_places_for_trunks",
    ),
    Limit(
        "frames of 20 ms that wait to be sent",
        "gateway.legs.sip.call_audio:MAX_WAITING",
        "frames",
        "call",
        "the oldest are dropped",
        f"{_TESTS}/test_call_audio.py::test_of_more_frames_than_may_wait_the_oldest_are_dropped",
    ),
)
