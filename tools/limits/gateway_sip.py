"""Limits of the gateway's SIP legs and their children."""

from __future__ import annotations

from tools.limits.limit import Limit

_TESTS = "tests/unit/gateway/sip"

SIP_LIMITS: tuple[Limit, ...] = (
    Limit(
        "SIP children",
        "gateway.config:Config.sip_children",
        "processes",
        "installation",
        "the operator's choice; each has the bounds below",
        "tests/unit/gateway/test_parts.py::test_a_wrong_setting_is_named",
        "GATEWAY_SIP_CHILDREN",
    ),
    Limit(
        "trunks of a SIP child",
        "gateway.legs.sip.bounds:TRUNKS_PER_CHILD",
        "trunks",
        "process",
        "it goes to another child; with all full it fails, with the reason, until one goes",
        f"{_TESTS}/test_many_trunks.py::test_a_trunk_too_many_fails_until_another_is_dropped",
        "GATEWAY_SIP_CHILDREN",
    ),
    Limit(
        "user agents and calls of a SIP child (the library's handles)",
        "gateway.legs.sip.child.handles:HANDLES",
        "handles",
        "process",
        "never reached: an agent a trunk, one left behind for a call at most, and the calls",
        f"{_TESTS}/test_bounds.py::test_a_childs_bounds_fit_into_the_librarys_tables",
    ),
    Limit(
        "user agents of a trunk",
        "one, and one for each call that its former settings still have",
        "",
        "trunk",
        "new settings wait until the agent before them is given back",
        f"{_TESTS}/test_agents.py::test_changing_a_trunk_more_often_than_there_are_handles_leaves_one_agent",
    ),
    Limit(
        "calls of a SIP child",
        "gateway.legs.sip.bounds:CALLS_PER_CHILD",
        "calls",
        "process",
        "a dial fails at once (503, with the reason), an INVITE is answered 486",
        f"{_TESTS}/test_bounds.py::test_a_full_child_takes_no_call",
        "GATEWAY_SIP_CHILDREN",
    ),
    Limit(
        "calls of a SIP child that belong to no trunk",
        "gateway.legs.sip.bounds:STRANGERS_PER_CHILD",
        "calls",
        "process",
        "486",
        f"{_TESTS}/test_bounds.py::test_calls_without_a_trunk_leave_places_for_trunks",
    ),
    Limit(
        "registrations that a SIP child begins in a second",
        "gateway.legs.sip.child.pace:PER_SECOND",
        "trunks",
        "process",
        "the others wait their turn; a trunk has one",
        f"{_TESTS}/test_many_trunks.py::"
        "test_a_child_registers_many_trunks_one_by_one_without_stutter",
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
        "calls whose events the child keeps until their leg is there",
        "gateway.legs.sip.child.early:CALLS",
        "calls",
        "process",
        "the oldest are forgotten",
        f"{_TESTS}/test_early.py::test_events_of_calls_without_a_leg_are_bounded",
    ),
    Limit(
        "keys that wait to be pressed in a call",
        "gateway.legs.sip.child.calls:KEYS",
        "keys",
        "call",
        "further ones are dropped",
        f"{_TESTS}/test_dialling.py::test_keys_are_sent_one_after_the_other",
    ),
    Limit(
        "sound that waits for a SIP child",
        "gateway.legs.sip.link:BUFFER_LIMIT",
        "bytes",
        "process",
        "sound is dropped, never a command",
        f"{_TESTS}/test_early.py::test_audio_for_a_child_that_does_not_read_is_dropped",
    ),
    Limit(
        "a message between gateway and SIP child",
        "gateway.legs.sip.codec:MAX_FRAME",
        "bytes",
        "process",
        "the child is replaced",
        f"{_TESTS}/test_codec.py::test_an_overlong_frame_is_refused",
    ),
)
