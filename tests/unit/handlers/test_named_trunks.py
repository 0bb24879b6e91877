"""Tests of several trunks over REST and in providers' posts; `/api/trunk` stays the one called
`main`.
"""

from __future__ import annotations

import pytest

from tests.support.http import GATEWAY_CONTROL_SECRET, TRUNK, problem

E164 = "+33187654321"
SECOND = "/api/trunks/second"
BY_ADDRESS = {"host": "sip.carrier.example", "auth": "ip", "networks": ["9.9.9.9/32"]}


def names(api):
    return [each["name"] for each in api.call("GET", "/api/trunks").json_body["trunks"]]


def test_a_trunk_is_connected_changed_and_disconnected_by_its_name(api):
    assert names(api) == []
    assert problem(api.call("GET", SECOND)) == (404, "no_trunk")
    detail = api.call("GET", SECOND).json_body["detail"]
    assert detail.startswith("You have no trunk second.")
    assert "PUT /api/trunks/second" in detail
    made = api.call("PUT", SECOND, {**TRUNK, "number_format": "00", "fallback": ["main"]})
    assert made.status_code == 201
    assert made.headers["Location"] == f"https://api.test/api{SECOND}"
    view = made.json_body
    assert (view["name"], view["number_format"], view["fallback"]) == ("second", "00", ["main"])
    assert (view["port"], view["srtp"], view["auth"], view["networks"]) == (
        None, "off", "register", [],
    )  # fmt: skip
    again = api.call("PUT", SECOND, TRUNK)
    assert (again.status_code, again.json_body["revision"]) == (200, 2)
    assert api.call("GET", SECOND).json_body == again.json_body
    assert problem(api.call("GET", "/api/trunk")) == (404, "no_trunk")
    assert api.call("DELETE", SECOND).status_code == 204
    assert problem(api.call("DELETE", SECOND)) == (404, "no_trunk")


def test_the_old_paths_and_those_of_main_are_the_same_trunk(api):
    made = api.call("PUT", "/api/trunk", TRUNK).json_body
    assert api.call("GET", "/api/trunks/main").json_body == made
    did = api.call("POST", "/api/trunks/main/dids", {"e164": E164})
    assert did.headers["Location"] == f"https://api.test/api/api/trunks/main/dids/{E164}"
    assert api.call("GET", f"/api/trunk/dids/{E164}").json_body == did.json_body
    assert api.call("DELETE", "/api/trunks/main").status_code == 204
    assert problem(api.call("GET", "/api/trunk")) == (404, "no_trunk")


def test_trunks_are_listed_with_main_first_and_their_numbers(api):
    for path in ("/api/trunks/zz", "/api/trunk", "/api/trunks/a"):
        api.call("PUT", path, TRUNK)
    api.call("POST", "/api/trunks/zz/dids", {"e164": E164})
    listed = api.call("GET", "/api/trunks").json_body["trunks"]
    assert [each["name"] for each in listed] == ["main", "a", "zz"]
    assert [len(each["dids"]) for each in listed] == [0, 0, 1]


def test_numbers_of_a_named_trunk_are_added_changed_and_removed(api):
    api.call("PUT", SECOND, TRUNK)
    one = f"{SECOND}/dids/{E164}"
    made = api.call("POST", f"{SECOND}/dids", {"e164": E164})
    assert made.headers["Location"] == f"https://api.test/api{one}"
    again = api.call("POST", f"{SECOND}/dids", {"e164": E164})
    assert problem(again) == (409, "number_taken")
    assert f"PATCH {one} changes it." in again.json_body["detail"]
    assert api.call("PATCH", one, {"label": "Desk"}).json_body["label"] == "Desk"
    assert api.call("GET", one).json_body["label"] == "Desk"
    assert problem(api.call("GET", f"/api/trunk/dids/{E164}")) == (404, "no_trunk")
    assert api.call("DELETE", one).status_code == 204
    assert problem(api.call("GET", one)) == (404, "number_not_found")


