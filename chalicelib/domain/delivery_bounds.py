"""Bounds of deliveries: tries at a time, deliveries that wait, and the age to give one up at."""

from __future__ import annotations

from chalicelib.domain.delivery import BROKE_OFF, Delivery, DeliveryState, take_over
from chalicelib.domain.rate_limit import Limit

OVERDUE_MS = 300_000
"""A try that is this late has lost its execution: longer than that retries where it is throttled
(infra/deliver_event.asl.json)."""

MAX_REVIVALS = 10
"""Executions that a delivery may lose, one after the other, before it is given up. Each is waited
for twice as long as the one before: 5 min, 10 min, 20 min … together a week."""

MAX_WAITING = 10_000
"""Deliveries of an endpoint that wait for another try at any time, however long it is down."""

WAITING = Limit("waiting", MAX_WAITING // 2, 84 * 3600)
"""Deliveries that may begin to wait. None waits for longer than this window, so two windows' worth
wait at most."""

BEHIND_MS = 600_000
"""Time for which the oldest waiting delivery of an endpoint may wait. Beyond it new deliveries fail
without a try; the account's budget of events bounds how many wait by then."""

TRIES_AT_ONCE = 40
"""Tries of one account's deliveries at a time, unless the operator says otherwise."""


def is_overdue(delivery: Delivery, now: int) -> bool:
    """Return whether a try is so late that its execution must be lost."""
    return (
        delivery.next_at is not None and now - delivery.next_at > OVERDUE_MS * 2**delivery.revivals
    )


def revive_delivery(before: Delivery, now: int) -> Delivery:
    """Return the delivery for another execution, since the one that had it is lost; given up if
    `MAX_REVIVALS` were lost without a try that came to an end.
    """
    if before.revivals >= MAX_REVIVALS:
        return before.model_copy(
            update={
                "state": DeliveryState.FAILED,
                "error": f"{BROKE_OFF} {before.revivals + 1} times",
                "next_at": None,
                "updated_at": now,
            }
        )
    return take_over(before).model_copy(update={"revivals": before.revivals + 1, "next_at": now})


def fail_too_many_waiting(after: Delivery) -> Delivery:
    """Give up a delivery whose first try failed, since too many wait for its endpoint."""
    why = after.error or f"status {after.status}"
    return after.model_copy(
        update={
            "state": DeliveryState.FAILED,
            "next_at": None,
            "error": f"too_many_waiting: {MAX_WAITING} at most; {why}",
        }
    )


def fail_too_far_behind(new: Delivery) -> Delivery:
    """Give up a new delivery, since its endpoint is too far behind."""
    return new.model_copy(
        update={
            "state": DeliveryState.FAILED,
            "next_at": None,
            "error": f"too_many_waiting: the endpoint is {BEHIND_MS // 60_000} minutes behind",
        }
    )
