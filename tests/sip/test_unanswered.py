"""Tests the call that has been ringing since the first test of calls."""

from __future__ import annotations

import pytest


@pytest.mark.deep
@pytest.mark.last
@pytest.mark.asyncio(loop_scope="session")
async def test_a_call_that_nobody_accepts_is_missed_after_a_minute(unanswered):
    owner, caller = unanswered
    await caller.finished()
    # 486 as the last poll is answered, 480 if the deadline's execution cancels it before that.
    invite, [refusal] = caller.sent("INVITE")[0], caller.received(486) or caller.received(480)
    assert 60.0 <= refusal.at - invite.at <= 61.5
    (call,) = (await owner.rest("GET", "/api/calls"))["calls"]
    assert (call["state"], call["end_reason"]) == ("missed", "ring_timeout")
    assert await owner.story(call) == ["call.ringing", "call.missed"]
