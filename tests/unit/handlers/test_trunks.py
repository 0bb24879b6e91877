"""Tests of trunks over REST: answers, refusals, and the password, which never shows."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from chalicelib import bootstrap
from chalicelib.domain.instant import to_text
from chalicelib.store.vault import KeyFileVault
from tests.support.http import TRUNK, RecordingTwilio, problem, serving
from tests.support.world import with_settings

E164 = "+33187654321"
ONE = f"/api/trunk/dids/{E164}"


@pytest.fixture
def twilio(world, monkeypatch):
    """The application with Twilio, which has a SIP domain."""
    world.deps = with_settings(world.deps, twilio_sip_domain="x.sip.twilio.com")
    with serving(world, monkeypatch) as served:
        deps = bootstrap.dependencies()
        both = replace(deps, providers={**deps.providers, "twilio": RecordingTwilio(world)})
        monkeypatch.setattr(bootstrap, "dependencies", lambda: both)
        yield served


def test_a_trunk_is_connected_changed_and_disconnected_over_rest(api, world):
    assert problem(api.call("GET", "/api/trunk")) == (404, "no_trunk")
    assert "PUT /api/trunk" in api.call("GET", "/api/trunk").json_body["detail"]
    made = api.call("PUT", "/api/trunk", {**TRUNK, "transport": "tls", "caller_id": E164})
    assert made.status_code == 201
    assert made.headers["Location"] == "https://api.test/api/api/trunk"
    view = made.json_body
    assert {name: view[name] for name in ("host", "port", "transport", "username", "provider")} == {
        "host": "sip.carrier.example",
        "port": None,
        "transport": "tls",
        "username": "acct42",
        "provider": "gateway",
    }
    assert (view["status"], view["sip_code"], view["dids"]) == ("registering", None, [])
    assert (view["revision"], view["caller_id"], view["allowed_countries"]) == (1, E164, [])
    assert view["detail"]
    assert "inbound_uri" not in view
    again = api.call("PUT", "/api/trunk", TRUNK)
    assert (again.status_code, again.json_body["revision"]) == (200, 2)
    assert again.json_body["caller_id"] is None
    assert api.call("GET", "/api/trunk").json_body == again.json_body
    assert api.call("DELETE", "/api/trunk").status_code == 204
    assert problem(api.call("GET", "/api/trunk")) == (404, "no_trunk")
    assert problem(api.call("DELETE", "/api/trunk")) == (404, "no_trunk")
    assert len(world.trunk_host.notified) == 3


def test_no_answer_contains_the_password(api, connected):
    answers = [
        api.call("PUT", "/api/trunk", TRUNK),
        api.call("GET", "/api/trunk"),
        api.call("PUT", "/api/trunk", {**TRUNK, "port": "s3cret-pw"}),
        api.call("PUT", "/api/trunk", {**TRUNK, "s3cret": 1}),
        api.call("PUT", "/api/trunk", {**TRUNK, "password": 's3cret-pw"'}),
        api.call("GET", "/api/events"),
    ]
    for answered in answers:
        text = json.dumps(answered.json_body)
        assert "s3cret-pw" not in text
        assert "sealed" not in text


def test_connecting_a_trunk_always_needs_a_password(api, connected):
    """A key alone must not be able to change where a trunk leads or whom it may dial."""
    without = {name: value for name, value in TRUNK.items() if name != "password"}
    answered = api.call("PUT", "/api/trunk", {**without, "allowed_countries": ["FR"]})
    assert problem(answered) == (422, "invalid")
    assert answered.json_body["errors"][0]["field"] == "password"
    assert api.call("GET", "/api/trunk").json_body == connected


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"host": "sip:carrier.example"}, "host", "sip.example.com"),
        ({"host": "127.0.0.1"}, "host", "public"),
        ({"host": "localhost"}, "host", "public"),
        ({"username": "a b"}, "username", "SIP accounts"),
        ({"password": "a\\b"}, "password", "SIP accounts"),
        ({"port": 70000}, "port", "65535"),
        ({"transport": "ws"}, "transport", "tls"),
        ({"host": "x.sip.twilio.com"}, "", "twilio.com"),
        ({"realm": "r" * 64 + "\r\nVia: x"}, "realm", "a realm is"),
        ({"transport": "tls", "host": "192.0.2.1"}, "", "name"),
        ({"colour": "red"}, "colour", "no such field"),
    ],
)
def test_invalid_settings_are_422_with_the_reason(api, changes, field, said):
    answered = api.call("PUT", "/api/trunk", {**TRUNK, **changes})
    assert problem(answered) == (422, "invalid")
    (error,) = answered.json_body["errors"]
    assert error["field"] == field
    assert said in error["message"]


def test_an_installation_without_a_vault_answers_with_the_operators_remedy(api, world, monkeypatch):
    deps = replace(bootstrap.dependencies(), vault=None)
    monkeypatch.setattr(bootstrap, "dependencies", lambda: deps)
    answered = api.call("PUT", "/api/trunk", TRUNK)
    assert problem(answered) == (503, "vault_missing")
    assert "CHAMADE_KEY_FILE" in answered.json_body["detail"]


def test_a_vault_without_its_key_is_503_without_its_path(api, monkeypatch, tmp_path):
    deps = replace(bootstrap.dependencies(), vault=KeyFileVault(tmp_path / "gone"))
    monkeypatch.setattr(bootstrap, "dependencies", lambda: deps)
    answered = api.call("PUT", "/api/trunk", TRUNK)
    assert problem(answered) == (503, "vault_unavailable")
    assert str(tmp_path) not in json.dumps(answered.json_body)


def test_a_twilio_trunk_gets_the_sip_uri_to_send_calls_to(twilio):
    view = twilio.call("PUT", "/api/trunk", {**TRUNK, "provider": "twilio"}).json_body
    assert view["status"] == "unregistered"
    assert view["inbound_uri"] == "sip:{number}@x.sip.twilio.com"
    assert view["inbound_uri"] in view["detail"]


def test_a_provider_that_is_not_configured_is_409(api):
    answered = api.call("PUT", "/api/trunk", {**TRUNK, "provider": "twilio"})
    assert problem(answered) == (409, "provider_not_configured")


def test_trunk_numbers_are_added_changed_and_removed_over_rest(api, connected):
    made = api.call("POST", "/api/trunk/dids", {"e164": "+33 1 87 65 43 21", "label": "Desk"})
    assert made.status_code == 201
    assert made.headers["Location"] == f"https://api.test/api{ONE}"
    assert made.json_body == {
        "e164": E164,
        "trunk_id": connected["trunk_id"],
        "label": "Desk",
        "agent_url": None,
        "auto_answer": False,
        "voice": "own",
        "voice_settings": None,
        "recording": "off",
        "recording_announce": "beep",
        "added_at": made.json_body["added_at"],
        "called_at": None,
    }
    changes = {"auto_answer": True, "agent_url": "wss://agent.example/"}
    changed = api.call("PATCH", ONE, changes).json_body
    assert changed == {**made.json_body, **changes}
    assert api.call("GET", f"/api/trunk/dids/{quote(E164, safe='')}").json_body == changed
    assert api.call("GET", "/api/trunk").json_body["dids"] == [changed]
    assert api.call("DELETE", ONE).status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        gone = api.call(method, ONE, {})
        assert problem(gone) == (404, "number_not_found")
        assert gone.json_body["detail"].startswith("It is none of your trunk's numbers. ")


def test_called_at_is_set_by_calls_and_not_by_requests(api, world, connected):
    when = "2026-11-22T15:36:40.011Z"
    for method, path, body in (
        ("POST", "/api/trunk/dids", {"e164": E164, "called_at": when}),
        ("PATCH", ONE, {"called_at": when}),
    ):
        api.call("POST", "/api/trunk/dids", {"e164": E164})
        assert problem(api.call(method, path, body)) == (422, "invalid")
    assert api.call("GET", ONE).json_body["called_at"] is None
    world.call_number(world.stores.trunks.get(connected["trunk_id"]), E164)
    assert api.call("GET", ONE).json_body["called_at"] == to_text(world.clock())
    assert api.call("GET", "/api/trunk").json_body["dids"][0]["called_at"]


def test_too_many_connects_are_429_with_retry_after_and_remedy(api, connected, monkeypatch):
    monkeypatch.setattr("chalicelib.store.trunk_limits.MAX_CONNECTS", 1)
    refused = api.call("PUT", "/api/trunk", {**TRUNK, "port": 5080})
    assert problem(refused) == (429, "trunk_rate")
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600
    assert refused.json_body["limit"] == 1
    assert "GET /api/trunk" in refused.json_body["detail"]
    assert api.call("GET", "/api/trunk").json_body == connected


def test_adding_a_number_needs_a_trunk(api):
    assert problem(api.call("POST", "/api/trunk/dids", {"e164": E164})) == (404, "no_trunk")
    for method in ("GET", "PATCH", "DELETE"):
        assert problem(api.call(method, ONE, {})) == (404, "no_trunk")


def test_a_number_already_added_is_409_with_its_url(api, connected):
    api.call("POST", "/api/trunk/dids", {"e164": E164})
    again = api.call("POST", "/api/trunk/dids", {"e164": E164})
    assert problem(again) == (409, "number_taken")
    assert again.json_body["detail"] == (
        f"{E164} is already added to your trunk: nothing is left to do. "
        f"PATCH /api/trunk/dids/{E164} changes it."
    )


def test_a_number_of_another_trunk_at_twilio_is_409(twilio, world):
    _, foreign = world.new_account()
    for key in (foreign, world.key):
        twilio.call("PUT", "/api/trunk", {**TRUNK, "provider": "twilio"}, key=key)
    body = {"e164": "+33187654399"}
    assert twilio.call("POST", "/api/trunk/dids", body, key=foreign).status_code == 201
    refused = twilio.call("POST", "/api/trunk/dids", body)
    assert problem(refused) == (409, "number_taken")
    assert "another trunk" in refused.json_body["detail"]


def test_too_many_numbers_are_409(api, connected, monkeypatch):
    monkeypatch.setattr("chalicelib.store.dids.MAX_DIDS", 1)
    api.call("POST", "/api/trunk/dids", {"e164": E164})
    refused = api.call("POST", "/api/trunk/dids", {"e164": "+33187654322"})
    assert problem(refused) == (409, "too_many_dids")


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "e164"), ({"e164": "0187654321"}, "e164"), ({"e164": E164, "agent_url": "http://x"},
     "agent_url"), ({"e164": E164, "label": "x" * 101}, "label"), ({"e164": E164, "x": 1}, "x")],
)  # fmt: skip
def test_a_malformed_number_is_422(api, connected, body, field):
    answered = api.call("POST", "/api/trunk/dids", body)
    assert problem(answered) == (422, "invalid")
    assert answered.json_body["errors"][0]["field"] == field


def test_another_accounts_trunk_and_numbers_are_not_found(api, world, connected):
    _, foreign = world.new_account()
    api.call("POST", "/api/trunk/dids", {"e164": E164})
    for method, path in (("GET", "/api/trunk"), ("DELETE", "/api/trunk"), ("GET", ONE)):
        assert problem(api.call(method, path, key=foreign)) == (404, "no_trunk")
    api.call("PUT", "/api/trunk", TRUNK, key=foreign)
    for method in ("GET", "PATCH", "DELETE"):
        assert problem(api.call(method, ONE, {}, key=foreign)) == (404, "number_not_found")
    assert api.call("GET", "/api/trunk", key=foreign).json_body["dids"] == []
    assert api.call("GET", ONE).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/api/trunk"), ("GET", "/api/trunk"), ("DELETE", "/api/trunk"),
     ("POST", "/api/trunk/dids"), ("GET", ONE), ("PATCH", ONE), ("DELETE", ONE)],
)  # fmt: skip
def test_trunk_requests_without_a_key_are_refused(api, method, path):
    assert problem(api.call(method, path, TRUNK, key="")) == (401, "bad_key")


def test_a_pool_number_is_409_as_trunk_number_and_as_caller_id(api, world, connected):
    for answered in (
        api.call("POST", "/api/trunk/dids", {"e164": world.number}),
        api.call("PUT", "/api/trunk", {**TRUNK, "caller_id": world.number}),
    ):
        assert problem(answered) == (409, "number_reserved")
        assert "POST /api/number" in answered.json_body["detail"]


def test_a_host_of_this_installation_is_422(api, monkeypatch):
    deps = with_settings(bootstrap.dependencies(), own_hosts=frozenset({"api.test"}))
    monkeypatch.setattr(bootstrap, "dependencies", lambda: deps)
    answered = api.call("PUT", "/api/trunk", {**TRUNK, "host": "API.test."})
    assert problem(answered) == (422, "invalid")
    assert answered.json_body["errors"][0]["field"] == "host"
