"""Events about keys that the far end of a call pressed. The call and the account have a budget of
them, so that events about calls, which have none, do not wait behind keys.
"""

from __future__ import annotations

import logging

from chalicelib.domain import keypad as rules
from chalicelib.domain.call import Call
from chalicelib.domain.event import Event, EventType
from chalicelib.domain.keypad import Keypad
from chalicelib.services import rate_limits
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.contention import tries
from chalicelib.store.keypads import KeypadChanged
from chalicelib.store.table import Contention

log = logging.getLogger(__name__)


def take_report(deps: Dependencies, call: Call, digits: str, sequence: int) -> None:
    """Write one event, `call.dtmf`, about the keys of a relay's report and those that wait. Beyond
    the budget they wait. `sequence` rises with each report of a call; a repeated report changes
    nothing. Raises Contention.
    """
    _change(deps, call, digits, sequence)


def tell_waiting(deps: Dependencies, call: Call) -> None:
    """Write an event about the call's waiting keys, if there are any and the budget has room.
    Raises Contention.
    """
    _change(deps, call, "", None)


def _change(deps: Dependencies, call: Call, digits: str, sequence: int | None) -> None:
    allowed: bool | None = None
    for _ in tries():
        before, now = deps.stores.keypads.get(call.call_id), deps.now()
        if before.over or (sequence is not None and before.last_report >= sequence):
            return
        keypad = before if sequence is None else rules.add_keys(before, digits, sequence)
        if rules.may_tell(keypad, now) and allowed is None:
            allowed = _within_account(deps, call.account_id)
        writes = rules.may_tell(keypad, now) and bool(allowed)
        if not writes and sequence is None:
            return
        after = rules.take_keys(keypad, now) if writes else keypad
        event = _event(call, keypad, after, now) if writes else None
        try:
            deps.stores.keypads.change(call.call_id, before, after, call.media_expiry, event)
        except (KeypadChanged, Contention):
            continue
        _log(call, before, keypad, after, written=writes)
        return
    raise Contention


def _within_account(deps: Dependencies, account_id: str) -> bool:
    try:
        rate_limits.count_account(deps, account_id, rules.ACCOUNT_LIMIT)
    except rate_limits.TooOften:
        return False
    return True


def _log(call: Call, before: Keypad, keypad: Keypad, after: Keypad, *, written: bool) -> None:
    """Log the number of keys, never the keys: they may be a PIN. Keys that wait or are lost are
    logged once until the next event: there may be many.
    """
    facts = {"call_id": call.call_id, "account_id": call.account_id}
    if written:
        count = len(keypad.waiting) - len(after.waiting)
        log.info("keys", extra={**facts, "count": count, "lost": keypad.lost})
        if after.over:
            log.warning("keys of this call are not told any more", extra=facts)
    elif not before.waiting:
        log.warning("keys wait: reported too often", extra={**facts, "count": len(after.waiting)})
    elif after.lost and not before.lost:
        log.warning("keys lost: too many wait", extra={**facts, "count": after.lost})


def _event(call: Call, keypad: Keypad, after: Keypad, now: int) -> Event:
    return Event(
        # `due` rises from event to event of a call.
        event_id=f"evt_{call.call_id.removeprefix('call_')}_keys_{after.due:016d}",
        type=EventType.CALL_DTMF,
        account_id=call.account_id,
        at=now,
        call_id=call.call_id,
        data={
            "call_id": call.call_id,
            "digits": keypad.waiting[: rules.KEYS_PER_EVENT],
            **({"lost": keypad.lost} if keypad.lost else {}),
            **({"last": True} if after.over else {}),
        },
    )
