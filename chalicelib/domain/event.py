"""Events of an account: one for each transition of a call, for changes of its line and for the keys
that its caller presses, and for changes of its numbers, its trunk and its webhook endpoints. The
content of each type is in `handlers/event_catalogue.py`, with the models of REST.

An event is written in the transaction that it is about (outbox). `event_id` is derived from the
content, so writing it twice has the same effect as writing it once.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict

from chalicelib.domain.instant import Instant
from chalicelib.domain.model import Model

RETENTION_S = 7 * 24 * 3600
"""Time for which events can be read."""


class EventType(StrEnum):
    """All types of events."""

    CALL_CONNECTING = "call.connecting"
    CALL_RINGING = "call.ringing"
    CALL_ANSWERED = "call.answered"
    CALL_MISSED = "call.missed"
    CALL_DECLINED = "call.declined"
    CALL_ENDED = "call.ended"
    CALL_FAILED = "call.failed"
    CALL_QUALITY = "call.quality"
    CALL_ANSWERED_BY = "call.answered_by"
    CALL_MACHINE_GREETING_ENDED = "call.machine_greeting_ended"
    CALL_DTMF = "call.dtmf"
    CALL_SPEECH = "call.speech"
    CALL_TRANSCRIPT = "call.transcript"
    CALL_VOICE = "call.voice"
    CALL_MEDIA_MOVED = "call.media_moved"
    CALL_HELD = "call.held"
    CALL_UNHELD = "call.unheld"
    CALL_TRANSFER_STARTED = "call.transfer.started"
    CALL_TRANSFER_ANSWERED = "call.transfer.answered"
    CALL_TRANSFER_COMPLETED = "call.transfer.completed"
    CALL_TRANSFER_FAILED = "call.transfer.failed"
    CALL_RECORDING_STARTED = "call.recording.started"
    CALL_RECORDING_READY = "call.recording.ready"
    CALL_RECORDING_FAILED = "call.recording.failed"
    CALL_TURNED_AWAY = "call.turned_away"
    NUMBER_ACTIVATED = "number.activated"
    NUMBER_RELEASED = "number.released"
    NUMBER_ADDED = "number.added"
    NUMBER_REMOVED = "number.removed"
    NUMBER_NOT_ADDED = "number.not_added"
    TRUNK_CONNECTED = "trunk.connected"
    TRUNK_DISCONNECTED = "trunk.disconnected"
    TRUNK_REGISTERED = "trunk.registered"
    TRUNK_SHED = "trunk.shed"
    TRUNK_FAILED = "trunk.failed"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_TEST = "webhook.test"


class Event(Model):
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
    """Return an id of letters, digits, `_` and `-`: where events are signed it must hold no full
    stop.
    """
    return re.sub(r"[^A-Za-z0-9_-]", "-", "_".join(("evt", *parts)))
