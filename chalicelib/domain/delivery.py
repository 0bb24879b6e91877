"""Rules of a delivery (an event for one endpoint): when it is tried, what a try means, its end.

    pending ──► delivered        (any 2xx)
       │  └───► failed           (the last try was no success, or the answer was 410)
       └──────► stopped          (the endpoint was disabled or deleted meanwhile)
    delivered, failed, stopped ──► pending    (replayed by its owner)

Nothing here does I/O; the schedule is that of Standard Webhooks 1.0.0. `run` tells executions
apart: it rises whenever another execution takes the delivery over, and executions of earlier runs
do nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict

from chalicelib.domain.event import Event, EventType
from chalicelib.domain.foreign_text import storable
from chalicelib.domain.instant import Instant, to_text
from chalicelib.domain.model import Model

GAPS_S = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""From each try to the next: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h. Ten tries within
76 hours; with the jitter it can be 84."""

JITTER = 0.1
"""Share by which a gap may be longer: deliveries that failed together must not be repeated
together.
"""

MAX_RETRY_AFTER_S = 24 * 3600
"""The longest wait that an endpoint may ask for with Retry-After; it makes a gap longer, never
shorter."""

KEPT_S = 14 * 24 * 3600
"""Time for which a delivery can be seen and replayed, counted from its last replay or from its
creation.
"""

EARLY_MS = 1000
"""A try may be this much early: the clocks of the state machine and ours differ."""

BROKE_OFF = "internal: the try broke off"
"""The error of a try that a fault of ours ended, or whose execution was lost."""

MAX_BODY_BYTES = 20_000
"""Limit of a delivery's body; a test checks that the largest event of each type is below it."""

SHOWN_CHARACTERS = 500
"""Characters of an endpoint's answer that are kept."""

DELIVERY_ID = re.compile(r"dlv_[a-z2-7]{26}", re.ASCII)
"""The form of a delivery's id; other text names no delivery."""

_GONE = 410


class Kind(StrEnum):
    """The kind of places a delivery takes: those kept for calls that ring, or the others."""

    RING = "RING"
    OTHER = "OTHER"


class DeliveryState(StrEnum):
    """The state of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Answer:
    """The result of one POST. With a 2xx and without `error`, the endpoint has taken the event.

    `error`: a word of docs/events.md and, after a colon, what it was; `text`: the whole body, as
    far as it was read.
    """

    status: int | None
    latency_ms: int
    text: str = ""
    retry_after: str | None = None
    error: str | None = None

    @property
    def taken(self) -> bool:
        """Return whether the endpoint has taken the event."""
        return self.error is None and self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Return whether the endpoint wants no more events (410)."""
        return self.status == _GONE


class Action(Model):
    """The action that an endpoint asked for in its answer to `call.ringing`, and its result."""

    model_config = ConfigDict(frozen=True)

    action: str
    result: str


class Attempt(Model):
    """One try, as it is kept."""

    model_config = ConfigDict(frozen=True)

    number: int
    at: Instant
    status: int | None
    latency_ms: int
    answer: str
    error: str | None
    action: Action | None = None


class Delivery(Model):
    """A delivery as it is. `attempts` counts all tries, `tries` those since it was made or last
    replayed; `status` and `error` are the last one's. `next_at` is None once nothing more is tried.
    """

    model_config = ConfigDict(frozen=True)

    delivery_id: str
    endpoint_id: str
    account_id: str
    event_id: str
    type: EventType
    body: str
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    tries: int = 0
    replays: int = 0
    run: int = 0
    revivals: int = 0
    status: int | None = None
    error: str | None = None
    action: Action | None = None
    next_at: Instant | None
    created_at: Instant
    updated_at: Instant
    expires_at: int

    @property
    def kind(self) -> Kind:
        """Return the kind of places it takes: those for calls that ring, which must be told at
        once, or the others.
        """
        return Kind.RING if self.type is EventType.CALL_RINGING else Kind.OTHER

    @property
    def max_tries(self) -> int:
        """Return how often a delivery is tried by itself. A test is not repeated: its owner is
        looking on.
        """
        return 1 if self.type is EventType.WEBHOOK_TEST else len(GAPS_S) + 1


