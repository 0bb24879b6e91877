"""Tests of calls that agents dial: POST /api/call, through a trunk at Kamailio, to sipp or a
softphone.
"""

from __future__ import annotations

import asyncio

import pytest

from local.agent import Refused
from tests.sip.peers import Sipp, Wire
from tests.sip.peers.wire import first
from tests.sip.support import CALLED, DID, PASSWORD, USER, Agent, hears, spoken

OTHER = "+33199001235"


@pytest.fixture
def callee(up, carrier):
    """`called = await callee("answers")`: who picks up at the number that tests dial."""

    async def at_the_number(scenario, number=CALLED, **options):
        called = await up(Sipp.uas(scenario, **options))
        await carrier.route(number, called.address)
        return called

    return at_the_number


async def test_the_agent_and_the_called_party_hear_each_other(
    up, connected, carrier, softphone, speech
):
    agents, theirs = speech("greeting"), speech("caller")
    phone = await softphone(user=CALLED, says=spoken(theirs))
    await carrier.route(CALLED, ("127.0.0.1", phone.port))
    call = await connected.dial()
    assert call["state"] in {"connecting", "ringing"}
    assert (call["direction"], call["from"]) == ("outbound", DID)
    agent = await up(Agent(call))
    ringing = await phone.rings()
    await connected.happens("call.ringing")
    assert (await connected.call(call["call_id"]))["state"] == "ringing"
    await ringing.accept()
    await agent.say(agents)
    await asyncio.gather(hears(phone, agents), hears(agent, theirs))
    await connected.leave(call)
    await ringing.closed()
    assert await connected.ending(call) == ("ended", "agent_hangup")
    assert await connected.story(call) == [
        "call.connecting", "call.ringing", "call.answered", "call.ended",
    ]  # fmt: skip
    assert [one.answer for one in carrier.requests("INVITE")] == ["407", "routed"]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (486, ("failed", "busy", 486)),
        (600, ("failed", "busy", 600)),
        (480, ("failed", "no_answer", 480)),
        (408, ("failed", "no_answer", 408)),
        (404, ("failed", "rejected", 404)),
        (500, ("failed", "rejected", 500)),
        # A proxy says 500 where the far end said 503 (RFC 3261 16.7, 6).
        (503, ("failed", "rejected", 500)),
        (607, ("declined", "declined", 607)),
    ],
)
async def test_a_refused_call_has_the_reason_of_its_sip_code(connected, callee, code, outcome):
    called = await callee("refuses", code=code, ring_ms=50)
    over = await connected.over(await connected.dial())
    assert (over["state"], over["end_reason"], over["sip_code"]) == outcome
    await called.finished()


async def test_a_number_unknown_to_the_carrier_fails_the_call(connected, carrier):
    over = await connected.over(await connected.dial())
    assert (over["state"], over["end_reason"], over["sip_code"]) == ("failed", "rejected", 404)


async def test_a_party_that_declined_is_not_dialled_again(connected, callee):
    called = await callee("refuses", code=603)
    call = await connected.dial()
    assert await connected.ending(call) == ("declined", "declined")
    await called.finished()
    with pytest.raises(Refused) as refused:
        await connected.dial()
    assert (refused.value.status, refused.value.problem["code"]) == (429, "recently_declined")


async def test_an_unanswered_call_stops_ringing_at_the_far_end(connected, callee):
    called = await callee("rings")
    call = await connected.dial(ring_timeout_s=5)
    assert await connected.ending(call) == ("failed", "no_answer")
    await called.finished()
    invite, cancel = called.received("INVITE")[0], called.received("CANCEL")[0]
    assert 4.8 <= cancel.at - invite.at <= 6.0


async def test_the_far_end_stops_ringing_when_the_agent_leaves(connected, callee):
    called = await callee("rings")
    call = await connected.dial()
    await connected.happens("call.ringing")
    await connected.leave(call)
    await called.finished()
    assert called.received("CANCEL")
    assert await connected.ending(call) == ("ended", "agent_hangup")


async def test_a_hang_up_at_the_far_end_ends_the_call(up, connected, callee, speech):
    called = await callee("hangs_up", talk_ms=600)
    call = await connected.dial()
    agent = await up(Agent(call))
    await called.finished()
    assert await connected.ending(call) == ("ended", "callee_hangup")
    assert (await agent.dismissed())["reason"] == "callee_hangup"


