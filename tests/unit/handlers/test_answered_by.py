"""Tests of who answered a call that was dialled: as relays report it, and as Twilio posts it."""

from __future__ import annotations

import itertools

import pytest

from chalicelib.domain.answered import Detection, Found
from chalicelib.domain.call_transitions import Act
from chalicelib.services import inbox
from chalicelib.services.call import answered
from chalicelib.services.call.transition import settle
from tests.support.http import problem
from tests.unit.handlers.test_dialling import dial, form
from tests.unit.handlers.test_media import provider_attach

BY, ENDED = "call.answered_by", "call.machine_greeting_ended"


@pytest.fixture
def talking(api, world):
    """Makes a call that was answered, with what is to be found out."""
    world.register_trunk()

    def make(**wanted):
        call = dial(api, **wanted).json_body
        api.webhook("answered", form(call), dialled=call["call_id"])
        return world.stores.calls.get(call["call_id"])

    return make


def report(api, call, kind, relay="r", **more):
    body = {"relay": relay, "call_id": call.call_id, "type": kind, **more}
    return api.control("/media/report", body)


def told(world):
    events, _ = inbox.read(world.deps, world.account_id, None, 0)
    return [
        (event.type.value, {k: v for k, v in event.data.items() if k != "call_id"})
        for event in events
        if event.type.value in (BY, ENDED)
    ]


def shown(api, call):
    view = api.call("GET", f"/api/call/{call.call_id}").json_body
    return {name: view.get(name) for name in ("answered_by", "greeting_ended_by")}


def test_a_relay_is_asked_only_about_calls_whose_answer_is_wanted(api, world, talking):
    asked = [
        api.control("/media/attach", provider_attach(world, talking(**wanted))).json_body
        for wanted in ({}, {"detect_answer": "on"}, {"detect_answer": "greeting_end"})
    ]
    assert [each.get("detect") for each in asked] == [
        None,
        {"until": "answer", "answered_by": None},
        {"until": "greeting_end", "answered_by": None},
    ]


def test_a_machine_and_the_end_of_its_greeting_are_shown_and_told_once_each(api, world, talking):
    call = talking(detect_answer="greeting_end")
    for _ in range(2):
        after = report(api, call, "answered_by", answered_by="machine", at_ms=3100).json_body
        assert after["detect"] == {"until": "greeting_end", "answered_by": "machine"}
    for _ in range(2):
        after = report(api, call, "greeting_ended", ended_by="beep", at_ms=9000).json_body
        assert "detect" not in after
    assert told(world) == [
        (BY, {"answered_by": "machine", "at_ms": 3100}),
        (ENDED, {"ended_by": "beep", "at_ms": 9000}),
    ]
    assert shown(api, call) == {"answered_by": "machine", "greeting_ended_by": "beep"}
    assert world.reread(call).version == call.version, "that is no transition"


def test_the_end_of_a_greeting_tells_of_the_machine_if_the_report_before_it_was_lost(
    api, world, talking
):
    call = talking(detect_answer="greeting_end")
    report(api, call, "greeting_ended", ended_by="silence", at_ms=9000)
    assert [type_ for type_, _ in told(world)] == [BY, ENDED]


@pytest.mark.parametrize("by", ["human", "fax", "unknown"])
def test_nothing_more_is_asked_about_who_is_no_machine(api, world, talking, by):
    call = talking(detect_answer="greeting_end")
    assert "detect" not in report(api, call, "answered_by", answered_by=by, at_ms=1).json_body
    report(api, call, "greeting_ended", ended_by="beep", at_ms=2)
    report(api, call, "answered_by", answered_by="machine", at_ms=3)
    assert told(world) == [(BY, {"answered_by": by, "at_ms": 1})]


def test_what_nobody_asked_for_is_not_noted(api, world, talking):
    plain, short = talking(), talking(detect_answer="on")
    report(api, plain, "answered_by", answered_by="human", at_ms=1)
    report(api, short, "greeting_ended", ended_by="beep", at_ms=1)
    assert told(world) == [(BY, {"answered_by": "machine", "at_ms": 1})]
    assert shown(api, plain) == {"answered_by": None, "greeting_ended_by": None}


