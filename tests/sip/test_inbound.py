"""Tests of inbound calls over SIP, from softphones straight to a routing number and through
carriers to the numbers of a trunk: sipp and Debian's baresip call, Kamailio is the carrier.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.sip.conftest import RTP_TIMEOUT_S
from tests.sip.peers import HOST, Sipp
from tests.sip.support import (
    DID,
    PASSWORD,
    USER,
    Agent,
    fresh_caller,
    hears,
    spoken,
    until,
)

NATIONAL, ITS_E164 = "0199005678", "+33199005678"


@pytest.fixture
def calls_in(up, line):
    """`caller, call = await calls_in("hangs_up")`: sipp calls the line; the call, ringing."""

    async def call_in(scenario, **options):
        from_ = fresh_caller()
        options.setdefault("caller", f"<sip:{from_}@{HOST}>")
        caller = await up(Sipp.uac(scenario, line.port, number=line.number, **options))
        return caller, await line.owner.rings(from_)

    return call_in


@pytest.fixture
def carried_in(up, connected, carrier):
    """The same through the carrier, to the trunk's number."""

    async def call_in(scenario, **options):
        options.setdefault("number", DID)
        caller = await up(Sipp.uac(scenario, carrier.pstn_port, **options))
        return caller, await connected.rings()

    return call_in


@pytest.mark.parametrize(
    "phone_is",
    [
        pytest.param({"codec": "pcmu"}, id="mu-law"),
        pytest.param({"codec": "pcma"}, id="a-law"),
        pytest.param({"encryption": "srtp-mand"}, id="srtp"),
        pytest.param({"transport": "tcp"}, id="tcp"),
    ],
)
async def test_a_softphone_and_the_agent_hear_each_other(up, line, softphone, speech, phone_is):
    owner = line.owner
    callers, agents = speech("caller"), speech("greeting")
    phone = await softphone(user=fresh_caller(), says=spoken(callers), **phone_is)
    calling = await phone.dial(line.uri)
    await calling.ringing()
    call = await owner.rings(phone.user)
    assert (call["state"], call["to"], call["line"]) == ("ringing", line.number, line.number)
    agent = await up(Agent(call))
    await owner.accept(call)
    await calling.established()
    await agent.say(agents)
    await asyncio.gather(hears(phone, agents), hears(agent, callers))
    encrypted = any(event.get("type") == "CALL_MENC" for event in phone.events)
    assert encrypted == ("encryption" in phone_is)
    await calling.hang_up()
    assert await owner.ending(call) == ("ended", "caller_hangup")
    assert (await agent.dismissed())["reason"] == "caller_hangup"


async def test_a_caller_through_a_trunk_and_the_agent_hear_each_other(
    up, connected, carrier, softphone, speech
):
    callers, agents = speech("caller"), speech("greeting")
    phone = await softphone(user=fresh_caller(), says=spoken(callers))
    calling = await phone.dial(f"sip:{DID}@{HOST}:{carrier.pstn_port}")
    call = await connected.rings()
    assert (call["from"], call["to"], call["line"]) == (phone.user, DID, DID)
    agent = await up(Agent(call))
    await connected.accept(call)
    await calling.established()
    await agent.say(agents)
    await asyncio.gather(hears(phone, agents), hears(agent, callers))
    await connected.leave(call)
    await calling.closed()
    assert await connected.ending(call) == ("ended", "agent_hangup")


async def test_auto_answer_picks_up_at_once(up, tenant, carrier, softphone, speech):
    callers, agents = speech("caller"), speech("greeting")
    await tenant.register(carrier)
    await tenant.add(DID, auto_answer=True)
    phone = await softphone(user=fresh_caller(), says=spoken(callers))
    calling = await phone.dial(f"sip:{DID}@{HOST}:{carrier.pstn_port}")
    await calling.established()
    call = await tenant.rings()
    assert call["state"] == "active"
    agent = await up(Agent(call))
    await agent.say(agents)
    await asyncio.gather(hears(phone, agents), hears(agent, callers))
    await calling.hang_up()
    assert await tenant.ending(call) == ("ended", "caller_hangup")
    assert await tenant.story(call) == ["call.ringing", "call.answered", "call.ended"]


