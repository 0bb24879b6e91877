"""Tests of the bridge between standard input and output and `POST /mcp`: every request gets exactly
one answer.
"""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys

import httpx
import pytest

from chalicelib.domain.account import mint_key
from chamade import mcp
from tests.support.engine import ROOT

URL = "https://api.test/mcp"
MODERN = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}


class Api:
    """Notes what is posted; answers as told, or once it is allowed to."""

    def __init__(self, status=200, **answer):
        self.status, self.answer, self.requests = status, answer, []
        self.may_answer, self.reached = asyncio.Event(), asyncio.Event()
        self.may_answer.set()

    async def __call__(self, request):
        message = json.loads(request.content)
        self.requests.append((message, request.headers))
        self.reached.set()
        if message.get("params", {}).get("slow"):
            await self.may_answer.wait()
        if "id" not in message:
            return httpx.Response(202)
        return httpx.Response(self.status, json={**self.answer, "id": message["id"]})


class Written(list):
    """The messages that a bridge has written."""

    def __init__(self):
        self.something = asyncio.Event()

    def append(self, message):
        super().append(message)
        self.something.set()


def bridge(api):
    """A bridge to it, and what it writes."""
    written = Written()
    http = httpx.AsyncClient(transport=httpx.MockTransport(api))
    return mcp.Bridge(http, URL, written.append), written


