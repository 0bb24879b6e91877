"""Tests of REST calls with `Routes`: which are taken, and which trunk their webhooks name."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from multidict import MultiDict, MultiDictProxy

from gateway.api import params
from gateway.api.errors import RestError
from gateway.calls.leg import Route
from gateway.http.auth import basic
from tests.sip.peers.registrar import Registrar, rings
from tests.support.ports import HOST, free_port, free_ports
from tests.unit.gateway.control_server import SECRET, A, B, ControlServer, trunk_id

TO, FROM = "+33199001234", "+33199005678"
C = trunk_id(3)
ROUTES = [
    {"trunk": A, "to": "0199001234", "from": "0199005678"},
    {"trunk": B, "to": "0033199001234", "from": FROM},
]
FORM = {"To": TO, "From": FROM, "Twiml": "<Response/>"}


def created(**fields):
    return params.create(MultiDictProxy(MultiDict(FORM | fields)))


def test_routes_are_read_in_their_order():
    found = created(Byoc=A, Routes=json.dumps(ROUTES)).destination
    assert (found.trunk_id, found.to, found.from_) == (A, TO, FROM)
    assert found.ways == (
        Route(A, "0199001234", "0199005678"),
        Route(B, "0033199001234", FROM),
    )


def test_without_routes_the_trunk_is_the_only_one():
    assert created(Byoc=A).destination.ways == (Route(A, TO, FROM),)
    assert created().destination.ways == ()


ONE = ROUTES[0]


@pytest.mark.parametrize(
    "routes",
    [
        "nonsense",
        "{}",
        "[]",
        "[" * 2000,
        json.dumps([ONE] * (params.MAX_ROUTES + 1)),
        json.dumps([{"trunk": A, "to": "1"}]),
        json.dumps([ROUTES[1], ONE]),
        *(json.dumps([ONE | {name: value}]) for name in ("to", "from")
          for value in ("", "a", "1;lr", "1\n", "1@x", "1" * 33, 1, None)),
        *(json.dumps([ONE | {"trunk": value}]) for value in ("trunk_1", A + "\n", None, 1)),
    ],
)  # fmt: skip
def test_wrong_routes_are_refused(routes):
    with pytest.raises(RestError, match="Routes") as refused:
        created(Byoc=A, Routes=routes)
    assert (refused.value.status, refused.value.code) == (400, 20001)


def test_routes_need_the_trunk_of_the_first():
    with pytest.raises(RestError, match="Byoc must be the trunk of the first"):
        created(Routes=json.dumps(ROUTES))


# Calls.


@pytest.fixture
async def carriers():
    async with Registrar(rings) as first, Registrar(rings) as second:
        yield first, second


@pytest.fixture
async def gateway(carriers, start_gateway):
    """A gateway with two trunks that are registered."""
    server, first_rtp = ControlServer(), free_ports(40)
    async with server.serving():
        for trunk, carrier in zip((A, B), carriers, strict=True):
            server.put(trunk, host=HOST, port=carrier.port)
        gateway = await start_gateway(
            control_url=server.url,
            control_secret=SECRET,
            allow_private_trunks=True,
            sip_port=free_port(),
            rtp_ports=(first_rtp, first_rtp + 39),
            max_calls_per_trunk=2,
        )
        async with asyncio.timeout(10):
            while gateway.trunks.by_status()["registered"] < 2:
                await server.report()
        yield gateway


@pytest.fixture
async def post(gateway, account, application):
    url = f"{gateway.url}/2010-04-01/Accounts/{account[0]}/Calls"
    events = [("StatusCallbackEvent", each) for each in ("initiated", "ringing", "completed")]
    async with aiohttp.ClientSession(headers={"Authorization": basic(*account)}) as session:

        async def send(routes, sid="", **more):
            form = FORM | {"StatusCallback": f"{application.url}/status"}
            if routes:
                form |= {"Byoc": routes[0]["trunk"], "Routes": json.dumps(routes)}
            data = [*(form | more).items(), *events]
            async with session.post(f"{url}{sid}.json", data=data) as answer:
                return answer.status, await answer.json()

        yield send


async def test_webhooks_name_the_trunk_by_which_the_call_goes_now(post, carriers, application):
    carriers[0].answer = lambda _: "503 Service Unavailable"
    status, call = await post(ROUTES)
    assert (status, call["trunk_sid"]) == (201, A)
    told = [(await application.next("/status")).params for _ in range(2)]
    assert [(each["CallStatus"], each["TrunkSid"]) for each in told] == [
        ("initiated", A),
        ("ringing", B),
    ]
    assert told[0]["To"] == told[1]["To"] == TO
    assert "sip:0033199001234@" in carriers[1].invites[0].first
    await post([], f"/{call['sid']}", Status="canceled")
    over = (await application.next("/status")).params
    assert (over["CallStatus"], over["TrunkSid"]) == ("canceled", B)
    await carriers[1].until(lambda: carriers[1].requests["CANCEL"])


async def test_each_invite_of_a_call_has_its_headers_and_the_caller_s_name(post, carriers):
    first, second = carriers
    first.answer = lambda _: "503 Service Unavailable"
    first.challenges_calls = second.challenges_calls = True
    told = {"CallerName": 'Zoë "Z" Ltd', "SipHeaders": "X-Order=4711%20%22&User-to-User=00"}
    assert (await post(ROUTES, **told))[0] == 201
    await second.until(lambda: second.invites)
    for invite in (*first.invites, *second.invites):
        assert invite.get("authorization")
        assert (invite.get("x-order"), invite.get("user-to-user")) == ('4711 "', "00")
        for field in ("from", "p-asserted-identity"):
            assert invite.get(field).startswith('"Zoë \\"Z\\" Ltd" <sip:')


@pytest.mark.parametrize(
    "told",
    [
        {"SipHeaders": "X-A=a%0D%0AVia%3A%20x"},
        {"SipHeaders": "X-A%0D%0AVia=x"},
        {"SipHeaders": "Route=%3Csip%3Ax%3E"},
        {"SipHeaders": "X-Chamade-Trunk=x"},
        {"SipHeaders": "X-A"},
        {"SipHeaders": "X-A=%FF"},
        {"SipHeaders": "X-A=1&X-A=2"},
        {"SipHeaders": "&".join(f"X-{i}=1" for i in range(30))},
        {"CallerName": "a\r\nVia: x"},
        {"CallerName": "a" * 81},
        {"To": "sip:bob@pbx.example?X-Call-Sid=1"},
    ],
)
def test_headers_and_names_that_no_invite_may_have_are_refused(told):
    with pytest.raises(RestError) as refused:
        created(**told)
    assert (refused.value.status, refused.value.code) == (400, 20001)


def test_headers_of_a_sip_uri_are_those_of_the_invite_and_no_part_of_the_party():
    found = created(To="sip:bob@pbx.example?X-Order=4711").destination
    assert (found.to, dict(found.introduction.headers)) == (
        "sip:bob@pbx.example", {"X-Order": "4711"},
    )  # fmt: skip


async def test_a_call_that_no_trunk_places_fails_with_the_last_code(post, carriers, application):
    carriers[0].answer = lambda _: "503 Service Unavailable"
    carriers[1].answer = lambda _: "502 Bad Gateway"
    await post(ROUTES)
    await application.next("/status")
    over = (await application.next("/status")).params
    assert (over["CallStatus"], over["SipResponseCode"], over["TrunkSid"]) == ("failed", "502", B)


async def test_an_unknown_trunk_is_passed_over_and_none_but_unknown_ones_are_refused(
    post, carriers, application
):
    unknown = ONE | {"trunk": C}
    status, call = await post([unknown, ROUTES[1]])
    assert (status, call["trunk_sid"]) == (201, B)
    status, problem = await post([unknown])
    assert (status, problem["code"]) == (400, 21300)


async def test_a_full_trunk_is_passed_over_and_none_but_full_ones_are_refused(
    post, carriers, application
):
    trunks = [(await post(ROUTES))[1]["trunk_sid"] for _ in range(4)]
    assert trunks == [A, A, B, B]
    status, problem = await post(ROUTES)
    assert (status, problem["code"]) == (429, 20429)


async def test_a_full_second_trunk_takes_no_call_of_the_first(post, carriers, application):
    for _ in range(2):
        assert (await post([ROUTES[1]]))[0] == 201
        assert (await application.next("/status")).params["CallStatus"] == "initiated"
        assert (await application.next("/status")).params["CallStatus"] == "ringing"
    carriers[0].answer = lambda _: "503 Service Unavailable"
    await post(ROUTES)
    assert (await application.next("/status")).params["TrunkSid"] == A
    over = (await application.next("/status")).params
    assert (over["CallStatus"], over["SipResponseCode"], over["TrunkSid"]) == ("failed", "503", A)
    assert len(carriers[1].invites) == 2
