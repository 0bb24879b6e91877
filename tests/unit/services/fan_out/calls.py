"""Calls whose events are handed out, and the posts that come of them."""

from __future__ import annotations

from chalicelib.domain.call_transitions import Act
from chalicelib.services.call.transition import settle

CALLS = 30


def finish_call(world, number=None):
    """A call that rings, is answered and ends; its id."""
    call = world.ringing(number)
    for act in (Act.ANSWER, Act.AGENT_HANGUP):
        world.clock.advance(0.001)
        call = settle(world.deps, call, act)
    world.clock.advance(0.001)
    return call.call_id


def run_attempts(world, harness):
    while world.scheduler.sent:
        harness.attempt(world.scheduler.sent.pop(0))


def posted_ids(world):
    return [headers["webhook-id"] for _, headers, _ in world.receiver.posted]
