"""Tests of the SIP messages that end an unanswered call: as at Twilio, a hang-up answers it and a
reject does not.
"""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from gateway.config import Config
from gateway.server import start
from tests.sip.peers import HOST, Sipp
from tests.support.ports import free_port


@pytest.fixture
async def gateway_that_answers():
    """`port = await gateway_that_answers("<Hangup/>")`: of a gateway whose application says so."""
    stops = []

    async def start_one(twiml):
        async def voice(_request):
            text = f"<Response>{twiml}</Response>"
            return web.Response(text=text, content_type="text/xml")

        app = web.Application()
        app.add_routes([web.post("/voice", voice)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, HOST, 0).start()
        config = Config(
            account_sid="AC" + "0" * 32,
            auth_token="t",
            voice_url=f"http://{HOST}:{runner.addresses[0][1]}/voice",
            port=0,
            sip_port=free_port(),
        )
        gateway = await start(config)
        stops.extend([gateway.stop, runner.cleanup])
        return config.sip_port

    yield start_one
    for stop in stops:
        await stop()


@pytest.mark.parametrize("twiml", ["<Hangup/>", "", '<Pause length="1"/>'])
async def test_hanging_up_an_unanswered_call_sends_200_and_then_bye(
    up, gateway_that_answers, twiml
):
    caller = await up(Sipp.uac("is_hung_up", await gateway_that_answers(twiml), number="+15551234"))
    await caller.receives(200)
    await caller.receives("BYE")
    await asyncio.wait_for(caller.finished(), 5)


@pytest.mark.parametrize(("reason", "code"), [("busy", 486), ("rejected", 404)])
async def test_rejecting_a_call_never_answers_it(up, gateway_that_answers, reason, code):
    port = await gateway_that_answers(f'<Reject reason="{reason}"/><Hangup/>')
    caller = await up(Sipp.uac("is_refused", port, number="+15551234", code=code))
    await asyncio.wait_for(caller.finished(), 5)
