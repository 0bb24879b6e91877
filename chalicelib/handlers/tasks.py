"""What is not a request: Step Functions' task and the sweep. The Lambda functions of `app.py`."""

from __future__ import annotations

import logging
from typing import Any

from chalicelib import bootstrap
from chalicelib.logs import log_context
from chalicelib.services import miss, sweep
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


def sweep_calls(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Counts of what was put right."""
    return sweep.sweep(bootstrap.ports())
