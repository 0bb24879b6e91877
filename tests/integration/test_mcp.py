"""Tests of MCP on a running stack, with the official SDK's client: each tool, both versions of the
protocol, over HTTP and through the bridge that desktop clients start.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from chalicelib.domain.account import mint_key
from chalicelib.handlers.mcp.tools import TOOLS
from local.agent import Talk
from tests.support.engine import ROOT
from tests.support.ports import free_port
from tests.support.running import Live, post

MODES = ["legacy", "auto", "2026-07-28"]
DID = "+33199005678"
MEETING = "sip:+33199001234@127.0.0.1"


@pytest.fixture(scope="module")
def line(running):
    """An account of our own on the stack, with one number and no trunk."""
    return Live.newcomer(running)


class Agent:
    """A language model's side of MCP: calls tools, notes which."""

    def __init__(self, client: Client) -> None:
        self.client, self.called = client, set()

    async def ask(self, name, **arguments):
        """Call a tool, which must not fail; return its answer."""
        result = await self.client.call_tool(name, arguments)
        self.called.add(name)
        assert not result.is_error, result.content[0].text
        assert json.loads(result.content[0].text) == result.structured_content
        return result.structured_content

    async def fail(self, name, **arguments):
        """Call a tool, which must fail; return its error."""
        result = await self.client.call_tool(name, arguments)
        self.called.add(name)
        assert result.is_error
        problem = result.structured_content
        assert problem["code"] in result.content[0].text
        assert problem["remedy"] in result.content[0].text
        return problem

    async def wait_for(self, cursor, event_type):
        """The next event of a type, by long poll, and the cursor behind it."""
        while True:
            news = await self.ask("chamade_inbox", after=cursor, wait_s=10, limit=1)
            cursor = news["cursor"]
            assert news["events"], f"no {event_type} within 10 s"
            if news["events"][0]["type"] == event_type:
                return news["events"][0], cursor