def test_a_call_that_is_over_tells_no_more(api, world, talking):
    call = talking(detect_answer="on")
    settle(world.deps, call, Act.CALLEE_HANGUP)
    assert "detect" not in report(api, call, "answered_by", answered_by="human").json_body
    assert told(world) == []


def test_a_relay_that_does_not_hold_the_call_is_not_believed(api, world, talking):
    call = talking(detect_answer="on")
    api.control("/media/attach", provider_attach(world, call))
    refused = report(api, call, "answered_by", relay="other", answered_by="human")
    assert problem(refused) == (409, "owned_elsewhere")
    assert told(world) == []


def test_a_transition_that_read_the_call_before_does_not_forget_the_answer(world, talking, api):
    call = talking(detect_answer="on")
    report(api, call, "answered_by", answered_by="human", at_ms=1)
    over = settle(world.deps, call, Act.CALLEE_HANGUP)
    assert over.detection.answered_by == "human"
    assert world.reread(call).detection.answered_by == "human"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_facts_in_any_order_are_each_told_once(world, talking, order):
    call = talking(detect_answer="greeting_end")
    facts = [Found("machine"), Found("machine", "beep"), Found("machine", "silence")]
    for number in order:
        answered.note(world.deps, call, facts[number])  # each has read the call before the others
    types = [type_ for type_, _ in told(world)]
    assert types == [BY, ENDED]
    assert world.reread(call).detection.over


def test_a_detection_knows_each_fact_once():
    wanted = Detection(wanted="greeting_end")
    known = wanted.after(Found("machine")).after(Found("human", "beep"))
    assert (known.answered_by, known.ended_by, known.step) == ("machine", "beep", 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "answered_by"},
        {"type": "answered_by", "answered_by": "dog"},
        {"type": "watch", "answered_by": "human"},
        {"type": "greeting_ended", "ended_by": "bang"},
        {"type": "answered_by", "answered_by": "human", "at_ms": -1},
    ],
)
def test_reports_that_say_nothing_or_nonsense_are_422(api, talking, wrong):
    call = talking(detect_answer="on")
    body = {"relay": "r", "call_id": call.call_id, **wrong}
    assert api.control("/media/report", body).status_code == 422


POSTS = {
    "human": [(BY, {"answered_by": "human", "at_ms": 2400})],
    "fax": [(BY, {"answered_by": "fax", "at_ms": 2400})],
    "unknown": [(BY, {"answered_by": "unknown", "at_ms": 2400})],
    "machine_start": [(BY, {"answered_by": "machine", "at_ms": 2400})],
    "machine_end_beep": [
        (BY, {"answered_by": "machine", "at_ms": 2400}),
        (ENDED, {"ended_by": "beep", "at_ms": 2400}),
    ],
    "machine_end_silence": [
        (BY, {"answered_by": "machine", "at_ms": 2400}),
        (ENDED, {"ended_by": "silence", "at_ms": 2400}),
    ],
    "machine_end_other": [
        (BY, {"answered_by": "machine", "at_ms": 2400}),
        (ENDED, {"ended_by": "timeout", "at_ms": 2400}),
    ],
    "something_new": [],
}


@pytest.mark.parametrize(("word", "events"), POSTS.items())
def test_what_twilio_finds_out_becomes_the_same_events(api, world, talking, word, events):
    call = talking(detect_answer="greeting_end")
    post = {
        "CallSid": call.provider_call_id,
        "AccountSid": "AC" + "0" * 32,
        "AnsweredBy": word,
        "MachineDetectionDuration": "2400",
    }
    for _ in range(2):
        assert api.webhook("amd", post, dialled=call.call_id).status_code == 204
    assert told(world) == events


def test_a_post_about_an_answer_is_signed_and_about_the_providers_own_call(api, world, talking):
    call = talking(detect_answer="on")
    post = {"CallSid": call.provider_call_id, "AnsweredBy": "human"}
    forged = api.webhook("amd", post, signature="x", dialled=call.call_id)
    assert problem(forged) == (403, "bad_signature")
    other = api.webhook("amd", {**post, "CallSid": "CAother"}, dialled=call.call_id)
    assert problem(other) == (404, "call_not_found")
    assert problem(api.webhook("amd", post)) == (404, "call_not_found")
    assert told(world) == []


def test_a_wish_that_there_is_not_is_422(api, world):
    world.register_trunk()
    assert dial(api, detect_answer="maybe").status_code == 422
