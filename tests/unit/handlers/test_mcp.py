"""Tests of `POST /mcp` over HTTP: access, refusals, and JSON-RPC answers."""

from __future__ import annotations

import json
import re
import shlex
import sys
from itertools import pairwise
from types import SimpleNamespace

import pytest

import app as application
from chalicelib import bootstrap
from chalicelib.handlers.mcp.tools import TOOLS
from chalicelib.services.account import accounts
from chalicelib.services.operator import account_admin
from chalicelib.store.accounts import AccountStore
from chalicelib.store.table import TableUnavailable
from tests.support.engine import ROOT

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


class Mcp:
    """An MCP client that is nothing but its requests."""

    def __init__(self, api) -> None:
        self.api = api

    def post(self, body, key=None, **headers):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        key = self.api.world.key if key is None else key
        sent = {"Host": "api.test", **ACCEPT, **({"X-API-Key": key} if key else {}), **headers}
        return self.api.raw("POST", "/mcp", raw, **sent)

    def ask(self, method, **params):
        return self.post({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})

    def tool(self, name, **arguments):
        return self.ask("tools/call", name=name, arguments=arguments).json_body["result"]


@pytest.fixture
def mcp(api):
    return Mcp(api)


def test_the_printed_request_without_an_sdk_lists_the_tools(mcp):
    page = (ROOT / "docs" / "mcp.md").read_text()
    (block,) = (one for one in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "curl" in one)
    words = shlex.split(block)
    sent = [value for option, value in pairwise(words) if option == "-H"]
    headers = dict(header.split(": ", 1) for header in sent)
    assert headers.pop("X-API-Key") == "$CHAMADE_API_KEY"
    headers |= {"Host": "api.test", "X-API-Key": mcp.api.world.key}
    body = words[words.index("-d") + 1].encode()
    listed = mcp.api.raw("POST", "/mcp", body, **headers).json_body["result"]["tools"]
    assert [tool["name"] for tool in listed] == list(TOOLS)


@pytest.mark.parametrize("key", ["", "nonsense", "chmd_live_" + "0" * 49])
def test_a_request_without_a_valid_key_is_refused_before_the_sdk_is_loaded(mcp, monkeypatch, key):
    monkeypatch.setitem(sys.modules, "chalicelib.handlers.mcp.exchange", None)
    answered = mcp.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, key=key)
    assert (answered.status_code, answered.json_body["code"]) == (401, "bad_key")
    assert answered.headers["Content-Type"] == "application/problem+json"
    assert answered.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("key", ["", "nonsense"])
def test_a_refused_client_learns_from_the_body_alone_what_to_send(mcp, key):
    """API Gateway renames WWW-Authenticate, so a client in AWS does not find it (API Gateway
    developer guide, "Important notes for REST APIs")."""
    answered = mcp.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, key=key)
    header = answered.headers.pop("WWW-Authenticate")
    assert "resource_metadata" not in header, "there is no authorization server to be found"
    assert answered.json_body["status"] == 401
    assert "X-API-Key" in answered.json_body["detail"]


def test_the_page_says_under_which_name_the_challenge_arrives():
    page = (ROOT / "docs" / "mcp.md").read_text()
    (row,) = [line for line in page.splitlines() if "401 `bad_key`" in line]
    assert "x-amzn-Remapped-WWW-Authenticate" in row


def test_every_key_of_a_suspended_account_is_refused(mcp, world, monkeypatch):
    _, made = accounts.create_key(world.deps, world.account_id, "")
    monkeypatch.setattr(AccountStore, "keys", lambda *_: [])  # the index lags
    account_admin.suspend(world.deps, world.account_id)
    for key in (world.key, made):
        answered = mcp.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, key=key)
        assert (answered.status_code, answered.json_body["code"]) == (401, "bad_key")