@asynccontextmanager
async def over_http(live, mode, headers=None):
    headers = headers or {"X-API-Key": live.stack["api_key"]}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(f"{live.stack['api_url']}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield Agent(client)


@asynccontextmanager
async def over_stdio(live, mode):
    bridge = StdioServerParameters(
        command=sys.executable,
        args=["-m", "chamade.mcp"],
        env={
            "CHAMADE_API_URL": live.stack["api_url"],
            "CHAMADE_API_KEY": live.stack["api_key"],
            "PYTHONPATH": str(ROOT / "client"),
        },
    )
    async with Client(bridge, mode=mode) as client:
        yield Agent(client)


@pytest.mark.parametrize("mode", MODES)
async def test_every_tool_is_listed_and_works(line, mode):
    async with over_http(line, mode) as agent:
        listed = (await agent.client.list_tools()).tools
        assert [tool.name for tool in listed] == list(TOOLS)
        assert all(tool.output_schema and tool.annotations for tool in listed)
        await take_a_call(agent, line)
        await refuse_a_call(agent, line)
        await be_too_late(agent, line)
        await manage_numbers(agent)
        await dial_without_a_trunk(agent)
        await manage_a_trunk(agent, line)
        assert agent.called == set(TOOLS)


async def take_a_call(agent, line):
    cursor = (await agent.ask("chamade_inbox", after="latest", wait_s=0))["cursor"]
    phone = await line.phone().place_call(line.number, from_="+33612340001")
    ringing, cursor = await agent.wait_for(cursor, "call.ringing")
    assert ringing["data"]["call"]["from"] == "+33612340001"
    call_id = ringing["call_id"]
    assert (await agent.ask("chamade_call_status", call_id=call_id))["state"] == "ringing"
    accepted = await agent.ask("chamade_call_accept", call_id=call_id)
    assert accepted["state"] == "active"
    talk = Talk(accepted["audio"])
    talking = asyncio.create_task(talk.run(b""))
    await asyncio.wait_for(talk.started.wait(), 10)
    assert await asyncio.wait_for(phone.wait_answered(), 10)
    for tool, more in (("chamade_call_say", {"text": "Hello"}), ("chamade_call_listen", {})):
        gated = await agent.fail(tool, call_id=call_id, **more)
        assert gated["code"] == "hosted_voice_gated"
    assert (await agent.ask("chamade_call_dtmf", call_id=call_id, digits="12"))["queued"] == 2
    again = await agent.fail("chamade_call_accept", call_id=call_id)
    assert (again["code"], again["call"]["state"]) == ("call_not_ringing", "active")
    await act_during_a_call(agent, call_id)
    left = await agent.ask("chamade_call_leave", call_id=call_id)
    assert (left["state"], left["end_reason"], left["audio"]) == ("ended", "agent_hangup", None)
    await asyncio.wait_for(phone.ended.wait(), 10)
    await asyncio.wait_for(talking, 10)
    ended, _ = await agent.wait_for(cursor, "call.ended")
    assert ended["call_id"] == call_id
    newest = await agent.ask("chamade_call_list", state="ended", limit=1)
    assert [call["call_id"] for call in newest["calls"]] == [call_id]
    recent = await agent.ask("chamade_inbox")
    assert ("call.ended", call_id) in [
        (event["type"], event["call_id"]) for event in recent["events"]
    ]


async def act_during_a_call(agent, call_id):
    assert (await agent.ask("chamade_call_hold", call_id=call_id))["hold"] == "agent"
    assert "hold" not in await agent.ask("chamade_call_resume", call_id=call_id)
    recorded = await agent.ask("chamade_call_record", call_id=call_id, action="start")
    assert recorded["recording"]["state"] == "on"
    third_party = {"call_id": call_id, "to": "+33199001234", "mode": "cold"}
    assert (await agent.fail("chamade_call_transfer", **third_party))["code"] == "no_trunk"
    for tool in ("chamade_call_transfer_complete", "chamade_call_transfer_cancel"):
        assert (await agent.fail(tool, call_id=call_id))["code"] == "no_transfer"


async def refuse_a_call(agent, line):
    cursor = (await agent.ask("chamade_inbox", after="latest", wait_s=0))["cursor"]
    phone = await line.phone().place_call(line.number)
    ringing, cursor = await agent.wait_for(cursor, "call.ringing")
    refused = await agent.ask("chamade_call_refuse", call_id=ringing["call_id"])
    assert refused["state"] == "declined"
    await asyncio.wait_for(phone.ended.wait(), 10)
    assert phone.ending.sip_code == 486
    await agent.wait_for(cursor, "call.declined")


async def be_too_late(agent, line):
    cursor = (await agent.ask("chamade_inbox", after="latest", wait_s=0))["cursor"]
    phone = await line.phone().place_call(line.number)
    ringing, cursor = await agent.wait_for(cursor, "call.ringing")
    phone.hangup()
    await agent.wait_for(cursor, "call.missed")
    late = await agent.fail("chamade_call_accept", call_id=ringing["call_id"])
    assert (late["code"], late["call"]["end_reason"]) == ("call_over", "caller_hangup")


async def manage_numbers(agent):
    made = await agent.ask("chamade_number_activate", country="FR")
    changed = await agent.ask("chamade_number_change", e164=made["e164"], auto_answer=True)
    assert changed["auto_answer"] is True
    listed = (await agent.ask("chamade_number_list"))["numbers"]
    assert made["e164"] in [number["e164"] for number in listed]
    assert await agent.ask("chamade_number_release", e164=made["e164"]) == {"done": True}
    gone = await agent.fail("chamade_number_change", e164=made["e164"], label="Desk")
    assert gone["code"] == "number_not_found"


async def dial_without_a_trunk(agent):
    assert (await agent.fail("chamade_trunk_status"))["code"] == "no_trunk"
    assert (await agent.fail("chamade_call_join", meeting_url=MEETING))["code"] == "no_trunk"


async def manage_a_trunk(agent, line):
    nobody = {"host": "127.0.0.1", "port": free_port(), "username": "acct42", "password": "s3cret"}
    await line.rest("PUT", "/api/trunk", {**nobody, "caller_id": DID})
    try:
        added = await agent.ask("chamade_trunk_did_add", e164=DID, label="Desk")
        assert added["called_at"] is None
        await agent.ask("chamade_trunk_did_change", e164=DID, auto_answer=True)
        trunk = await agent.ask("chamade_trunk_status")
        (listed,) = (await agent.ask("chamade_trunk_list"))["trunks"]
        assert (listed["name"], listed["trunk_id"]) == ("main", trunk["trunk_id"])
        assert [did["auto_answer"] for did in trunk["dids"]] == [True]
        assert "s3cret" not in json.dumps(trunk)
        assert await agent.ask("chamade_trunk_did_remove", e164=DID) == {"done": True}
        refused = await agent.fail("chamade_call_join", meeting_url=MEETING)
        assert refused["code"] == "trunk_not_registered"
    finally:
        await line.rest("DELETE", "/api/trunk")


@pytest.mark.parametrize("mode", MODES)
async def test_a_bearer_key_is_accepted_and_a_wrong_key_refused(line, mode):
    bearer = {"Authorization": f"Bearer {line.stack['api_key']}"}
    async with over_http(line, mode, bearer) as agent:
        assert await agent.ask("chamade_number_list")
    with pytest.raises((MCPError, httpx2.HTTPError, ExceptionGroup)):
        async with over_http(line, mode, {"X-API-Key": "chmd_live_wrong"}) as agent:
            await agent.client.list_tools()


async def test_the_running_server_refuses_a_foreign_host_header(line):
    status, problem = await asyncio.to_thread(
        post, f"{line.stack['api_url']}/mcp", b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}',
        **{"Host": "evil.example", "X-API-Key": line.stack["api_key"],
           "Content-Type": "application/json", "Accept": "application/json"},
    )  # fmt: skip
    assert (status, problem["code"]) == (421, "foreign_host")