def test_more_trunks_than_an_account_may_have_are_409(api, monkeypatch):
    monkeypatch.setattr("chalicelib.store.trunks.MAX_NAMED", 1)
    api.call("PUT", SECOND, TRUNK)
    refused = api.call("PUT", "/api/trunks/third", TRUNK)
    assert problem(refused) == (409, "too_many_trunks")
    assert refused.json_body["limit"] == 10
    assert "DELETE /api/trunks/" in refused.json_body["detail"]
    assert api.call("PUT", "/api/trunk", TRUNK).status_code == 201


@pytest.mark.parametrize("name", ["Main", "a_b", "-", "a" * 33])
def test_an_invalid_name_is_422(api, name):
    for method in ("PUT", "GET", "DELETE"):
        refused = api.call(method, f"/api/trunks/{name}", TRUNK)
        assert problem(refused) == (422, "invalid")
        assert refused.json_body["errors"][0]["field"] == "name"


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({**BY_ADDRESS, "networks": []}, "networks", "your carrier sends calls"),
        ({**BY_ADDRESS, "networks": ["0.0.0.0/0"]}, "networks.0", "/20 to /32"),
        ({**BY_ADDRESS, "networks": ["10.0.0.0/24"]}, "networks", "public"),
        ({**BY_ADDRESS, "username": "u"}, "password", "together"),
        ({**TRUNK, "networks": ["9.9.9.9/32"]}, "networks", "auth ip or both"),
        ({**TRUNK, "outbound_proxy": "sip:x"}, "outbound_proxy", "host and port"),
        ({**TRUNK, "outbound_proxy": "10.0.0.1"}, "outbound_proxy", "public"),
        ({**TRUNK, "fallback": ["second"]}, "fallback", "this trunk itself"),
        ({**TRUNK, "country": "XX"}, "country", "ISO 3166"),
        ({**TRUNK, "dial_prefix": "+"}, "dial_prefix", "outside line"),
        ({**TRUNK, "srtp": "on"}, "srtp", "required"),
        ({"host": "sip.carrier.example"}, "username", "auth ip"),
    ],
)
def test_settings_that_do_not_fit_are_422_with_the_reason(api, body, field, said):
    refused = api.call("PUT", SECOND, body)
    assert problem(refused) == (422, "invalid")
    found = {each["field"]: each["message"] for each in refused.json_body["errors"]}
    assert said in found[field]
    assert problem(api.call("GET", SECOND)) == (404, "no_trunk")


def test_a_trunk_by_address_goes_to_the_gateway_and_becomes_ready(api):
    made = api.call("PUT", SECOND, {**BY_ADDRESS, "keep_alive": "options", "user_phone": True})
    view = made.json_body
    assert (view["username"], view["status"]) == (None, "registering")
    ask = {"gateway": "gateway-1", "trunk_id": view["trunk_id"]}
    fetched = api.control("/gateway/trunks/fetch", ask, GATEWAY_CONTROL_SECRET).json_body["trunk"]
    assert (fetched["auth"], fetched["networks"], fetched["name"]) == (
        "ip", ["9.9.9.9/32"], "second",
    )  # fmt: skip
    assert (fetched["username"], fetched["password"], fetched["keep_alive"]) == (
        None, None, "options",
    )  # fmt: skip
    assert not {"number_format", "dial_prefix", "country", "fallback"} & set(fetched)
    report = {**ask, "revision": 1, "status": "ready", "sip_code": 200}
    api.control("/gateway/trunks/report", report, GATEWAY_CONTROL_SECRET)
    assert api.call("GET", SECOND).json_body["status"] == "ready"


def test_presets_are_shown_without_a_key(api):
    presets = api.call("GET", "/api/trunk-presets", key="").json_body["presets"]
    assert {"ovh", "asterisk"} <= {each["preset"] for each in presets}


def test_another_accounts_trunk_of_the_same_name_is_not_touched(api, world):
    _, foreign = world.new_account()
    mine = api.call("PUT", SECOND, TRUNK).json_body
    assert api.call("PUT", SECOND, {**TRUNK, "port": 5080}, key=foreign).status_code == 201
    assert api.call("DELETE", SECOND, key=foreign).status_code == 204
    assert api.call("GET", SECOND).json_body == mine


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/trunks"), ("PUT", SECOND), ("GET", SECOND), ("DELETE", SECOND),
     ("POST", f"{SECOND}/dids"), ("PATCH", f"{SECOND}/dids/{E164}")],
)  # fmt: skip
def test_requests_about_named_trunks_need_a_key(api, method, path):
    assert problem(api.call(method, path, TRUNK, key="")) == (401, "bad_key")