def body_of(event: Event) -> str:
    """Return the body to post: compact JSON with `type`, `timestamp` and `data`, as in Standard
    Webhooks.
    """
    body: dict[str, Any] = {
        "type": event.type.value,
        "timestamp": to_text(event.at),
        "event_id": event.event_id,
        "call_id": event.call_id,
        "version": event.version,
        "data": event.data,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def delivery_id(endpoint_id: str, event_id: str) -> str:
    """Return the delivery's id. It is derived, so that an event that is handed out twice is one
    delivery.
    """
    digest = hashlib.sha256(f"{endpoint_id}:{event_id}".encode()).digest()
    return "dlv_" + base64.b32encode(digest).decode().lower()[:26]


def new_delivery(event: Event, endpoint_id: str, now: int) -> Delivery:
    """Make the delivery of an event to an endpoint, due now."""
    return Delivery(
        delivery_id=delivery_id(endpoint_id, event.event_id),
        endpoint_id=endpoint_id,
        account_id=event.account_id,
        event_id=event.event_id,
        type=event.type,
        body=body_of(event),
        next_at=now,
        created_at=now,
        updated_at=now,
        expires_at=now // 1000 + KEPT_S,
    )


def after_try(  # noqa: PLR0913 - a try has as many parts
    before: Delivery,
    answer: Answer,
    *,
    now: int,
    chance: float,
    retry_after_s: int | None = None,
    action: Action | None = None,
) -> tuple[Delivery, Attempt]:
    """Return the delivery after a try, and the try as it is kept. `chance`, 0 to 1, is the
    jitter's.
    """
    number, tries = before.attempts + 1, before.tries + 1
    error = answer.error and storable(answer.error)
    state, next_at = _next_state(before, answer, tries, now, chance, retry_after_s)
    after = before.model_copy(
        update={
            "state": state,
            "revivals": 0,
            "attempts": number,
            "tries": tries,
            "status": answer.status,
            "error": error,
            "action": action or before.action,
            "next_at": next_at,
            "updated_at": now,
        }
    )
    attempt = Attempt(
        number=number,
        at=now,
        status=answer.status,
        latency_ms=answer.latency_ms,
        answer=storable(answer.text[:SHOWN_CHARACTERS]),
        error=error,
        action=action,
    )
    return after, attempt


def _next_state(  # noqa: PLR0913, PLR0917
    before: Delivery,
    answer: Answer,
    tries: int,
    now: int,
    chance: float,
    retry_after_s: int | None,
) -> tuple[DeliveryState, int | None]:
    if answer.taken:
        return DeliveryState.DELIVERED, None
    if answer.gone or tries >= before.max_tries:
        return DeliveryState.FAILED, None
    gap_s = GAPS_S[tries - 1] * (1 + JITTER * chance)
    requested_s = min(retry_after_s or 0, MAX_RETRY_AFTER_S)
    return DeliveryState.PENDING, now + int(max(gap_s, requested_s) * 1000)


def stop(before: Delivery, now: int) -> Delivery:
    """Return the delivery given up, since its endpoint takes nothing any more."""
    return before.model_copy(
        update={"state": DeliveryState.STOPPED, "next_at": None, "updated_at": now}
    )


def restart(before: Delivery, now: int) -> Delivery:
    """Return the delivery started again, whatever became of it: the same body with the same id."""
    return take_over(before).model_copy(
        update={
            "state": DeliveryState.PENDING,
            "tries": 0,
            "revivals": 0,
            "replays": before.replays + 1,
            "next_at": now,
            "updated_at": now,
            "expires_at": now // 1000 + KEPT_S,
        }
    )


def take_over(before: Delivery) -> Delivery:
    """Return the delivery for another execution: the one that had it does nothing any more."""
    return before.model_copy(update={"run": before.run + 1})


def public_view(delivery: Delivery) -> dict[str, Any]:
    """Return the delivery in lists; `body` and tries are in the single one."""
    return delivery.model_dump(
        mode="json",
        exclude={"account_id", "body", "run", "revivals", "tries", "expires_at"},
    )
