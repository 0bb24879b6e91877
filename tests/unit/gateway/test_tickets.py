"""Tests that a browser places a call with a ticket, and with nothing else."""

from __future__ import annotations

import json
import logging
import time

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from common import call_ticket
from common.call_ticket import Ticket
from gateway.legs.socket.tickets import MOST, MOST_PER_NUMBER, BadTicket, Tickets

SECRET = "control-secret"
TO, FROM = "+15551230000", "client:dashboard"


def ticket(*, secret=SECRET, lasts_s=60, trunk_id=None, now=None, to=TO):
    expires_s = int(now or time.time()) + lasts_s
    return call_ticket.issue(secret, Ticket(to, FROM, trunk_id, expires_s))


@pytest.fixture
async def gateway(start_gateway):
    """One that has a secret in common with the application."""
    return await start_gateway(control_secret=SECRET)


def url(gateway, text, more=""):
    return f"{gateway.url.replace('http', 'ws')}/legs/call?ticket={text}{more}"


async def refused(gateway, text, more=""):
    with pytest.raises(InvalidStatus) as no:
        async with connect(url(gateway, text, more)):
            pass
    return no.value.response.status_code


async def test_a_ticket_places_the_call_it_is_for(application, gateway):
    application.on("/voice", "<Reject/>")
    origin = "http://localhost:8700"
    async with connect(url(gateway, ticket(trunk_id="trk_1")), origin=origin) as socket:
        messages = [json.loads(message) async for message in socket]
    params = (await application.next("/voice")).params
    assert (params["To"], params["From"], params["TrunkSid"]) == (TO, FROM, "trk_1")
    assert params["Direction"] == "inbound"
    assert messages[-1]["type"] == "ended"


async def test_a_ticket_places_one_call_only(application, gateway):
    application.on("/voice", "<Reject/>")
    text = ticket()
    async with connect(url(gateway, text)) as socket:
        async for _ in socket:
            pass
    assert await refused(gateway, text) == 403


async def test_forged_and_expired_tickets_place_no_call(application, gateway):
    for text in (
        "", "x", "x.y", ticket(secret="another"), ticket(secret=""), ticket(lasts_s=0),
        ticket(lasts_s=-1), ticket(lasts_s=3600), ticket()[:-1],
    ):  # fmt: skip
        assert await refused(gateway, text) == 403
    assert not [post for post in application.posts if post.path == "/voice"]


@pytest.mark.parametrize("more", ["&to=%2B15559999999", "&from=%2B33612345678", "&ticket=x"])
async def test_parameters_beside_a_ticket_are_refused(application, gateway, more):
    assert await refused(gateway, ticket(), more) == 400
    assert not [post for post in application.posts if post.path == "/voice"]


async def test_a_gateway_without_a_secret_takes_no_tickets(start_gateway):
    assert await refused(await start_gateway(), ticket(secret="")) == 403


async def test_a_ticket_does_not_allow_registering_a_number(gateway):
    with pytest.raises(InvalidStatus) as no:
        async with connect(url(gateway, ticket()).replace("/call", "/answer")):
            pass
    assert no.value.response.status_code == 401


async def test_a_request_that_is_no_websocket_does_not_use_up_a_ticket(application, gateway):
    application.on("/voice", "<Reject/>")
    text = ticket()
    plain = url(gateway, text).replace("ws:", "http:")
    async with aiohttp.ClientSession() as session, session.get(plain) as answer:
        assert answer.status == 400
    async with connect(url(gateway, text)):
        await application.next("/voice")


async def test_tickets_are_not_logged(application, gateway, caplog):
    caplog.set_level(logging.DEBUG)
    application.on("/voice", "<Reject/>")
    text = ticket()
    async with connect(url(gateway, text), logger=logging.getLogger("client.of.the.test")):
        await application.next("/voice")
    await refused(gateway, text)
    ours = [each for each in caplog.records if not each.name.startswith(("client", "websockets"))]
    assert text not in "".join(record.getMessage() for record in ours)


def test_used_tickets_are_remembered_until_they_expire():
    now = [1_790_000_000.0]
    tickets = Tickets(SECRET, lambda: now[0])
    first = ticket(now=now[0], lasts_s=119)
    assert tickets.take(first).to == TO
    now[0] += 118.9
    with pytest.raises(BadTicket, match="used"):
        tickets.take(first)
    now[0] += 2
    with pytest.raises(BadTicket, match="expired"):
        tickets.take(first)


def test_used_tickets_of_one_number_do_not_use_up_the_room_of_others():
    now = [1_790_000_000.0]
    tickets = Tickets(SECRET, lambda: now[0])
    for _ in range(MOST_PER_NUMBER):
        tickets.take(ticket(now=now[0]))
    with pytest.raises(BadTicket, match="too many"):
        tickets.take(ticket(now=now[0]))
    assert tickets.take(ticket(now=now[0], to="+15551239999")).to == "+15551239999"
    now[0] += 181
    assert tickets.take(ticket(now=now[0])).to == TO


def test_remembered_tickets_are_bounded():
    now = [1_790_000_000.0]
    tickets = Tickets(SECRET, lambda: now[0])
    for number in range(MOST):
        tickets.take(ticket(now=now[0], to=f"{TO}{number % 100:02d}"))
    with pytest.raises(BadTicket, match="too many"):
        tickets.take(ticket(now=now[0]))
    now[0] += 120
    assert tickets.take(ticket(now=now[0])).to == TO
    assert len(tickets._used) == 1