def request(number, method="tools/list", **params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()


def ok(**result):
    return Api(jsonrpc="2.0", result=result)


async def test_requests_are_posted_unchanged_and_answers_written():
    api = ok(tools=[])
    bridging, written = bridge(api)
    bridging.take(request("a", cursor="ü"))
    await bridging.finish()
    ((message, headers),) = api.requests
    assert message == json.loads(request("a", cursor="ü"))
    assert headers["content-type"] == "application/json"
    assert written == [{"jsonrpc": "2.0", "result": {"tools": []}, "id": "a"}]


async def test_a_slow_request_does_not_delay_others():
    api = ok()
    api.may_answer.clear()
    bridging, written = bridge(api)
    bridging.take(request(1, slow=True))
    bridging.take(request(2))
    await written.something.wait()
    assert [message["id"] for message in written] == [2]
    api.may_answer.set()
    await bridging.finish()
    assert [message["id"] for message in written] == [2, 1]


async def test_a_cancelled_request_is_dropped_without_an_answer():
    api = ok()
    api.may_answer.clear()
    bridging, written = bridge(api)
    bridging.take(request(1, slow=True))
    await api.reached.wait()
    cancelled = {"method": "notifications/cancelled", "params": {"requestId": 1}}
    bridging.take(json.dumps({"jsonrpc": "2.0", **cancelled}).encode())
    await asyncio.wait_for(bridging.finish(), 1)
    assert written == []
    assert len(api.requests) == 1


async def test_the_negotiated_version_is_sent_with_each_later_request():
    api = ok(protocolVersion="2025-11-25")
    bridging, _ = bridge(api)
    bridging.take(request(1, "initialize", protocolVersion="2025-11-25"))
    await bridging.finish()
    bridging.take(request(2))
    bridging.take(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')
    await bridging.finish()
    versions = [headers.get("mcp-protocol-version") for _, headers in api.requests]
    assert versions == [None, "2025-11-25", "2025-11-25"]


async def test_the_stateless_protocol_gets_its_routing_headers():
    api = ok()
    bridging, _ = bridge(api)
    bridging.take(request(1, "tools/call", name="chamade_inbox", _meta=MODERN))
    bridging.take(request(2, "tools/call", name="größe", _meta=MODERN))
    bridging.take(request(3, "server/discover", _meta=MODERN))
    await bridging.finish()
    said = [
        [headers.get(name) for name in ("mcp-protocol-version", "mcp-method", "mcp-name")]
        for _, headers in api.requests
    ]
    assert said == [
        ["2026-07-28", "tools/call", "chamade_inbox"],
        ["2026-07-28", "tools/call", "=?base64?Z3LDtsOfZQ==?="],
        ["2026-07-28", "server/discover", None],
    ]


async def test_a_problem_becomes_a_json_rpc_error_of_the_request(capsys):
    problem = {"code": "bad_key", "title": "No valid API key", "detail": "This key opens nothing."}
    bridging, written = bridge(Api(401, **problem))
    bridging.take(request(1))
    await bridging.finish()
    (error,) = [message["error"] for message in written]
    assert error["code"] == -32000
    assert error["message"] == ("HTTP 401: This key opens nothing. Is CHAMADE_API_KEY right?")
    assert error["data"]["code"] == "bad_key"
    assert "This key opens nothing" in capsys.readouterr().err


async def test_a_json_rpc_error_is_passed_on_with_the_requests_id():
    api = Api(400, jsonrpc="2.0", error={"code": -32602, "message": "no"})
    bridging, written = bridge(api)
    bridging.take(request(5))
    await bridging.finish()
    assert written == [{"jsonrpc": "2.0", "error": {"code": -32602, "message": "no"}, "id": 5}]


async def test_an_unreachable_api_is_an_error_of_each_request():
    def gone(_):
        raise httpx.ConnectError("connection refused")

    bridging, written = bridge(gone)
    bridging.take(request(1))
    bridging.take(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')
    bridging.take(request(2))
    await bridging.finish()
    assert sorted(message["id"] for message in written) == [1, 2]
    assert "connection refused" in written[0]["error"]["message"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(502, text="<html>bad gateway</html>"), "HTTP 502"),
        (httpx.Response(200, text=""), "HTTP 200"),
        (httpx.Response(200, json=[1]), "HTTP 200"),
    ],
)
async def test_an_answer_that_is_no_json_rpc_is_an_error(answer, said):
    bridging, written = bridge(lambda _: answer)
    bridging.take(request(1))
    await bridging.finish()
    assert written[0]["error"]["message"].startswith(said)


@pytest.mark.parametrize(
    ("line", "code"), [(b"{", -32700), (b"[]", -32600), (b"5", -32600), (b'{"method": 5}', -32600)]
)
async def test_invalid_lines_are_refused(line, code):
    bridging, written = bridge(ok())
    bridging.take(line)
    assert [(message["id"], message["error"]["code"]) for message in written] == [(None, code)]


async def test_duplicate_ids_and_too_many_requests_are_refused(monkeypatch):
    monkeypatch.setattr(mcp, "MAX_IN_FLIGHT", 2)
    api = ok()
    api.may_answer.clear()
    bridging, written = bridge(api)
    for number in (1, 1, 2, 3):
        bridging.take(request(number, slow=True))
    assert [(message["id"], message["error"]["code"]) for message in written] == [
        (1, -32600), (3, -32000),
    ]  # fmt: skip
    api.may_answer.set()
    await bridging.finish()
    assert [message["id"] for message in written[2:]] == [1, 2]


async def test_answers_and_odd_cancellations_from_the_client_are_dropped():
    bridging, written = bridge(ok())
    bridging.take(b'{"jsonrpc": "2.0", "id": 1, "result": {}}')
    bridging.take(b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": [1]}')
    bridging.take(b'{"jsonrpc": "2.0", "method": "notifications/cancelled"}')
    await bridging.finish()
    assert written == []


async def test_the_bridge_answers_every_request_before_the_input_ends(monkeypatch):
    api = ok(tools=[])
    real = httpx.AsyncClient
    monkeypatch.setattr(
        mcp.httpx, "AsyncClient", lambda **kw: real(transport=httpx.MockTransport(api), **kw)
    )
    out = io.BytesIO()
    lines = io.BytesIO(request(1) + b"\n\n" + request(2) + b"\n")
    credentials = mcp.Credentials("https://api.test", "a-key")
    await mcp.run(credentials, lines, out)
    answered = [json.loads(line)["id"] for line in out.getvalue().splitlines()]
    assert sorted(answered) == [1, 2]
    assert all(headers["x-api-key"] == "a-key" for _, headers in api.requests)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"CHAMADE_API_URL": "https://api.test"}, "CHAMADE_API_KEY"),
        ({"CHAMADE_API_KEY": mint_key()}, "CHAMADE_API_URL"),
        ({"CHAMADE_API_URL": "https://api.test", "CHAMADE_API_KEY": "typo"}, "CHAMADE_API_KEY"),
    ],
)
def test_the_bridge_without_url_or_key_ends_with_a_message_on_standard_error(env, said, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "chamade.mcp"], cwd=tmp_path, check=False,
        capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
        env={"PYTHONPATH": str(ROOT / "client"), **env},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
