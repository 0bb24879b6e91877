"""Tests of the dashboard's requests on a running stack: a cookie session, and a test call with
audio both ways.
"""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from local.agent import Talk
from tests.support.clips import clip

FRAME = 160


class Page:
    """The page's requests, as a browser sends them."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str) -> None:
        self._session, self._api_url = session, api_url
        self.headers = {"X-Chamade-Session": "1", "Sec-Fetch-Site": "same-origin"}
        self.headers["Origin"] = api_url

    async def ask(self, method: str, path: str, body=None):
        """Status and content."""
        url = f"{self._api_url}/api/{path}"
        async with self._session.request(
            method, url, json=body, headers=self.headers, skip_auto_headers=["Content-Type"]
        ) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None


@pytest.fixture
async def page(live):
    """One that is signed in."""
    jar = aiohttp.CookieJar(unsafe=True)  # hosts that are addresses
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        page = Page(session, live.stack["api_url"])
        status, _ = await page.ask("POST", "session", {"api_key": live.stack["api_key"]})
        assert status == 201
        yield page


class Caller:
    """The browser's side of a test call."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.messages: list[dict] = []
        self.heard = bytearray()
        self.ringing, self.answered = asyncio.Event(), asyncio.Event()
        self.more = asyncio.Event()

    async def listen(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                self.heard += message.data
                self.more.set()
            else:
                self.messages.append(message.json())
                getattr(self, message.json()["type"], asyncio.Event()).set()

    async def say(self, ulaw: bytes) -> None:
        for start in range(0, len(ulaw) - FRAME + 1, FRAME):
            await self.socket.send_bytes(ulaw[start : start + FRAME])
            await asyncio.sleep(0.02)

    async def wait_heard(self, ulaw: bytes) -> None:
        async with asyncio.timeout(15):
            while ulaw not in self.heard:
                self.more.clear()
                await self.more.wait()


async def test_the_dashboard_s_url_serves_the_page_and_its_files(live):
    async with aiohttp.ClientSession() as session:
        async with session.get(live.stack["api_url"]) as led:
            assert str(led.url) == live.stack["dashboard_url"]
        async with session.get(live.stack["dashboard_url"]) as page:
            assert (page.status, page.content_type) == (200, "text/html")
            policy = page.headers["Content-Security-Policy"]
        for part in ("relay_url", "gateway_url"):
            assert live.stack[part].replace("http://", "ws://") in policy
        async with session.head(f"{live.stack['dashboard_url']}/app.js") as script:
            assert (script.status, script.content_type) == (200, "text/javascript")
            assert int(script.headers["Content-Length"]) > 1000
        seen = {"If-None-Match": script.headers["ETag"]}
        url = f"{live.stack['dashboard_url']}/app.js"
        async with session.get(url, headers=seen) as again:
            assert (again.status, await again.read()) == (304, b"")


async def test_a_browser_calls_a_number_and_talks_to_its_agent(live, page):
    status, invited = await page.ask("POST", "test-call", {"to": live.number})
    assert status == 201
    agents, callers = clip("goodbye.wav", 2), clip("caller.wav", 2)
    origin = {"Origin": live.stack["api_url"]}
    async with aiohttp.ClientSession() as nobody:  # no cookie, no credential: the ticket is all
        async with nobody.ws_connect(invited["url"], headers=origin) as socket:
            caller = Caller(socket)
            listening = asyncio.create_task(caller.listen())
            await asyncio.wait_for(caller.ringing.wait(), 10)
            call_id = await live.call_id("client:dashboard")
            status, accepted = await page.ask("POST", f"call/{call_id}/accept")
            assert status == 200
            talk = Talk(accepted["audio"])
            talking = asyncio.create_task(talk.run(agents))
            await asyncio.wait_for(caller.answered.wait(), 10)
            await asyncio.wait_for(talk.started.wait(), 10)
            await caller.say(callers)
            await caller.wait_heard(agents)
            await socket.send_json({"type": "hangup"})
            await asyncio.wait_for(talking, 15)
            await asyncio.wait_for(listening, 15)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await nobody.ws_connect(invited["url"], headers=origin)
    assert refused.value.status == 403
    assert callers in bytes(talk.heard)
    assert caller.messages[-1]["type"] == "ended"
    _, over = await page.ask("GET", f"call/{call_id}")
    assert (over["state"], over["end_reason"]) == ("ended", "caller_hangup")
    assert (over["from"], over["to"]) == ("client:dashboard", live.number)
    assert over["provider_call_id"] == caller.messages[0]["call_sid"]


async def test_the_page_opens_the_agents_socket_with_a_token_in_the_url(live, page):
    call, call_id = await live.dial()
    _, accepted = await page.ask("POST", f"call/{call_id}/accept")
    audio = accepted["audio"]
    url = f"{audio['url']}?format=pcm_s16le&rate=16000&token={audio['token']}"
    origin = {"Origin": live.stack["api_url"]}
    async with aiohttp.ClientSession() as nobody, nobody.ws_connect(url, headers=origin) as socket:
        assert (await socket.receive_json(timeout=10))["type"] == "start"
        await socket.send_json({"type": "hangup"})
    await asyncio.wait_for(call.ended.wait(), 10)


async def test_signing_out_closes_the_session(page):
    assert (await page.ask("GET", "account"))[0] == 200
    assert await page.ask("DELETE", "session") == (204, None)
    assert (await page.ask("GET", "account"))[0] == 401
    status, problem = await page.ask("GET", "session")
    assert (status, problem["code"]) == (401, "bad_key")


async def test_another_sites_page_cannot_use_the_cookie(page):
    page.headers["Origin"] = "https://evil.example"
    status, problem = await page.ask("GET", "account")
    assert (status, problem["code"]) == (403, "cross_site")
