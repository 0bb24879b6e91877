"""Tests of the dashboard's session: signing in, and what the cookie does and does not authorise."""

from __future__ import annotations

import json

import pytest

import app
from chalicelib.domain import session_token
from chalicelib.domain.account import key_hash
from chalicelib.handlers.operation import OPERATIONS
from chalicelib.services.account import accounts, sessions
from tests.support.engine import everything_in
from tests.support.http import problem
from tests.support.tenants import body_of, with_keys

assert app.app  # whose modules declare the operations

PAGE = {"X-Chamade-Session": "1"}
BROWSER = {**PAGE, "Sec-Fetch-Site": "same-origin", "Origin": "https://api.test"}


def sign_in(api, key=None, **headers):
    body = {"api_key": api.world.key if key is None else key}
    return api.call("POST", "/api/session", body, key="", **{**PAGE, **headers})


def cookie_for(world, key):
    """As signing in gives it, but for the count of how often one does."""
    return f"chamade_session={sessions.begin(world.deps, key)[1]}"


def with_cookie(api, cookie, method="GET", path="/api/account", body=None, **headers):
    return api.call(method, path, body, key="", Cookie=cookie, **headers)


@pytest.fixture
def cookie(world):
    return cookie_for(world, world.key)


def test_signing_in_with_a_key_sets_a_cookie_that_scripts_cannot_read(api, world):
    made = sign_in(api)
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    named, *attributes = made.headers["Set-Cookie"].split("; ")
    assert named.startswith("chamade_session=")
    assert set(attributes) == {"HttpOnly", "SameSite=Strict", "Secure", "Path=/", "Max-Age=43200"}
    assert world.key not in named
    assert with_cookie(api, named, **BROWSER).json_body["account_id"] == world.account_id
    assert world.key not in json.dumps(made.json_body)


def test_the_session_shows_the_account_and_its_features(api, world, cookie):
    shown = with_cookie(api, cookie, path="/api/session", **BROWSER).json_body
    account = api.call("GET", "/api/account").json_body
    [key] = api.call("GET", "/api/keys").json_body["keys"]
    assert shown["account_id"] == account["account_id"]
    assert shown["account_name"] == account["name"]
    assert shown["limits"] == account["limits"]
    assert shown["key"] == key
    assert shown["expires_at"].startswith("2026-")


def test_the_cookie_is_not_secure_on_a_plain_http_installation(api, monkeypatch):
    from dataclasses import replace

    from chalicelib import bootstrap

    plain = replace(bootstrap.config(), public_url="http://127.0.0.1:8700")
    monkeypatch.setattr(bootstrap, "config", lambda: plain)
    assert "Secure" not in sign_in(api).headers["Set-Cookie"]


@pytest.mark.parametrize("key", ["nonsense", "chmd_live_" + "0" * 49, " ", "chmd_live_é"])
def test_a_wrong_key_opens_no_session(api, key):
    refused = sign_in(api, key)
    assert problem(refused) == (401, "bad_key")
    assert "Set-Cookie" not in refused.headers


@pytest.mark.parametrize("name", [each.name for each in with_keys()])
def test_the_cookie_authorises_requests_from_our_own_page_only(api, world, cookie, name):
    operation = OPERATIONS[name]
    path = operation.path.format(**dict.fromkeys(operation.path_names, "+15550000000"))
    ask = (operation.method, path, body_of(operation))
    before = everything_in(world.table)
    refused = with_cookie(api, cookie, *ask)
    assert problem(refused) == (403, "cross_site")
    assert everything_in(world.table) == before
    opened = with_cookie(api, cookie, *ask, **BROWSER)
    assert opened.status_code not in (401, 403) or opened.json_body["code"] == "hosted_voice_gated"


CROSS_SITE = [
    {},
    {"X-Chamade-Session": "0"},
    {"X-Chamade-Session": ""},
    {**PAGE, "Sec-Fetch-Site": "cross-site"},
    {**PAGE, "Sec-Fetch-Site": "same-site"},
    {**PAGE, "Sec-Fetch-Site": "none"},
    {**PAGE, "Origin": "https://evil.example"},
    {**PAGE, "Origin": "null"},
    {**PAGE, "Origin": "http://api.test"},
    {**PAGE, "Origin": "https://api.test:8443"},
    {**PAGE, "Origin": "https://api.test.evil.example"},
    {**PAGE, "Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://api.test"},
]


@pytest.mark.parametrize("headers", CROSS_SITE, ids=str)
def test_requests_of_another_site_are_refused_despite_the_cookie(api, cookie, headers):
    assert problem(with_cookie(api, cookie, **headers)) == (403, "cross_site")
    assert problem(with_cookie(api, cookie, path="/api/session", **headers)) == (403, "cross_site")
    out = with_cookie(api, cookie, "DELETE", "/api/session", **headers)
    assert problem(out) == (403, "cross_site")
    assert "Set-Cookie" not in out.headers