@pytest.mark.parametrize("mode", MODES)
async def test_a_long_poll_through_the_bridge_delays_no_other_request(line, mode):
    async with over_stdio(line, mode) as agent:
        assert len((await agent.client.list_tools()).tools) == len(TOOLS)
        cursor = (await agent.ask("chamade_inbox", after="latest", wait_s=0))["cursor"]
        waiting = asyncio.create_task(agent.wait_for(cursor, "call.ringing"))
        began = time.monotonic()
        for _ in range(3):
            await agent.ask("chamade_number_list")
        assert time.monotonic() - began < 5
        assert not waiting.done()
        phone = await line.phone().place_call(line.number)
        ringing, _ = await asyncio.wait_for(waiting, 10)
        refused = await agent.ask("chamade_call_refuse", call_id=ringing["call_id"])
        assert refused["state"] == "declined"
        await asyncio.wait_for(phone.ended.wait(), 10)
        unknown = await agent.fail("chamade_call_status", call_id="call_" + "a" * 26)
        assert unknown["code"] == "call_not_found"


async def test_the_bridge_drops_a_request_that_the_client_cancelled(line):
    async with over_stdio(line, "legacy") as agent:
        cursor = (await agent.ask("chamade_inbox", after="latest", wait_s=0))["cursor"]
        poll = asyncio.create_task(agent.ask("chamade_inbox", after=cursor, wait_s=20))
        await agent.ask("chamade_number_list")  # the poll is under way before this
        poll.cancel()
        with pytest.raises(asyncio.CancelledError):
            await poll
        assert await asyncio.wait_for(agent.ask("chamade_number_list"), 5)


async def test_the_bridge_reports_a_wrong_key_as_an_error(line):
    stranger = Live({**line.stack, "api_key": mint_key()})
    with pytest.raises((MCPError, ExceptionGroup)) as refused:
        async with over_stdio(stranger, "legacy") as agent:
            await agent.client.list_tools()
    assert "CHAMADE_API_KEY" in str(_innermost(refused.value))


def _innermost(error):
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
