"""The scenarios that are counted: what people and agents do, from the first request to the last.

Agents read each event as it comes, unless a webhook endpoint is told; what waiting for events costs
is a scenario of its own. A caller who is answered has rung for 5 s.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.counts.edge import Edge
from tests.support.world import CALLEE

RING_S, TALK_S = 5, 60

Scenario = Callable[[Edge], None]


def answered(edge: Edge) -> None:
    """Rings 5 s, is accepted, talks a minute, the caller hangs up."""
    sid = edge.ring(RING_S)
    call_id = _heard_of(edge)
    edge.rest("POST", f"/api/call/{call_id}/accept")
    edge.attach(call_id)
    edge.read()
    _talked(edge, sid, call_id)
    edge.read()


def answered_webhook(edge: Edge, talk_s: float = TALK_S) -> None:
    """The same, told by a webhook endpoint: the agent polls nothing."""
    sid = edge.ring(RING_S)
    call_id = _posted(edge)
    edge.rest("POST", f"/api/call/{call_id}/accept")
    edge.attach(call_id)
    _talked(edge, sid, call_id, talk_s)


def answered_2_min_webhook(edge: Edge) -> None:
    """The same of two minutes, for docs/cost.md."""
    answered_webhook(edge, 120)


def auto_answered(edge: Edge) -> None:
    """Picked up at once as the number's setting says, talks a minute, the caller hangs up."""
    sid = edge.ring(RING_S)
    call_id = _heard_of(edge)
    edge.rest("GET", f"/api/call/{call_id}")
    edge.attach(call_id)
    _talked(edge, sid, call_id)
    edge.read()


def missed(edge: Edge) -> None:
    """Rings a minute, nobody accepts."""
    sid = edge.ring(60)
    edge.post("status", sid, "completed")
    edge.read()
    edge.deadlines()


def missed_webhook(edge: Edge) -> None:
    """The same, told to a webhook endpoint."""
    edge.post("status", edge.ring(60), "completed")
    edge.deadlines()


def declined(edge: Edge) -> None:
    """Rings 5 s, is declined."""
    sid = edge.ring(RING_S)
    edge.rest("POST", f"/api/call/{_heard_of(edge)}/refuse")
    edge.post("status", sid, "busy")
    edge.read()
    edge.deadlines()


def given_up(edge: Edge) -> None:
    """Rings 20 s, the caller hangs up."""
    edge.post("status", edge.ring(20), "canceled")
    edge.read()
    edge.deadlines()


def dialled_answered(edge: Edge) -> None:
    """Dialled, rings 5 s, is picked up, talks a minute, the called party hangs up."""
    call_id = _dials(edge)
    edge.read()
    _picked_up(edge, call_id)
    edge.read()
    _talked(edge, edge.dialled(), call_id, dialled=call_id)
    edge.read()


def dialled_2_min_webhook(edge: Edge) -> None:
    """The same of two minutes, told by a webhook endpoint, for docs/cost.md."""
    call_id = _dials(edge)
    _picked_up(edge, call_id)
    _talked(edge, edge.dialled(), call_id, 120, dialled=call_id)


def dialled_busy(edge: Edge) -> None:
    """Dialled, the called party is busy."""
    call_id = _dials(edge)
    edge.read()
    edge.post("status", edge.dialled(), "busy", dialled=call_id, SipResponseCode="486")
    edge.read()
    edge.deadlines()


def inbox_poll(edge: Edge) -> None:
    """An agent's poll with `wait=20` in which nothing comes: 180 make an hour."""
    edge.read(20)


def dashboard_poll(edge: Edge) -> None:
    """The same of a dashboard that is open, with its cookie: 180 make an hour."""
    edge.read(20, **edge.browser())


def sweep(edge: Edge) -> None:
    """One run of the sweep when nothing is amiss."""
    edge.sweep()


def _heard_of(edge: Edge) -> str:
    """The id of the call of which the agent reads."""
    return str(edge.read()[0]["data"]["call"]["call_id"])


def _posted(edge: Edge) -> str:
    """The same of the call that its webhook endpoint was told of."""
    *_, body = edge.world.receiver.posted[-1]
    return str(json.loads(body)["data"]["call"]["call_id"])


def _dials(edge: Edge) -> str:
    """The agent dials; it rings there."""
    body = {"platform": "sip", "meeting_url": f"sip:{CALLEE}@sip.carrier.example"}
    call_id = str(edge.rest("POST", "/api/call", body)["call_id"])
    edge.post("status", edge.dialled(), "initiated", dialled=call_id)
    edge.post("status", edge.dialled(), "ringing", dialled=call_id)
    return call_id


def _picked_up(edge: Edge, call_id: str) -> None:
    edge.world.clock.advance(RING_S)
    edge.post("answered", edge.dialled(), "in-progress", dialled=call_id)
    edge.post("status", edge.dialled(), "in-progress", dialled=call_id)
    edge.attach(call_id)


def _talked(edge: Edge, sid: str, call_id: str, talk_s: float = TALK_S, **more: str) -> None:
    """A talk, then the far end hangs up: the provider says so, the relay asks, and later the
    execution finds the call over.
    """
    edge.talk(call_id, talk_s)
    edge.post("status", sid, "completed", **more)
    edge.watch(call_id)
    edge.deadlines()


SCENARIOS: dict[str, Scenario] = {
    each.__name__: each
    for each in (
        answered, answered_webhook, answered_2_min_webhook, auto_answered, missed, missed_webhook,
        declined, given_up, dialled_answered, dialled_2_min_webhook, dialled_busy, inbox_poll,
        dashboard_poll, sweep,
    )
}  # fmt: skip