async def test_early_media_counts_as_ringing_and_audio_starts_at_the_answer(
    up, connected, callee, speech
):
    agents, theirs = speech("greeting"), speech("caller")
    called = await callee("early_media", ring_ms=400)
    call = await connected.dial()
    agent = await up(Agent(call))
    await connected.is_active(call)
    await agent.talk.started.wait()
    await asyncio.gather(
        agent.say(spoken(agents, 3)), called.rtp.play(spoken(theirs, 3), called.remote_media)
    )
    await asyncio.gather(hears(called.rtp, agents), hears(agent, theirs))
    await connected.leave(call)
    await called.finished()
    assert (await connected.story(call))[:3] == [
        "call.connecting", "call.ringing", "call.answered",
    ]  # fmt: skip


async def test_the_far_end_sees_the_caller_id(up, connected, carrier, callee):
    await connected.add(OTHER)
    await carrier.subscriber(USER, PASSWORD, OTHER)
    caller = await up(Sipp.uac("cancels", carrier.pstn_port, number=OTHER, ring_ms=300))
    await connected.rings()  # so that it may be used
    await caller.finished()
    for expected, more in ((DID, {}), (OTHER, {"caller_id": OTHER})):
        called = await callee("hangs_up", ring_ms=0, talk_ms=0)
        call = await connected.dial(**more)
        await called.finished()
        invite = called.received("INVITE")[0]
        assert f"<sip:{expected}@" in invite.header("From")
        assert f"<sip:{expected}@" in invite.header("P-Asserted-Identity")
        assert f"sip:{CALLED}@" in invite.uri
        await connected.over(call)


async def test_the_far_end_sees_the_caller_s_name_and_headers(connected, carrier, callee):
    called = await callee("rings")
    headers = {"X-Order": '4711; "a b"', "User-to-User": "00aa;encoding=hex"}
    call = await connected.dial(caller_name='Zoé "Z" Ltd', sip_headers=headers)
    await connected.happens("call.ringing")
    (invite,) = called.received("INVITE")
    assert {name: invite.header(name) for name in headers} == headers
    assert invite.header("From").startswith('"Zoé \\"Z\\" Ltd" <sip:')
    assert [one.answer for one in carrier.requests("INVITE")] == ["407", "routed"]
    await connected.leave(call)
    await called.finished()


async def test_the_agents_keys_reach_the_far_end_as_telephone_events(up, connected, callee):
    called = await callee("answers")
    call = await connected.dial()
    agent = await up(Agent(call))
    await agent.press("9#")
    await called.program.until(lambda: called.rtp.keys() == "9#", 5, "the keys")
    await connected.leave(call)
    await called.finished()


async def test_lost_invites_are_sent_again(up, tenant, carrier, callee):
    wire = await up(Wire(carrier.port, loses=first(2, b"INVITE")))
    await tenant.register(carrier, port=wire.port)
    called = await callee("answers")
    call = await tenant.dial()
    await tenant.is_active(call)
    assert len(wire.lost) == 2
    await tenant.leave(call)
    await called.finished()


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("sip:+33199001234@elsewhere.example", 422, "wrong_host"),
        ("sip:+33199001234@127.0.0.1:1", 422, "wrong_host"),
        ("sips:+33199001234@127.0.0.1", 422, "wrong_host"),
        ("sip:+442079460123@127.0.0.1", 403, "country_not_allowed"),
        ("sip:+33899001234@127.0.0.1", 403, "premium_number"),
    ],
)
async def test_forbidden_numbers_never_reach_the_carrier(connected, carrier, url, status, code):
    with pytest.raises(Refused) as refused:
        await connected.rest("POST", "/api/call", {"platform": "sip", "meeting_url": url})
    assert (refused.value.status, refused.value.problem["code"]) == (status, code)
    assert carrier.requests("INVITE") == []


async def test_a_trunk_that_is_not_registered_is_not_dialled_through(up, tenant, carrier):
    await tenant.connect(carrier.port, password="wrong")
    await tenant.happens("trunk.failed")
    with pytest.raises(Refused) as refused:
        await tenant.dial()
    problem = refused.value.problem
    assert (problem["code"], problem["trunk_status"]) == ("trunk_not_registered", "failed")
