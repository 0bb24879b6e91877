"""The call that has been ringing since the first test of calls; so this one comes last."""

from __future__ import annotations

import pytest


@pytest.mark.asyncio(loop_scope="session")
async def test_call_that_nobody_takes_is_missed_after_a_minute(unanswered):
    owner, caller = unanswered
    await caller.finished()
    invite, refusal = caller.sent("INVITE")[0], caller.received(480)[0]
    assert 60.0 <= refusal.at - invite.at <= 61.5
    (call,) = (await owner.rest("GET", "/api/calls"))["calls"]
    assert (call["state"], call["end_reason"]) == ("missed", "ring_timeout")
    assert await owner.story(call) == ["call.ringing", "call.missed"]
