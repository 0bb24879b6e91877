"""Trunks over REST: answers, refusals, and what never shows."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from chalicelib import bootstrap
from chalicelib.domain.instant import to_text
from chalicelib.store.vault import KeyFileVault
from tests.support.http import TRUNK, QuietTwilio, problem, serving

E164 = "+33187654321"
ONE = f"/api/trunk/dids/{E164}"


@pytest.fixture
def twilio(world, monkeypatch):
    """The application with Twilio, which has a SIP domain."""
    world.ports = replace(world.ports, twilio_sip_domain="x.sip.twilio.com")
    with serving(world, monkeypatch) as served:
        ports = bootstrap.ports()
        both = replace(ports, providers={**ports.providers, "twilio": QuietTwilio(world)})
        monkeypatch.setattr(bootstrap, "ports", lambda: both)
        yield served


def test_a_trunk_lives_its_life_over_rest(api, world):
    assert problem(api.call("GET", "/api/trunk")) == (404, "no_trunk")
    assert "PUT /api/trunk" in api.call("GET", "/api/trunk").json_body["detail"]
    made = api.call("PUT", "/api/trunk", {**TRUNK, "transport": "tls", "caller_id": E164})
    assert made.status_code == 201
    assert made.headers["Location"] == "https://api.test/api/api/trunk"
    view = made.json_body
    assert {name: view[name] for name in ("host", "port", "transport", "username", "provider")} == {
        "host": "sip.carrier.example",
        "port": 5061,
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
    assert len(world.trunk_host.told) == 3


def test_the_password_comes_back_in_no_answer(api, connected):
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


def test_a_password_is_always_wanted(api, connected):
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
        ({"colour": "red"}, "colour", "not permitted"),
    ],
)
def test_settings_that_make_no_sense_are_422_and_say_why(api, changes, field, said):
    answered = api.call("PUT", "/api/trunk", {**TRUNK, **changes})
    assert problem(answered) == (422, "invalid")
    (error,) = answered.json_body["errors"]
    assert error["field"] == field
    assert said in error["message"]


def test_without_a_vault_the_answer_says_what_the_operator_has_to_do(api, world, monkeypatch):
    ports = replace(bootstrap.ports(), vault=None)
    monkeypatch.setattr(bootstrap, "ports", lambda: ports)
    answered = api.call("PUT", "/api/trunk", TRUNK)
    assert problem(answered) == (503, "vault_missing")
    assert "CHAMADE_KEY_FILE" in answered.json_body["detail"]


def test_a_vault_without_its_key_is_503_and_its_place_is_not_told(api, monkeypatch, tmp_path):
    ports = replace(bootstrap.ports(), vault=KeyFileVault(tmp_path / "gone"))
    monkeypatch.setattr(bootstrap, "ports", lambda: ports)
    answered = api.call("PUT", "/api/trunk", TRUNK)
    assert problem(answered) == (503, "vault_unavailable")
    assert str(tmp_path) not in json.dumps(answered.json_body)


def test_with_twilio_the_trunk_is_told_where_to_send_its_calls(twilio):
    view = twilio.call("PUT", "/api/trunk", {**TRUNK, "provider": "twilio"}).json_body
    assert view["status"] == "unregistered"
    assert view["inbound_uri"] == "sip:{number}@x.sip.twilio.com"
    assert view["inbound_uri"] in view["detail"]


def test_a_provider_that_is_not_there_is_409(api):
    answered = api.call("PUT", "/api/trunk", {**TRUNK, "provider": "twilio"})
    assert problem(answered) == (409, "provider_not_configured")


def test_numbers_live_their_life_over_rest(api, connected):
    made = api.call("POST", "/api/trunk/dids", {"e164": "+33 1 87 65 43 21", "label": "Desk"})
    assert made.status_code == 201
    assert made.headers["Location"] == f"https://api.test/api{ONE}"
    assert made.json_body == {
        "e164": E164,
        "trunk_id": connected["trunk_id"],
        "label": "Desk",
        "agent_url": None,
        "auto_answer": False,
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
        assert problem(api.call(method, ONE, {})) == (404, "number_not_found")


def test_nobody_says_of_a_number_that_it_was_called_but_a_call(api, world, connected):
    when = "2026-11-22T15:36:40.011Z"
    for method, path, body in (
        ("POST", "/api/trunk/dids", {"e164": E164, "called_at": when}),
        ("PATCH", ONE, {"called_at": when}),
    ):
        api.call("POST", "/api/trunk/dids", {"e164": E164})
        assert problem(api.call(method, path, body)) == (422, "invalid")
    assert api.call("GET", ONE).json_body["called_at"] is None
    world.called(world.ports.trunks.get(connected["trunk_id"]), E164)
    assert api.call("GET", ONE).json_body["called_at"] == to_text(world.clock())
    assert api.call("GET", "/api/trunk").json_body["dids"][0]["called_at"]


def test_too_many_connects_are_429_and_say_when_and_what_helps(api, connected, monkeypatch):
    monkeypatch.setattr("chalicelib.store.trunk_limits.MAX_CONNECTS", 1)
    refused = api.call("PUT", "/api/trunk", {**TRUNK, "port": 5080})
    assert problem(refused) == (429, "trunk_rate")
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600
    assert refused.json_body["limit"] == 1
    assert "GET /api/trunk" in refused.json_body["detail"]
    assert api.call("GET", "/api/trunk").json_body == connected


def test_numbers_need_a_trunk(api):
    assert problem(api.call("POST", "/api/trunk/dids", {"e164": E164})) == (404, "no_trunk")
    for method in ("GET", "PATCH", "DELETE"):
        assert problem(api.call(method, ONE, {})) == (404, "no_trunk")


def test_a_number_that_is_added_already_is_409_and_says_where(api, connected):
    api.call("POST", "/api/trunk/dids", {"e164": E164})
    again = api.call("POST", "/api/trunk/dids", {"e164": E164})
    assert problem(again) == (409, "number_taken")
    assert "your trunk" in again.json_body["detail"]


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
def test_a_number_that_makes_no_sense_is_422(api, connected, body, field):
    answered = api.call("POST", "/api/trunk/dids", body)
    assert problem(answered) == (422, "invalid")
    assert answered.json_body["errors"][0]["field"] == field


def test_anothers_trunk_and_numbers_are_not_found(api, world, connected):
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
def test_without_a_key_there_is_nothing(api, method, path):
    assert problem(api.call(method, path, TRUNK, key="")) == (401, "bad_key")
