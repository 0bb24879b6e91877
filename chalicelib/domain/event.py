"""What an account is told: one event for each transition of a call and the keys that its caller
presses, and what becomes of its numbers, its trunk and its webhook endpoints. What an event of each
type holds is in `handlers/catalogue.py`, with the shapes of REST.

An event is written in the transaction that makes it true (outbox). `event_id` is derived from what
it tells, so writing it twice is writing it once.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict

from chalicelib.domain.instant import Instant
from chalicelib.domain.shape import Shape

RETENTION_S = 7 * 24 * 3600
"""How long events can be read."""


class EventType(StrEnum):
    """The catalogue."""

    CALL_CONNECTING = "call.connecting"
    CALL_RINGING = "call.ringing"
    CALL_ANSWERED = "call.answered"
    CALL_MISSED = "call.missed"
    CALL_DECLINED = "call.declined"
    CALL_ENDED = "call.ended"
    CALL_FAILED = "call.failed"
    CALL_DTMF = "call.dtmf"
    NUMBER_ACTIVATED = "number.activated"
    NUMBER_RELEASED = "number.released"
    NUMBER_ADDED = "number.added"
    NUMBER_REMOVED = "number.removed"
    NUMBER_NOT_ADDED = "number.not_added"
    TRUNK_CONNECTED = "trunk.connected"
    TRUNK_DISCONNECTED = "trunk.disconnected"
    TRUNK_REGISTERED = "trunk.registered"
    TRUNK_FAILED = "trunk.failed"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_TEST = "webhook.test"


class Event(Shape):
    """One thing that happened to an account. `data` is JSON as the REST API shows the thing."""

    model_config = ConfigDict(frozen=True)

    event_id: str
    type: EventType
    account_id: str
    at: Instant
    call_id: str | None = None
    version: int | None = None
    data: dict[str, Any]


def event_id(*parts: str) -> str:
    """An id of letters, digits, `_` and `-`: where events are signed it must hold no full stop."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", "_".join(("evt", *parts)))