@pytest.mark.parametrize("headers", CROSS_SITE, ids=str)
def test_another_site_cannot_sign_anybody_in(api, headers):
    """To an account of the attacker's, say, in which one would go on."""
    body = {"api_key": api.world.key}
    refused = api.call("POST", "/api/session", body, key="", **headers)
    assert problem(refused) == (403, "cross_site")
    assert "Set-Cookie" not in refused.headers


@pytest.mark.parametrize("headers", [PAGE, BROWSER, {**PAGE, "Origin": "https://api.test"}])
def test_requests_of_our_own_page_are_accepted(api, cookie, headers):
    assert with_cookie(api, cookie, **headers).status_code == 200


def test_preflight_requests_are_refused():
    """Or another site's page could send our header."""
    routes = [route for methods in app.app.routes.values() for route in methods.values()]
    assert routes
    assert not any(route.cors for route in routes)


def test_a_key_takes_precedence_over_the_cookie(api, world, cookie):
    account_id, key = world.new_account()
    mine = api.call("GET", "/api/account", key=key, Cookie=cookie)
    assert mine.json_body["account_id"] == account_id
    wrong = api.call("GET", "/api/account", key="nonsense", Cookie=cookie, **BROWSER)
    assert problem(wrong) == (401, "bad_key")


def test_a_key_does_not_open_the_session_operations(api):
    assert problem(api.call("GET", "/api/session", **PAGE)) == (401, "bad_key")


def test_mcp_refuses_the_cookie(api, cookie):
    response = with_cookie(api, cookie, "POST", "/mcp", {"jsonrpc": "2.0", "id": 1}, **BROWSER)
    assert response.status_code == 401


def test_a_session_ends_after_twelve_hours(api, world, cookie):
    world.clock.advance(session_token.LASTS_S - 1)
    assert with_cookie(api, cookie, **BROWSER).status_code == 200
    world.clock.advance(1)
    assert problem(with_cookie(api, cookie, **BROWSER)) == (401, "bad_key")


def test_revoking_a_key_ends_its_sessions_at_once(api, world):
    key, clear = accounts.create_key(world.deps, world.account_id, "browser")
    cookie = cookie_for(world, clear)
    assert with_cookie(api, cookie, **BROWSER).status_code == 200
    accounts.revoke_key(world.deps, world.account_id, key.key_id)
    assert problem(with_cookie(api, cookie, **BROWSER)) == (401, "bad_key")
    assert problem(with_cookie(api, cookie, path="/api/session", **BROWSER)) == (401, "bad_key")


def test_signing_out_clears_the_cookie(api, cookie):
    out = with_cookie(api, cookie, "DELETE", "/api/session", **BROWSER)
    assert out.status_code == 204
    assert out.headers["Set-Cookie"].startswith("chamade_session=; Max-Age=0; Path=/; HttpOnly")
    again = api.call("DELETE", "/api/session", key="", **BROWSER)
    assert again.status_code == 204


def test_a_forged_cookie_is_refused(api, world, cookie):
    value = cookie.partition("=")[2]
    hashed, expires, mac = value.split(".")
    other_key = key_hash(world.new_account()[1])
    forged = [
        "", ".", "..", "a.b.c", "é.1.x", hashed, f"{hashed}.{expires}", f"{hashed}.{expires}.",
        f"{hashed}.{int(expires) + 1}.{mac}",
        f"{other_key}.{expires}.{mac}",
        f"{hashed}.{expires}.{mac[:-1]}",
        f"{hashed}.{expires}.{mac}x",
        session_token.issue("another secret", hashed, int(expires)),
        session_token.issue("", hashed, int(expires)),
        f"{hashed}.{expires}.{mac};chamade_session={value}",  # two of them
    ]  # fmt: skip
    for each in forged:
        answer = with_cookie(api, f"chamade_session={each}", **BROWSER)
        assert problem(answer) == (401, "bad_key"), each


def test_other_cookies_in_the_header_are_ignored(api, cookie):
    assert with_cookie(api, f"theme=dark; {cookie}; x=y", **BROWSER).status_code == 200


def test_sign_ins_from_one_address_are_limited(api, empty_table, monkeypatch):
    from tests.support.http import problem, serving
    from tests.support.world import World

    with serving(World(empty_table), monkeypatch) as fresh:
        assert {sign_in(fresh, "nonsense").status_code for _ in range(20)} == {401}
        refused = sign_in(fresh)
        assert problem(refused) == (429, "too_many_requests")
        assert 0 < int(refused.headers["Retry-After"]) <= 600


def test_using_a_session_records_a_use_of_its_key(api, world):
    key, clear = accounts.create_key(world.deps, world.account_id, "browser")
    cookie = cookie_for(world, clear)
    world.clock.advance(7200)
    with_cookie(api, cookie, **BROWSER)
    used = {each.key_id: each.last_used_at for each in world.stores.accounts.keys(world.account_id)}
    assert used[key.key_id] == world.clock()
