"""Tests of `/api/webhooks…` for an owner and a stranger."""

from __future__ import annotations

import json

import pytest

from chalicelib.domain.delivery import Answer
from chalicelib.domain.endpoint import MAX_ENDPOINTS
from chalicelib.handlers import tasks
from tests.support.delivery_harness import DeliveryHarness, record, status

URL = "https://receiver.test/hook"


@pytest.fixture
def harness(world):
    return DeliveryHarness(world)


def create(api, **fields):
    answer = api.call("POST", "/api/webhooks", {"url": URL, **fields})
    assert answer.status_code == 201, answer.body
    return answer.json_body


def test_an_endpoint_is_created_changed_and_deleted_over_rest(api, world, harness):
    made = api.call("POST", "/api/webhooks", {"url": URL, "events": ["call.*"], "label": "Agent"})
    assert made.status_code == 201
    created = made.json_body
    path = f"/api/webhooks/{created['endpoint_id']}"
    assert made.headers["Location"].endswith(path)
    assert created["secret"].startswith("whsec_")
    shown = {name: value for name, value in created.items() if name != "secret"}
    assert api.call("GET", path).json_body == shown
    assert api.call("GET", "/api/webhooks").json_body == {"webhooks": [shown]}
    changed = api.call("PATCH", path, {"events": ["*"], "enabled": False}).json_body
    assert (changed["events"], changed["enabled"], changed["disabled_reason"]) == (
        ["*"], False, "owner",
    )  # fmt: skip
    assert (changed["url"], changed["label"]) == (URL, "Agent")
    assert api.call("DELETE", path).status_code == 204
    assert api.call("GET", path).json_body["code"] == "endpoint_not_found"
    assert api.call("GET", "/api/webhooks").json_body == {"webhooks": []}


def test_the_secret_is_only_in_answers_that_create_one(api, harness):
    created = create(api)
    path = f"/api/webhooks/{created['endpoint_id']}"
    rotated = api.call("POST", f"{path}/rotate-secret", {"overlap_s": 60}).json_body
    assert rotated["secret"] != created["secret"]
    assert rotated["previous_secret_until"] is not None
    api.call("POST", f"{path}/test")
    harness.run_executions()
    for answer in (
        api.call("GET", path),
        api.call("GET", "/api/webhooks"),
        api.call("PATCH", path, {"label": "x"}),
        api.call("GET", f"{path}/deliveries"),
        api.call("GET", "/api/events"),
    ):
        assert b"whsec_" not in answer.body
        assert created["secret"][6:].encode() not in answer.body


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"url": "https://10.0.0.1/"}, "private_url", None),
        ({"url": "https://localhost/"}, "private_url", None),
        ({"url": "http://receiver.test/"}, "invalid", "url"),
        ({"url": "https://u:p@receiver.test/"}, "invalid", "url"),
        ({"url": "https://receiver.test/#x"}, "invalid", "url"),
        ({"url": "https://receiver.test:22/"}, "invalid", "url"),
        ({}, "invalid", "url"),
        ({"url": URL, "events": ["call.nonsense"]}, "invalid", "events"),
        ({"url": URL, "events": []}, "invalid", "events"),
        ({"url": URL, "secret": "whsec_mine"}, "invalid", "secret"),
    ],
)
def test_an_invalid_endpoint_is_refused(api, body, code, field):
    answer = api.call("POST", "/api/webhooks", body)
    assert (answer.status_code, answer.json_body["code"]) == (422, code)
    if field:
        assert answer.json_body["errors"][0]["field"] == field


@pytest.mark.parametrize("overlap", [-1, 7 * 86400 + 1, "x"])
def test_a_rotations_overlap_is_at_most_seven_days(api, overlap):
    path = f"/api/webhooks/{create(api)['endpoint_id']}/rotate-secret"
    assert api.call("POST", path, {"overlap_s": overlap}).json_body["code"] == "invalid"


def test_an_eleventh_endpoint_is_refused(api):
    for _ in range(MAX_ENDPOINTS):
        create(api)
    answer = api.call("POST", "/api/webhooks", {"url": URL})
    assert (answer.status_code, answer.json_body["code"]) == (409, "too_many_endpoints")
    assert answer.json_body["limit"] == MAX_ENDPOINTS


