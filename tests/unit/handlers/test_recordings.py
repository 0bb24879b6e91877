"""`/api/…recording…` and `/media/recording` over HTTP."""

from __future__ import annotations

import pytest

from chalicelib import bootstrap
from chalicelib.domain.call_transitions import Act
from chalicelib.handlers.media import MAX_SEGMENTS, MAX_START_MS
from chalicelib.services.call import compose
from chalicelib.services.call.transition import settle
from tests.support.http import problem
from tests.support.object_store import composed_by, objects_of

PATH = "/media/recording"


@pytest.fixture
def call(api, world):
    return settle(world.deps, world.ringing(), Act.ANSWER)


def change(api, call, action, **more):
    return api.call("POST", f"/api/call/{call.call_id}/recording", {"action": action, **more})


def started(api, call):
    return change(api, call, "start").json_body["recording"]["recording_id"]


def relay(api, call, recording_id, **more):
    """Post as a relay does."""
    body = {"relay": "relay-1", "call_id": call.call_id, "recording_id": recording_id}
    return api.control(PATH, body | more)


def test_a_call_is_recorded_read_and_deleted(api, call):
    recording_id = started(api, call)
    shown = api.call("GET", f"/api/recording/{recording_id}").json_body
    assert (shown["state"], shown["url"], shown["bytes"]) == ("recording", None, None)
    assert "recording" not in change(api, call, "stop").json_body
    shown = api.call("GET", f"/api/call/{call.call_id}/recordings").json_body["recordings"]
    assert [each["state"] for each in shown] == ["processing"]
    deps = bootstrap.dependencies()
    recording = deps.stores.recordings.get(recording_id)
    objects_of(deps).kept[recording.segment(0)] = bytes(16_000)
    compose.compose(deps, recording_id)
    shown = api.call("GET", f"/api/recording/{recording_id}").json_body
    assert (shown["state"], shown["duration_ms"]) == ("ready", 1000)
    assert shown["url"].startswith("https://bucket.example/recordings/")
    assert shown["url_expires_at"]
    assert api.call("DELETE", f"/api/recording/{recording_id}").status_code == 204
    assert problem(api.call("GET", f"/api/recording/{recording_id}")) == (
        404,
        "recording_not_found",
    )


def test_a_recording_that_goes_on_cannot_be_deleted(api, call):
    answer = api.call("DELETE", f"/api/recording/{started(api, call)}")
    assert problem(answer) == (409, "recording_not_over")


def test_a_pause_of_nothing_is_409(api, call):
    assert problem(change(api, call, "pause")) == (409, "not_recorded")


def test_an_unknown_action_is_422(api, call):
    assert problem(change(api, call, "rewind")) == (422, "invalid")


def test_a_number_s_calls_are_recorded_if_it_says_so(api, world):
    world.deps = bootstrap.dependencies()
    changed = api.call("PATCH", f"/api/number/{world.number}", {"recording": "on"})
    assert (changed.json_body["recording"], changed.json_body["recording_announce"]) == (
        "on",
        "beep",
    )
    ringing = world.ringing()
    accepted = api.call("POST", f"/api/call/{ringing.call_id}/accept").json_body
    assert accepted["recording"]["state"] == "on"


def test_an_accept_may_turn_it_on_or_off(api, world):
    ringing = world.ringing()
    path = f"/api/call/{ringing.call_id}/accept"
    accepted = api.call("POST", path, {"recording": "on", "recording_announce": "none"})
    assert accepted.json_body["recording"]["state"] == "on"


def test_relays_are_told_in_every_answer(api, call):
    watch = {"relay": "relay-1", "call_id": call.call_id, "type": "watch"}
    assert "recording" not in api.control("/media/report", watch).json_body
    recording_id = started(api, call)
    told = api.control("/media/report", watch).json_body["recording"]
    assert (told["recording_id"], told["state"], told["number"]) == (recording_id, "on", 1)


def test_relays_are_given_a_url_for_each_segment(api, call):
    recording_id = started(api, call)
    answer = relay(api, call, recording_id, starts_ms=[0, 4000])
    assert set(answer.json_body["uploads"]) == {"0", "4000"}
    assert recording_id in answer.json_body["uploads"]["4000"]["url"]


def test_relays_ask_for_a_few_segments_of_a_day(api, call):
    recording_id = started(api, call)
    many = list(range(MAX_SEGMENTS + 1))
    for starts in (many, [MAX_START_MS + 1], [-1]):
        assert relay(api, call, recording_id, starts_ms=starts).status_code == 422


def test_the_relay_s_word_starts_the_composition(api, call):
    recording_id = started(api, call)
    change(api, call, "stop")
    assert relay(api, call, recording_id, over=True).status_code == 200
    assert composed_by(bootstrap.dependencies()) == [recording_id]


def test_a_relay_with_another_secret_gets_no_url(api, call):
    recording_id = started(api, call)
    body = {"relay": "r", "call_id": call.call_id, "recording_id": recording_id, "starts_ms": [0]}
    assert api.control(PATH, body, secret="guessed").status_code == 401


def test_a_recording_of_another_call_is_unknown_to_a_relay(api, world, call):
    recording_id = started(api, call)
    other = settle(world.deps, world.ringing(), Act.ANSWER)
    answer = relay(api, other, recording_id, starts_ms=[0])
    assert problem(answer) == (404, "recording_not_found")
