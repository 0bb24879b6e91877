"""Tests of transfers by REFER: sipp calls in, the gateway asks it to call somebody else."""

from __future__ import annotations

import asyncio

import pytest

from chalicelib.providers.twilio import TwilioAccount, TwilioProvider
from tests.sip.peers import HOST, Sipp
from tests.sip.support import CALLED, DID, fresh_caller


@pytest.fixture(scope="session")
def provider(stack):
    """The gateway, as the application uses it."""
    description = stack.read_stack_file()
    return TwilioProvider(
        TwilioAccount(
            "gateway",
            description["provider_account_sid"],
            description["provider_auth_token"],
            public_url=description["api_url"],
            relay_url=description["relay_url"],
            api_url=description["gateway_url"],
        )
    )


@pytest.fixture
def talking(up, line):
    """`caller, call = await talking("200 OK")`: the far end that will be referred; the call."""

    async def call_in(outcome):
        from_ = fresh_caller()
        caller = await up(
            Sipp.uac(
                "is_referred", line.port, number=line.number, outcome=outcome,
                caller=f"<sip:{from_}@{HOST}>",
            )
        )  # fmt: skip
        call = await line.owner.rings(from_)
        await line.owner.accept(call)
        await caller.receives(200)
        await line.owner.is_active(call)
        return caller, call

    return call_in


async def test_a_far_end_that_has_called_the_other_party_is_hung_up(talking, line, provider):
    caller, call = await talking("200 OK")
    await caller.sends("ACK")
    await asyncio.to_thread(provider.refer, call["provider_call_id"], "+33199007777")
    await caller.finished()
    (refer,) = caller.received("REFER")
    assert refer.header("Refer-To") == f"<sip:+33199007777@{HOST}>"
    assert await line.owner.ending(call) == ("ended", "caller_hangup")


@pytest.mark.parametrize(
    ("outcome", "event"),
    [("200 OK", "call.transfer.completed"), ("486 Busy Here", "call.transfer.failed")],
)
async def test_a_call_through_a_trunk_is_transferred_by_its_carrier(
    up, connected, carrier, outcome, event
):
    caller = await up(Sipp.uac("is_referred", carrier.pstn_port, number=DID, outcome=outcome))
    call = await connected.rings()
    await connected.accept(call)
    await caller.receives(200)
    await connected.is_active(call)
    await caller.sends("ACK")
    transfer = {"to": CALLED, "mode": "refer"}
    await connected.rest("POST", f"/api/call/{call['call_id']}/transfer", transfer)
    told = await connected.happens(event, lambda data: data["call_id"] == call["call_id"])
    if event == "call.transfer.completed":
        assert (await connected.ending(call))[0] == "ended"
    else:
        assert told["sip_code"] == 486
        assert (await connected.call(call["call_id"]))["state"] == "active"
        await connected.leave(call)
    await caller.finished()
    (refer,) = caller.received("REFER")
    assert refer.header("Refer-To").startswith(f"<sip:{CALLED}@")


async def test_a_call_whose_transfer_fails_goes_on(talking, line, provider):
    caller, call = await talking("486 Busy Here")
    await caller.sends("ACK")
    await asyncio.to_thread(provider.refer, call["provider_call_id"], "sip:bob@pbx.example")
    await caller.receives("REFER")
    last = await caller.program.until(
        lambda: len(caller.sent("NOTIFY")) == 2 and len(caller.received(200)) == 3, 5, "told"
    )
    assert last is None
    assert not caller.received("BYE")
    await line.owner.leave(call)
    await caller.finished()
    assert await line.owner.ending(call) == ("ended", "agent_hangup")