def test_a_test_event_is_sent_and_its_delivery_can_be_read(api, world, harness):
    path = f"/api/webhooks/{create(api, events=['call.missed'])['endpoint_id']}"
    answer = api.call("POST", f"{path}/test")
    assert answer.status_code == 202
    delivery = answer.json_body
    assert (delivery["type"], delivery["state"]) == ("webhook.test", "pending")
    world.receiver.answers = [Answer(200, 12, "thanks" * 200)]
    harness.run_executions()
    seen = api.call("GET", f"{path}/deliveries/{delivery['delivery_id']}").json_body
    assert (seen["state"], seen["status"], seen["attempts"]) == ("delivered", 200, 1)
    assert seen["body"]["type"] == "webhook.test"
    ((tried),) = seen["tries"]
    assert (tried["latency_ms"], tried["answer"]) == (12, ("thanks" * 200)[:500])
    listed = api.call("GET", f"{path}/deliveries?state=delivered").json_body
    assert [each["delivery_id"] for each in listed["deliveries"]] == [delivery["delivery_id"]]
    assert listed["next_cursor"] is None
    assert api.call("GET", f"{path}/deliveries?state=failed").json_body["deliveries"] == []


def test_deliveries_come_in_pages_with_cursors_of_their_endpoint(api, world, harness):
    path = f"/api/webhooks/{create(api)['endpoint_id']}"
    other = f"/api/webhooks/{create(api)['endpoint_id']}"
    for _ in range(3):
        world.clock.advance(1)
        api.call("POST", f"{path}/test")
    first = api.call("GET", f"{path}/deliveries?limit=2").json_body
    cursor = first["next_cursor"]
    second = api.call("GET", f"{path}/deliveries?limit=2&cursor={cursor}").json_body
    ids = [each["delivery_id"] for each in first["deliveries"] + second["deliveries"]]
    assert len(set(ids)) == 3
    stolen = api.call("GET", f"{other}/deliveries?limit=2&cursor={cursor}")
    assert stolen.json_body["code"] == "bad_cursor"


def test_a_replay_is_accepted_and_sent(api, world, harness):
    path = f"/api/webhooks/{create(api)['endpoint_id']}"
    world.receiver.answers = [status(410)]
    delivery = api.call("POST", f"{path}/test").json_body["delivery_id"]
    harness.run_executions()
    refused = api.call("POST", f"{path}/deliveries/{delivery}/replay")
    assert (refused.status_code, refused.json_body["code"]) == (409, "endpoint_disabled")
    assert api.call("POST", f"{path}/test").json_body["code"] == "endpoint_disabled"
    api.call("PATCH", path, {"enabled": True})
    world.receiver.answers = [status(200)]
    again = api.call("POST", f"{path}/deliveries/{delivery}/replay")
    assert (again.status_code, again.json_body["state"]) == (202, "pending")
    harness.run_executions()
    seen = api.call("GET", f"{path}/deliveries/{delivery}").json_body
    assert (seen["state"], seen["replays"], len(seen["tries"])) == ("delivered", 1, 2)


def test_unknown_endpoints_and_deliveries_are_not_found(api):
    path = f"/api/webhooks/{create(api)['endpoint_id']}"
    nobody = "/api/webhooks/ep_" + "a" * 26
    gone = "dlv_" + "a" * 26
    for method, where, code in (
        ("GET", nobody, "endpoint_not_found"),
        ("DELETE", nobody, "endpoint_not_found"),
        ("GET", f"{nobody}/deliveries", "endpoint_not_found"),
        ("POST", f"{nobody}/test", "endpoint_not_found"),
        ("GET", f"{path}/deliveries/{gone}", "delivery_not_found"),
        ("POST", f"{path}/deliveries/{gone}/replay", "delivery_not_found"),
        ("GET", f"{path}/deliveries/x", "delivery_not_found"),
    ):
        answer = api.call(method, where)
        assert (answer.status_code, answer.json_body["code"]) == (404, code), where


def test_the_lambda_functions_deliver_an_event_from_stream_to_post(api, world, harness):
    """As the stream and the state machine call them."""
    path = f"/api/webhooks/{create(api)['endpoint_id']}"
    world.ringing()
    records = [record(world, harness.outbox()[-1])]
    assert tasks.fan_out_events({"Records": records}, None) == {"batchItemFailures": []}
    (delivery,) = world.scheduler.sent
    given = {
        "account_id": world.account_id,
        "endpoint_id": delivery.endpoint_id,
        "delivery_id": delivery.delivery_id,
        "run": 0,
    }
    world.receiver.answers = [status(500), status(200)]
    waits = tasks.deliver_event(given, None)
    assert waits["state"] == "pending"
    assert waits["next_at"].endswith("Z")
    world.clock.advance(10)
    assert tasks.deliver_event(given, None) == {"state": "delivered", "next_at": None}
    assert tasks.deliver_event(given, None) == {"state": "delivered", "next_at": None}
    assert tasks.deliver_event({**given, "run": 7}, None) == {"state": "gone", "next_at": None}
    tasks.run_sweep({"calls": False}, None)
    assert tasks.run_sweep({"calls": False}, None) == {}
    seen = api.call("GET", f"{path}/deliveries/{delivery.delivery_id}").json_body
    assert [each["status"] for each in seen["tries"]] == [500, 200]
    assert json.loads(world.receiver.posted[0][2]) == seen["body"]
