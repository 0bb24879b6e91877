"""Note who answered a call that was dialled, as the relay or the provider found out."""

from __future__ import annotations

import logging

from chalicelib.domain.answered import Detection, Found, what_happened
from chalicelib.domain.call import Call
from chalicelib.domain.call_transitions import CallState
from chalicelib.domain.event import Event, event_id
from chalicelib.services.call.outbound import call_of
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.contention import tries
from chalicelib.store.table import Contention

log = logging.getLogger(__name__)


def note(deps: Dependencies, call: Call, found: Found) -> Call:
    """Note a fact with its events, if it was asked for and is new; return the call as it is now. Of
    a call that is over nothing more is told. Raises Contention.
    """
    for _ in tries():
        after = call.detection.after(found)
        if call.state is not CallState.ACTIVE or after == call.detection:
            return call
        events = _events(deps, call, after, found)
        noted = deps.stores.calls.detections.note(call, after, events)
        if noted is None:
            call = deps.stores.calls.get(call.call_id) or call
            continue
        known = {"answered_by": after.answered_by, "greeting_ended_by": after.ended_by}
        log.info("answered by", extra={"call_id": call.call_id, **known, "at_ms": found.at_ms})
        return noted
    raise Contention


def _events(deps: Dependencies, call: Call, after: Detection, found: Found) -> list[Event]:
    """Make the events of a change: behind the answer's, and in order."""
    at = max(deps.now(), call.updated_at + 1)
    return [
        Event(
            event_id=event_id(call.call_id.removeprefix("call_"), what.value),
            type=what,
            account_id=call.account_id,
            at=at + place,
            call_id=call.call_id,
            data={"call_id": call.call_id, **data},
        )
        for place, (what, data) in enumerate(what_happened(call.detection, after, found))
    ]


def posted(
    deps: Dependencies, provider: str, call_id: str, provider_call_id: str, found: Found
) -> None:
    """Take what a provider has found out. Raises UnknownCall, Contention."""
    note(deps, call_of(deps, provider, call_id, provider_call_id), found)
