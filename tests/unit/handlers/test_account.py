"""Tests of accounts, keys, hosted speech and the agent token over REST."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import bootstrap
from chalicelib.domain.account import looks_like_key
from tests.support.engine import everything_in
from tests.support.http import problem
from tests.support.world import with_settings


def set_account(world, **attributes):
    """As an operator would, in the table."""
    sets = ", ".join(f"#{name} = :{name}" for name in attributes)
    world.table._client.update_item(
        TableName=world.table.name,
        Key=world.table._marshal({"pk": f"ACCOUNT#{world.account_id}", "sk": "ACCOUNT"}),
        UpdateExpression=f"SET {sets}",
        ExpressionAttributeNames={f"#{name}": name for name in attributes},
        ExpressionAttributeValues=world.table._marshal(
            {f":{name}": value for name, value in attributes.items()}
        ),
    )


@pytest.fixture
def api_of_its_own(empty_table, monkeypatch):
    """Nobody has signed up at this table yet."""
    from tests.support.http import serving
    from tests.support.world import World

    with serving(World(empty_table), monkeypatch) as served:
        yield served


def test_signing_up_gives_an_account_and_the_key_that_opens_it(api_of_its_own):
    api = api_of_its_own
    made = api.call("POST", "/api/account", {"name": "Ada's agents"}, key="")
    assert made.status_code == 201
    assert made.headers["Location"].endswith("/api/account")
    assert made.headers["Cache-Control"] == "no-store"
    account, key = made.json_body, made.json_body["key"]
    assert looks_like_key(key)
    shown = api.call("GET", "/api/account", key=key).json_body
    assert shown == {name: account[name] for name in account if name not in ("key", "key_id")}
    assert (shown["name"], shown["hosted_voice"]) == ("Ada's agents", False)
    assert shown["limits"] == {
        "max_numbers": 5,
        "max_keys": 20,
        "max_concurrent_calls": 20,
        "max_concurrent_dials": 5,
        "max_dials_per_minute": 10,
        "max_call_s": 14400,
        "max_waiting_polls": 5,
    }
    [listed] = api.call("GET", "/api/keys", key=key).json_body["keys"]
    assert (listed["key_id"], listed["last4"]) == (account["key_id"], key[-4:])
    assert key not in json.dumps(everything_in(api.world.table), default=sorted)


def test_sign_up_can_be_closed(api_of_its_own, monkeypatch):
    deps = with_settings(bootstrap.dependencies(), sign_up_open=False)
    monkeypatch.setattr(bootstrap, "dependencies", lambda: deps)
    answered = api_of_its_own.call("POST", "/api/account", {"name": "Ada"}, key="")
    assert problem(answered) == (403, "sign_up_closed")
    assert "ask" in answered.json_body["detail"]


@pytest.mark.parametrize("name", ["", "x" * 201, "two\nlines", "\x7f", None, 5])
def test_an_account_has_a_name_of_one_line(api, name):
    assert problem(api.call("POST", "/api/account", {"name": name}, key="")) == (422, "invalid")


def test_an_address_signs_up_five_times_an_hour(api_of_its_own):
    api = api_of_its_own
    api.world.clock.advance(3600 - api.world.clock() // 1000 % 3600)
    for _ in range(5):
        assert api.call("POST", "/api/account", {"name": "x"}, key="").status_code == 201
    # What a sender says of its address changes nothing.
    headers = {"X-Forwarded-For": "203.0.113.9"}
    refused = api.call("POST", "/api/account", {"name": "x"}, key="", **headers)
    assert problem(refused) == (429, "too_many_requests")
    assert refused.headers["Retry-After"] == "3600"
    api.world.clock.advance(3600)
    assert api.call("POST", "/api/account", {"name": "x"}, key="").status_code == 201


def test_a_keys_last_use_is_recorded_once_an_hour(api, world):
    def used():
        return api.call("GET", "/api/keys").json_body["keys"][0]["last_used_at"]

    first = used()
    assert first == "2026-09-21T14:13:20.000Z"
    world.clock.advance(3599)
    assert used() == first
    world.clock.advance(1)
    assert used() == "2026-09-21T15:13:20.000Z"


def test_a_request_succeeds_if_its_keys_use_cannot_be_recorded(api, world, monkeypatch):
    def broken(*_):
        raise RuntimeError("throttled")

    monkeypatch.setattr(type(world.stores.accounts), "note_use", broken)
    assert api.call("GET", "/api/account").status_code == 200


def test_recording_a_use_does_not_restore_a_revoked_key(world):
    world.clock.advance(1)
    from chalicelib.services.account import accounts

    key, clear = accounts.create_key(world.deps, world.account_id, "second")
    accounts.revoke_key(world.deps, world.account_id, key.key_id)
    world.stores.accounts.note_use(key, world.clock())
    assert accounts.account_of(world.deps, clear) is None
    assert all(item["pk"] != f"KEY#{key.hash}" for item in everything_in(world.table))


def test_keys_of_an_account_are_limited(api, world):
    set_account(world, max_keys=3)
    made = [api.call("POST", "/api/keys", {}) for _ in range(3)]
    assert [answer.status_code for answer in made] == [201, 201, 409]
    assert problem(made[2]) == (409, "too_many_keys")
    assert made[2].json_body["limit"] == 3


def test_keys_created_concurrently_stay_within_the_limit(api, world):
    set_account(world, max_keys=3)
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda _: api.call("POST", "/api/keys", {}), range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    assert len(world.stores.accounts.keys(world.account_id)) <= 3


def test_hosted_speech_is_refused_without_the_beta(api, world):
    call = world.ringing()
    path = f"/api/call/{call.call_id}/say"
    answered = api.call("POST", path, {"text": "Hello"})
    assert problem(answered) == (403, "hosted_voice_gated")
    assert "audio.url" in answered.json_body["detail"]
    set_account(world, hosted_voice=True)
    assert problem(api.call("POST", path, {"text": "Hello"})) == (409, "not_hosted")
    assert api.call("GET", "/api/account").json_body["hosted_voice"] is True


def test_hosted_speech_answers_404_for_another_accounts_call(api, world):
    _, foreign = world.new_account()
    path = f"/api/call/{world.ringing().call_id}/say"
    assert problem(api.call("POST", path, {"text": "x"}, key=foreign)) == (404, "call_not_found")
    assert problem(api.call("POST", path, {"text": ""})) == (422, "invalid")


def test_the_agent_token_is_the_same_until_it_is_rotated(api, world):
    first = api.call("GET", "/api/account/agent-token").json_body
    assert first == api.call("GET", "/api/account/agent-token").json_body
    rotated = api.call("POST", "/api/account/agent-token/rotate").json_body
    assert rotated["token"] != first["token"]
    assert (first["version"], rotated["version"]) == (1, 2)
    assert api.call("GET", "/api/account/agent-token").json_body == rotated
    _, foreign = world.new_account()
    theirs = api.call("GET", "/api/account/agent-token", key=foreign).json_body
    assert theirs["token"] not in (first["token"], rotated["token"])


def test_costly_operations_have_a_rate_limit(api, world):
    world.clock.advance(3600 - world.clock() // 1000 % 3600)
    set_account(world, max_keys=1000)
    answers = [api.call("POST", "/api/keys", {}) for _ in range(21)]
    assert {answer.status_code for answer in answers[:20]} == {201}
    assert problem(answers[20]) == (429, "too_many_requests")
    assert answers[20].headers["Retry-After"] == "3600"
    assert (
        answers[20].json_body["limit"],
        "20 times in an hour" in answers[20].json_body["detail"],
    ) == (20, True)
    set_account(world, rate_factor=2)
    assert api.call("POST", "/api/keys", {}).status_code == 201


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/account?x=1"), ("GET", "/api/numbers?limit=1"), ("DELETE", "/api/trunk?force=1"),
     ("POST", "/api/keys?label=x"), ("GET", "/api/calls?limit=1&limit=2")],
)  # fmt: skip
def test_unknown_query_parameters_are_refused_by_every_operation(api, method, path):
    answered = api.call(method, path)
    assert problem(answered) == (422, "invalid")
    assert answered.json_body["errors"][0]["field"] in path
