"""What is not a request: Step Functions' task and the sweep. The Lambda functions of `app.py`."""

from __future__ import annotations

from typing import Any

from chalicelib import bootstrap
from chalicelib.logs import log_context
from chalicelib.services import miss, sweep


def expire_ring(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """`{"call_id"}` -> `{"outcome": "missed" | "answered" | "gone", "state", "end_reason"}`.

    StillRinging (asked too early) is retried by the state machine.
    """
    with log_context(call_id=event["call_id"]):
        call = miss.expire(bootstrap.ports(), event["call_id"])
        return {
            "outcome": miss.outcome(call),
            "state": call.state.value,
            "end_reason": call.end_reason.value if call.end_reason else None,
        }


def sweep_calls(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Counts of what was put right."""
    return sweep.sweep(bootstrap.ports())
