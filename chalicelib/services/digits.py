"""Keys that the far end of a call pressed, told to the account."""

from __future__ import annotations

import logging
import random
import time

from chalicelib.domain.call import Call
from chalicelib.domain.event import Event, EventType
from chalicelib.services.ports import Ports
from chalicelib.store.table import Contention

log = logging.getLogger(__name__)

MAX_ROUNDS = 25
COLLISION_WAIT_S = 0.03


def heard(ports: Ports, call: Call, digits: str, sequence: int) -> None:
    """One event, `call.dtmf`, for a report of the relay's. `sequence` rises from report to report
    of a call; the same report again changes nothing. Contention.
    """
    event = _event(call, digits, sequence, ports.now())
    for _ in range(MAX_ROUNDS):
        try:
            told = ports.calls.tell_keys(call.call_id, sequence, event, call.media_expiry)
        except Contention:
            time.sleep(random.uniform(0, COLLISION_WAIT_S))  # noqa: S311 - spreads, guards nothing
            continue
        if told:
            # How many, and not which: they may be somebody's PIN.
            log.info("keys", extra={"call_id": call.call_id, "count": len(digits)})
        return
    raise Contention


def _event(call: Call, digits: str, sequence: int, now: int) -> Event:
    return Event(
        event_id=f"evt_{call.call_id.removeprefix('call_')}_keys_{sequence:016d}",
        type=EventType.CALL_DTMF,
        account_id=call.account_id,
        at=now,
        call_id=call.call_id,
        data={"call_id": call.call_id, "digits": digits},
    )
