"""What is not a request: the state machines' tasks, the table's stream, the sweep. The Lambda
functions of `app.py`.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

from chalicelib import bootstrap
from chalicelib.domain.instant import to_text
from chalicelib.logs import log_context
from chalicelib.services import deliver, fan_out, miss, sweep
from chalicelib.services.transition import UnknownCall

log = logging.getLogger(__name__)


def expire_ring(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """`{"call_id"}` -> `{"outcome": "missed" | "answered" | "gone", "state", "end_reason"}`.

    StillRinging (asked too early) is retried by the state machine. A call that is not there is
    gone, too: no retry would bring it back.
    """
    with log_context(call_id=event["call_id"]):
        try:
            call = miss.expire(bootstrap.ports(), event["call_id"])
        except UnknownCall:
            log.warning("ring deadline of a call that is not there")
            return {"outcome": "gone", "state": None, "end_reason": None}
        return {
            "outcome": miss.outcome(call),
            "state": call.state.value,
            "end_reason": call.end_reason.value if call.end_reason else None,
        }


def fan_out_events(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """A batch of the table's stream, of which `infra/fan_out_events.json` lets through what was put
    into outboxes -> the records that failed, from the first of which on they are to come again.
    """
    ports = bootstrap.ports()
    events = [
        (
            record["dynamodb"]["SequenceNumber"],
            functools.partial(ports.events.streamed, record["dynamodb"]),
        )
        for record in event["Records"]
    ]
    failed = fan_out.hand_out(ports, events)
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def deliver_event(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """`{"account_id", "endpoint_id", "delivery_id", "run"}` -> `{"state", "next_at"}`: how the
    delivery stands after a try, and when the next is due (null: never).
    """
    with log_context(delivery_id=event["delivery_id"]):
        standing = deliver.attempt(bootstrap.ports(), **event)
    next_at = None if standing.next_at is None else to_text(standing.next_at)
    return {"state": standing.state, "next_at": next_at}


def run_sweep(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """`{"calls"?: false, "restarted"?: true}` -> counts of what was put right. `restarted`: the
    engine has lost all executions.
    """
    ports = bootstrap.ports()
    calls = sweep.sweep(ports) if event.get("calls", True) else {}
    deliveries = sweep.sweep_deliveries(ports, restarted=bool(event.get("restarted")))
    return {**calls, **deliveries}