def test_a_call_is_dialled_by_the_trunks_name_and_follows_the_providers_posts(api, world):
    first = world.register_trunk(fallback=["second"])
    second = world.register_trunk(name="second", caller_id="+33199005679")
    body = {"platform": "sip", "meeting_url": "sip:+33199001234@sip.carrier.example"}
    call = api.call("POST", "/api/call", {**body, "trunk": "main"}).json_body
    assert (call["trunk"], call["from"]) == ("main", "+33199005678")
    assert "routes" not in call
    post = {"CallSid": call["provider_call_id"], "CallStatus": "initiated"}
    for trunk, status in ((first, "initiated"), (second, "initiated"), (second, "ringing")):
        sent = {**post, "TrunkSid": trunk.trunk_id, "CallStatus": status}
        assert api.webhook("status", sent, dialled=call["call_id"]).status_code == 204
    now = api.call("GET", f"/api/call/{call['call_id']}").json_body
    assert (now["trunk"], now["from"], now["state"]) == ("second", "+33199005679", "ringing")
    told = api.call("GET", "/api/events").json_body["events"][-1]["data"]["call"]
    assert (told["trunk"], told["line"]) == ("second", "+33199005679")
    answered = {**post, "TrunkSid": second.trunk_id, "CallStatus": "in-progress"}
    assert api.webhook("answered", answered, dialled=call["call_id"]).status_code == 200
    refused = api.call("POST", "/api/call", {**body, "trunk": "third"})
    assert problem(refused) == (409, "no_trunk")


@pytest.mark.parametrize(
    ("standing", "rings"),
    [({}, False), ({"Standing": "peer"}, True), ({"Standing": "carrier"}, False)],
)  # fmt: skip
def test_a_routing_number_does_not_ring_for_a_network_of_trunks_alone(api, world, standing, rings):
    form = {"CallSid": world.sid(), "From": "+33612345678", "To": world.number,
            "CallStatus": "ringing", "TrunkSource": "9.9.9.9", **standing}  # fmt: skip
    document = api.webhook("voice", form).body.decode()
    assert ("<Reject" in document) != rings


def test_a_post_that_names_the_source_rings_at_the_number_of_its_network(api, world):
    world.new_trunk(name="second", auth="both", networks=["9.9.9.9/32"])
    world.new_did("+33187654329", name="second")
    form = {"CallSid": world.sid(), "From": "+33612345678", "To": "+33187654329",
            "CallStatus": "ringing", "TrunkSource": "9.9.9.9"}  # fmt: skip
    assert "<Redirect" in api.webhook("voice", form).body.decode()
    (call,) = api.call("GET", "/api/calls").json_body["calls"]
    assert call["trunk"] == "second"
    over = api.webhook("status", {**form, "CallStatus": "completed"})
    assert over.status_code == 204
    assert api.call("GET", f"/api/call/{call['call_id']}").json_body["state"] == "missed"


def test_the_owner_is_told_once_of_calls_that_the_gateway_refused(api):
    trunk_id = api.call("PUT", SECOND, BY_ADDRESS).json_body["trunk_id"]
    report = {"gateway": "gateway-1", "trunk_id": trunk_id, "count": 7, "at_ms": 1_750_000_000_000}
    for _ in range(2):
        answer = api.control("/gateway/trunks/shed", report, GATEWAY_CONTROL_SECRET)
        assert (answer.status_code, answer.json_body) == (200, {})
    told = api.call("GET", "/api/events").json_body["events"]
    shed = [event for event in told if event["type"] == "trunk.shed"]
    assert {event["event_id"] for event in shed} == {shed[0]["event_id"]}
    data = shed[0]["data"]
    assert (data["trunk_id"], data["reason"], data["count"]) == (trunk_id, "overload", 7)
    stranger = {**report, "trunk_id": "trunk_" + "a" * 26}
    refused = api.control("/gateway/trunks/shed", stranger, GATEWAY_CONTROL_SECRET)
    assert problem(refused) == (404, "trunk_not_found")