async def test_a_call_that_the_caller_cancels_is_missed(calls_in, line):
    owner = line.owner
    caller, call = await calls_in("cancels", ring_ms=300)
    await caller.finished()  # with 487 to its INVITE
    assert await owner.ending(call) == ("missed", "caller_hangup")


async def test_a_call_that_the_caller_cancels_through_a_trunk_is_missed(carried_in, connected):
    caller, call = await carried_in("cancels", ring_ms=300)
    await caller.finished()
    assert await connected.ending(call) == ("missed", "caller_hangup")


async def test_a_declined_caller_gets_486(calls_in, line):
    owner = line.owner
    caller, call = await calls_in("is_refused", code=486)
    await owner.rest("POST", f"/api/call/{call['call_id']}/refuse")
    await caller.finished()
    assert await owner.ending(call) == ("declined", "declined")


async def test_the_caller_gets_bye_when_the_agent_leaves(calls_in, line):
    owner = line.owner
    caller, call = await calls_in("is_hung_up")
    await owner.accept(call)
    await caller.receives(200)
    await owner.leave(call)
    await caller.finished()
    assert await owner.ending(call) == ("ended", "agent_hangup")


async def test_the_callers_bye_ends_the_call(carried_in, connected):
    caller, call = await carried_in("hangs_up", talk_ms=300)
    await connected.accept(call)
    await caller.finished()
    assert await connected.ending(call) == ("ended", "caller_hangup")
    assert await connected.story(call) == ["call.ringing", "call.answered", "call.ended"]


@pytest.mark.parametrize("way", ["rtpevent", "info"])
async def test_the_callers_keys_reach_the_agent(up, line, softphone, way):
    owner = line.owner
    phone = await softphone(user=fresh_caller(), keys=way)
    calling = await phone.dial(line.uri)
    call = await owner.rings(phone.user)
    agent = await up(Agent(call))
    await owner.accept(call)
    await asyncio.wait_for(agent.talk.started.wait(), 5)
    await calling.press("42#")
    await until(lambda: agent.keys() == "42#", 5)
    await calling.hang_up()


async def test_the_agents_keys_reach_the_caller_as_telephone_events(up, calls_in, line):
    owner = line.owner
    caller, call = await calls_in("is_hung_up")
    agent = await up(Agent(call))
    await owner.accept(call)
    await agent.press("1w42#")
    await until(lambda: caller.rtp.keys() == "142#", 5)
    await owner.leave(call)
    await caller.finished()


async def test_a_held_call_goes_on_is_told_and_its_music_is_heard(up, calls_in, line, speech):
    owner, music, agents = line.owner, speech("caller"), speech("greeting")
    held_ms = 1000 * (RTP_TIMEOUT_S + 2)
    caller, call = await calls_in("holds", held_ms=held_ms, within_s=40)
    agent = await up(Agent(call))
    await owner.accept(call)
    await owner.happens("call.held", lambda data: data["call_id"] == call["call_id"])
    assert (await owner.call(call["call_id"]))["hold"] == "far_end"
    await caller.rtp.play(spoken(music, 3), caller.remote_media)
    await hears(agent, music)
    await owner.happens("call.unheld", lambda data: data["call_id"] == call["call_id"], 20)
    assert "hold" not in await owner.call(call["call_id"])
    await agent.say(spoken(agents, 2))
    await hears(caller.rtp, agents)
    await owner.leave(call)
    await caller.finished()
    answers = [one.body.split("a=")[-1].split()[0] for one in caller.received(200) if one.body]
    assert answers == ["sendrecv", "recvonly", "inactive", "recvonly", "sendrecv"]
    story = [each for each in await owner.story(call) if each.startswith("call.")]
    assert story == ["call.ringing", "call.answered", "call.held", "call.unheld", "call.ended"]