def test_the_key_can_be_sent_as_bearer(mcp, world):
    bearer = {"Authorization": f"Bearer {world.key}"}
    answered = mcp.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, key="", **bearer)
    assert len(answered.json_body["result"]["tools"]) == 25


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_streams_and_sessions_are_refused(api, method):
    answered = api.raw(method, "/mcp", b"")
    assert (answered.status_code, answered.headers["Allow"]) == (405, "POST")
    assert answered.json_body["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Host": "evil.example"}, 421, "foreign_host"),
        ({"Host": "api.test:8080"}, 421, "foreign_host"),
        ({"Origin": "https://evil.example"}, 403, "foreign_origin"),
        ({"Origin": "null"}, 403, "foreign_origin"),
        ({"Origin": "http://api.test"}, 403, "foreign_origin"),
    ],
)
def test_foreign_origins_and_hosts_are_refused(mcp, headers, status, code):
    answered = mcp.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, **headers)
    assert (answered.status_code, answered.json_body["code"]) == (status, code)


def test_the_installations_own_origin_is_accepted(mcp):
    own = {"Origin": "https://api.test"}
    answered = mcp.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, **own)
    assert answered.json_body["result"] == {}


def test_the_domain_name_of_api_gateway_is_accepted(mcp, world):
    host = "abc123.execute-api.eu-west-1.amazonaws.com"
    event = {
        "resource": "/mcp", "path": "/mcp", "httpMethod": "POST",
        "headers": None, "queryStringParameters": None, "multiValueQueryStringParameters": None,
        "multiValueHeaders": {
            "Host": [host], "X-API-Key": [world.key], "Accept": ["application/json"],
            "Content-Type": ["application/json"],
        },
        "pathParameters": None, "stageVariables": None, "isBase64Encoded": False,
        "body": '{"jsonrpc": "2.0", "id": 1, "method": "ping"}',
        "requestContext": {"httpMethod": "POST", "resourcePath": "/mcp", "domainName": host},
    }  # fmt: skip
    event["headers"] = {name: values[0] for name, values in event["multiValueHeaders"].items()}
    assert json.loads(application.app(event, None)["body"])["result"] == {}
    event["requestContext"]["domainName"] = "another.example"
    assert application.app(event, None)["statusCode"] == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_a_local_stack_answers_to_each_name_of_the_machine(mcp, monkeypatch, host):
    local = SimpleNamespace(public_url="http://127.0.0.1:8000")
    monkeypatch.setattr(bootstrap, "config", lambda: local)
    answered = mcp.post(
        {"jsonrpc": "2.0", "id": 1, "method": "ping"}, Host=host, Origin=f"http://{host}"
    )
    assert answered.status_code == 200
    other = mcp.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, Host="localhost:9000")
    assert other.status_code == 421


def test_initialize_answers_with_instructions(mcp):
    client = {"name": "test", "version": "1"}
    hello = mcp.ask(
        "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=client
    ).json_body["result"]
    assert hello["protocolVersion"] == "2025-11-25"
    assert list(hello["capabilities"]) == ["tools"]
    assert hello["serverInfo"]["name"] == "chamade"
    assert hello["instructions"].index("chamade_inbox") < hello["instructions"].index(
        "chamade_call_accept"
    )


def test_the_stateless_protocol_needs_no_initialize(mcp):
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "server/discover"}
    found = mcp.post(
        {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": META}},
        **headers,
    ).json_body["result"]
    assert "2026-07-28" in found["supportedVersions"]
    assert "chamade_inbox" in found["instructions"]
    headers = {**headers, "Mcp-Method": "tools/call", "Mcp-Name": "chamade_number_list"}
    params = {"_meta": META, "name": "chamade_number_list", "arguments": {}}
    called = mcp.post(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, **headers
    ).json_body["result"]
    assert len(called["structuredContent"]["numbers"]) == 1


def test_notifications_are_accepted_without_an_answer(mcp):
    answered = mcp.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (answered.status_code, answered.body) == (202, b"")


def test_a_body_that_is_too_large_is_refused(mcp):
    answered = mcp.post(b" " * (256 * 1024 + 1))
    assert (answered.status_code, answered.json_body["code"]) == (413, "too_large")


@pytest.mark.parametrize("modern", [False, True], ids=["earlier", "stateless"])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"\xff\xfe", b"null", b"[]", b"5", b'"x"', b"{}", b"[" * 100_000,
        b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": 5}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": []}',
        b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]',
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    ],
)  # fmt: skip
def test_an_invalid_request_is_a_json_rpc_error(mcp, body, modern):
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "ping"} if modern else {}
    answered = mcp.post(body, **headers)
    assert 400 <= answered.status_code < 500
    assert "error" in answered.json_body
    assert b"Traceback" not in answered.body
    assert b"site-packages" not in answered.body


