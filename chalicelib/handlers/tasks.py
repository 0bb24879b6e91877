"""Lambda functions of `app.py` that answer no request: the state machines' tasks, the table's
stream, the sweep.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

from chalicelib import bootstrap
from chalicelib.domain.instant import to_text
from chalicelib.logs import log_context
from chalicelib.services import sweep
from chalicelib.services.call import call_control
from chalicelib.services.call.transition import UnknownCall
from chalicelib.services.delivery import delivery_tries, fan_out

log = logging.getLogger(__name__)


def expire_ring(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """End a call whose ring deadline has passed: `{"call_id"}` -> `{"outcome": "missed" |
    "answered" | "gone", "state", "end_reason"}`.

    The state machine retries after StillRinging (too early). The outcome for a call that does not
    exist is `gone`: a retry would not help.
    """
    with log_context(call_id=event["call_id"]):
        try:
            call = call_control.expire(bootstrap.dependencies(), event["call_id"])
        except UnknownCall:
            log.warning("ring deadline of a call that is not there")
            return {"outcome": "gone", "state": None, "end_reason": None}
        return {
            "outcome": call_control.ring_outcome(call),
            "state": call.state.value,
            "end_reason": call.end_reason.value if call.end_reason else None,
        }


def fan_out_events(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Make the deliveries of a batch of the table's stream, which `infra/fan_out_events.json` has
    filtered; return the records that failed. They come again, with all that follow the first of
    them.
    """
    deps = bootstrap.dependencies()
    events = [
        (
            record["dynamodb"]["SequenceNumber"],
            functools.partial(deps.stores.events.streamed, record["dynamodb"]),
        )
        for record in event["Records"]
    ]
    failed = fan_out.hand_out(deps, events)
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def deliver_event(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Try a delivery: `{"account_id", "endpoint_id", "delivery_id", "run"}` -> `{"state",
    "next_at"}`, its state after the try, and when the next is due (null: never).
    """
    with log_context(delivery_id=event["delivery_id"]):
        status = delivery_tries.attempt(bootstrap.dependencies(), **event)
    next_at = None if status.next_at is None else to_text(status.next_at)
    return {"state": status.state, "next_at": next_at}


def compose_recording(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Compose a recording: `{"recording_id"}` -> `{"state"}`, its state afterwards."""
    from chalicelib.services.call import compose  # no other function needs it

    with log_context(recording_id=event["recording_id"]):
        return {"state": compose.compose(bootstrap.dependencies(), event["recording_id"])}


def run_sweep(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Run the sweep: `{"calls"?: false, "restarted"?: true}` -> counts of what was put right.
    `restarted`: the engine has lost all executions.
    """
    deps = bootstrap.dependencies()
    calls = sweep.sweep(deps) if event.get("calls", True) else {}
    left_ms = context.get_remaining_time_in_millis() if context else None
    until = None if left_ms is None else deps.now() + left_ms // 2
    restarted = bool(event.get("restarted"))
    deliveries = sweep.sweep_deliveries(deps, restarted=restarted, until=until)
    return {**calls, **deliveries}
