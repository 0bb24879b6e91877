"""Note that the far end of a call has put it on hold, or takes it off: the provider's status posts
say so. They may come twice, late, or overtake each other; the one with the highest number counts.
"""

from __future__ import annotations

import logging

from chalicelib.domain.call import Call
from chalicelib.domain.event import Event, EventType
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.calls import Stale
from chalicelib.store.contention import tries
from chalicelib.store.table import Contention

log = logging.getLogger(__name__)


def note(deps: Dependencies, call_id: str, *, held: bool, sequence: int) -> None:
    """Note the state of the far end's hold, with one event if it is new: `call.held` or
    `call.unheld`. A call that is over, or not known, changes no more. Raises Contention.
    """
    for _ in tries():
        call = deps.stores.calls.get(call_id)
        if call is None or call.state.final:
            return
        if call.far_end_hold_sequence is not None and call.far_end_hold_sequence >= sequence:
            return
        event = _event(call, held, sequence, deps.now()) if held != call.far_end_held else None
        try:
            deps.stores.calls.note_far_end_hold(call, held, sequence, event)
        except (Stale, Contention):
            continue
        log.info("hold of the far end", extra={"call_id": call_id, "held": held})
        return
    raise Contention


def _event(call: Call, held: bool, sequence: int, now: int) -> Event:
    return Event(
        event_id=f"evt_{call.call_id.removeprefix('call_')}_far_end_hold_{sequence:09d}",
        type=EventType.CALL_HELD if held else EventType.CALL_UNHELD,
        account_id=call.account_id,
        at=now,
        call_id=call.call_id,
        data={"call_id": call.call_id, "by": "far_end"},
    )