@pytest.mark.deep
async def test_a_caller_that_sends_no_audio_is_hung_up(calls_in, line):
    owner = line.owner
    caller, call = await calls_in("is_hung_up")
    await owner.accept(call)
    answered = await caller.receives(200)
    bye = await caller.receives("BYE", RTP_TIMEOUT_S + 3)
    assert RTP_TIMEOUT_S - 1 <= bye.at - answered.at <= RTP_TIMEOUT_S + 2
    await caller.finished()
    assert await owner.ending(call) == ("failed", "media_failed")


async def test_a_call_to_a_number_not_added_is_rejected_with_an_event(up, connected, carrier):
    await carrier.subscriber(USER, PASSWORD, ITS_E164)
    from_ = fresh_caller()
    caller = await up(
        Sipp.uac(
            "is_refused", carrier.pstn_port, number=ITS_E164, caller=f"<sip:{from_}@{HOST}>",
            code=404,
        )
    )  # fmt: skip
    await caller.finished()
    event = await connected.happens("number.not_added")
    assert (event["to"], event["from"]) == (ITS_E164, from_)
    assert (await connected.rest("GET", "/api/calls"))["calls"] == []


async def test_a_call_to_an_unassigned_number_is_rejected(up, line):
    caller = await up(Sipp.uac("is_refused", line.port, number="+15555559999", code=404))
    await caller.finished()


async def test_a_national_number_is_matched_to_the_trunk_s_number(up, connected, carrier):
    await carrier.subscriber(USER, PASSWORD, NATIONAL)
    await connected.add(ITS_E164)
    caller = await up(Sipp.uac("cancels", carrier.pstn_port, number=NATIONAL))
    call = await connected.rings()
    assert (call["to"], call["line"]) == (NATIONAL, ITS_E164)
    await caller.finished()


@pytest.mark.parametrize(
    "headers",
    [
        {"Diversion": "<sip:+33199000042@trunk.example>;reason=no-answer"},
        {
            "History-Info": "<sip:+33199000042@trunk.example>;index=1,"
            f"<sip:{DID}@trunk.example>;index=1.1"
        },
    ],
    ids=lambda headers: next(iter(headers)),
)
async def test_a_forwarded_call_names_the_forwarding_number(carried_in, headers):
    caller, call = await carried_in("cancels", headers=headers)
    assert call["forwarded_from"] == "+33199000042"
    await caller.finished()


async def test_the_caller_is_the_carrier_s_asserted_identity(carried_in):
    caller, call = await carried_in(
        "cancels",
        caller='"Who knows" <sip:+999@anywhere.example>',
        headers={"P-Asserted-Identity": "<sip:+33612345678@trunk.example>"},
    )
    assert call["from"] == "+33612345678"
    await caller.finished()


async def test_the_caller_s_name_and_headers_reach_the_agent(up, line):
    from_ = fresh_caller()
    headers = {
        "X-Order": "4711",
        "User-to-User": "00aa;encoding=hex",
        "X-Chamade-Trunk": "trunk_" + "a" * 26,
        "X-Long": "a" * 300,
    }
    caller = await up(
        Sipp.uac(
            "is_hung_up", line.port, number=line.number, headers=headers,
            caller=f'"Zoé \\"Z\\" Dupont" <sip:{from_}@{HOST}>',
        )
    )  # fmt: skip
    call = await line.owner.rings(from_)
    told = {
        "caller_name": 'Zoé "Z" Dupont',
        "sip_headers": {"X-Order": "4711", "User-to-User": "00aa;encoding=hex"},
    }
    assert told.items() <= call.items()
    agent = await up(Agent(call))
    await line.owner.accept(call)
    await asyncio.wait_for(agent.talk.started.wait(), 5)
    start = next(message for message in agent.talk.told if message["type"] == "start")
    assert told.items() <= start["call"].items()
    await line.owner.leave(call)
    await caller.finished()
