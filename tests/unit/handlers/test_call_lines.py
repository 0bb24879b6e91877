"""Tests of hold, transfer and clips over HTTP and MCP: status, shape, and the codes of refusals."""

from __future__ import annotations

import base64
import json

import pytest

from chalicelib import bootstrap
from chalicelib.handlers.clips import MAX_BODY, SILENT_WAV
from chalicelib.handlers.mcp.perform import perform
from chalicelib.handlers.mcp.tools import TOOLS
from tests.support.relay_door import talking
from tests.support.world import CALLEE


@pytest.fixture
def call(world):
    world.register_trunk()
    return talking(world, voice="own")


def code(answer) -> tuple[int, str]:
    return answer.status_code, answer.json_body["code"]


def test_a_call_shows_that_it_is_held(api, call):
    path = f"/api/call/{call.call_id}"
    assert api.call("POST", f"{path}/hold", {"music": False}).json_body["hold"] == "agent"
    assert api.call("GET", path).json_body["hold"] == "agent"
    assert "hold" not in api.call("POST", f"{path}/resume").json_body
    assert api.call("POST", f"{path}/hold").status_code == 200
    assert code(api.call("POST", f"{path}/hold", {"music": "Not A Name"})) == (422, "invalid")
    assert code(api.call("POST", f"{path}/hold", {"music": "none"})) == (404, "clip_not_found")


def test_a_transfer_is_answered_202_with_the_third_partys_call(api, call, once):
    path = f"/api/call/{call.call_id}/transfer"
    body = {"to": CALLEE, "mode": "warm"}
    first, again = once(path, body), once(path, body)
    assert first.status_code == again.status_code == 202
    assert first.json_body == again.json_body
    shown = first.json_body["transfer"]
    assert (shown["state"], shown["to"], shown["mode"]) == ("dialling", CALLEE, "warm")
    leg = api.call("GET", f"/api/call/{shown['call_id']}").json_body
    assert (leg["kind"], leg["parent_call_id"]) == ("transfer_leg", call.call_id)
    assert leg["audio"]["token"]
    assert code(api.call("POST", path, body)) == (409, "transfer_under_way")
    assert code(api.call("POST", f"{path}/complete")) == (409, "transfer_not_answered")
    assert api.call("POST", f"{path}/cancel").json_body["transfer"]["state"] == "cancelled"
    assert code(api.call("POST", f"{path}/cancel")) == (409, "no_transfer")


@pytest.mark.parametrize(
    "body",
    [
        {"to": "0199001234", "mode": "cold"},
        {"to": CALLEE},
        {"to": CALLEE, "mode": "blind"},
        {"to": CALLEE, "mode": "cold", "timeout_s": 4},
        {"to": CALLEE, "mode": "cold", "timeout_s": 121},
        {"to": CALLEE, "mode": "cold", "on_failure": "retry"},
    ],
)
def test_an_invalid_transfer_is_422(api, call, body):
    assert code(api.call("POST", f"/api/call/{call.call_id}/transfer", body)) == (422, "invalid")


def test_clips_are_kept_listed_and_deleted(api):
    for status in (201, 200):
        answer = api.call("PUT", "/api/clip/on-hold", {"wav": SILENT_WAV})
        assert (answer.status_code, answer.json_body["duration_ms"]) == (status, 1)
    listed = api.call("GET", "/api/clips").json_body
    assert [clip["name"] for clip in listed["clips"]] == ["on-hold"]
    assert api.call("DELETE", "/api/clip/on-hold").status_code == 204
    assert code(api.call("DELETE", "/api/clip/on-hold")) == (404, "clip_not_found")


def test_a_clip_that_cannot_be_used_is_refused_with_the_reason(api):
    given = {"wav": base64.b64encode(b"ID3").decode()}
    answer = api.call("PUT", "/api/clip/on-hold", given)
    assert code(answer) == (422, "bad_clip")
    assert "no WAV" in answer.json_body["detail"]
    assert code(api.call("PUT", "/api/clip/On Hold", {"wav": SILENT_WAV})) == (422, "bad_clip")
    assert code(api.call("PUT", "/api/clip/x", {"wav": "A" * MAX_BODY})) == (413, "too_large")


def test_a_model_transfers_a_call_and_gives_up(api, world, call):
    assert api

    def use(tool, **arguments):
        done = perform(TOOLS[tool], {"call_id": call.call_id, **arguments}, world.deps,
                       world.account_id)  # fmt: skip
        return done.content

    assert use("chamade_call_hold")["hold"] == "agent"
    assert "hold" not in use("chamade_call_resume")
    begun = use("chamade_call_transfer", to=CALLEE, mode="cold")
    assert begun["transfer"]["state"] == "dialling"
    refused = use("chamade_call_transfer", to=CALLEE, mode="cold")
    assert refused["code"] == "transfer_under_way"
    assert "chamade_call_transfer_cancel" in refused["remedy"]
    assert use("chamade_call_transfer_cancel")["transfer"]["state"] == "cancelled"
    assert json.dumps(begun)


def test_a_relay_gets_the_audio_of_a_clip_if_it_asks_with_a_signature(api, world, call):
    api.call("PUT", "/api/clip/on-hold", {"wav": SILENT_WAV})
    (clip,) = world.stores.clips.all(world.account_id)
    asked = {"relay": "relay-1", "call_id": call.call_id, "clip_id": clip.clip_id}
    got = api.control("/media/clip", asked).json_body["ulaw"]
    assert base64.b64decode(got) == b"\xff" * 8
    assert code(api.control("/media/clip", asked, secret="wrong")) == (401, "bad_signature")
    missing = api.control("/media/clip", {**asked, "clip_id": "clip_x"})
    assert code(missing) == (404, "clip_not_found")


def test_a_line_is_in_the_answers_to_relays(api, world, call):
    api.call("POST", f"/api/call/{call.call_id}/hold")
    asked = {"relay": "relay-1", "call_id": call.call_id, "type": "watch"}
    answer = api.control("/media/report", asked).json_body
    assert answer["line"] == {"number": 1, "mode": "hold", "source": {"kind": "music"}}


def test_the_outcome_of_a_refer_comes_by_a_status_webhook(api, world, call, monkeypatch):
    provider = bootstrap.dependencies().providers["gateway"]
    monkeypatch.setattr(provider, "refers", True)
    monkeypatch.setattr(provider, "refer", world.provider.refer)
    path = f"/api/call/{call.call_id}"
    begun = api.call("POST", f"{path}/transfer", {"to": CALLEE, "mode": "refer"})
    assert begun.json_body["transfer"]["state"] == "dialling"
    form = {"CallSid": call.provider_call_id, "CallStatus": "in-progress", "ReferStatus": "200"}
    assert api.webhook("status", form).status_code == 204
    over = api.call("GET", path).json_body
    assert (over["end_reason"], over["transfer"]["state"]) == ("transferred", "completed")