@pytest.mark.parametrize("modern", [False, True], ids=["earlier", "stateless"])
@pytest.mark.parametrize("name", ["\ud800", "\x00", "x" * 5000, "chamade_call_status"])
def test_invalid_unicode_is_answered_without_an_internal_error(mcp, name, modern):
    params = {
        "name": name,
        "arguments": {"call_id": "\ud800"},
        **({"_meta": META} if modern else {}),
    }
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call",
               "Mcp-Name": name if name.isprintable() else "x"}  # fmt: skip
    answered = mcp.post(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
        **(headers if modern else {}),
    )
    assert answered.status_code < 500
    assert "jsonrpc" in answered.json_body
    assert b"Traceback" not in answered.body


def test_unknown_methods_and_tools_are_reported_as_such(mcp):
    assert mcp.ask("resources/list").json_body["error"]["code"] == -32601
    unknown = mcp.ask("tools/call", name="chamade_dance", arguments={}).json_body["error"]
    assert (unknown["code"], unknown["message"]) == (-32602, "Unknown tool: chamade_dance")


def test_an_unexpected_error_of_a_tool_shows_no_internals(mcp, monkeypatch):
    monkeypatch.setattr("chalicelib.services.call.call_list.page", lambda *a, **k: 1 / 0)
    failed = mcp.tool("chamade_call_list")
    assert failed["isError"] is True
    assert failed["structuredContent"]["code"] == "internal_error"
    assert "division" not in json.dumps(failed)


@pytest.mark.parametrize(
    ("tool", "service", "advice"),
    [
        ("chamade_call_list", "call.call_list.page", "Call the tool again"),
        ("chamade_number_activate", "line.numbers.activate", "Check what has been done"),
    ],
)
def test_an_unavailable_table_is_reported_with_a_remedy(mcp, monkeypatch, tool, service, advice):
    def silent(*_, **__):
        raise TableUnavailable("Read timeout on endpoint URL")

    monkeypatch.setattr(f"chalicelib.services.{service}", silent)
    failed = mcp.tool(tool)
    assert failed["isError"] is True
    content = failed["structuredContent"]
    assert (content["code"], content["retry_after_s"]) == ("unavailable", 5)
    assert content["remedy"].startswith(f"Wait 5 s. {advice}")


def test_an_unexpected_error_of_the_tool_list_shows_no_internals(mcp, monkeypatch):
    monkeypatch.setattr("chalicelib.handlers.mcp.server.listed", lambda: 1 / 0)
    answered = mcp.ask("tools/list")
    assert answered.json_body["error"]["code"] == -32603
    assert "division" not in answered.body.decode()


def test_concurrent_requests_of_two_accounts_are_kept_apart(mcp, world):
    from concurrent.futures import ThreadPoolExecutor

    other, _ = world.new_account()
    theirs = world.new_number(other)
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
           "params": {"name": "chamade_number_list", "arguments": {}}}  # fmt: skip
    from chalicelib.handlers.mcp.exchange import exchange
    from chalicelib.handlers.mcp.server import server

    def numbers(account_id):
        answered = exchange(
            server(world.deps, account_id),
            {"host": "api.test", "accept": "application/json", "content-type": "application/json"},
            json.dumps(ask).encode(),
            ["api.test"],
            [],
        )
        content = json.loads(answered.body)["result"]["structuredContent"]
        return [number["e164"] for number in content["numbers"]]

    with ThreadPoolExecutor(8) as eight:
        seen = list(eight.map(numbers, [world.account_id, other] * 20))
    assert seen == [[world.number], [theirs]] * 20
