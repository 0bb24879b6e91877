"""Facts about the audio of calls: take what relays and providers tell, and show it.

Nothing here changes a call, and no transition waits for it.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

from pydantic import TypeAdapter

from chalicelib.domain import call_facts as rules
from chalicelib.domain.call import Call
from chalicelib.domain.call_facts import QualityNote
from chalicelib.domain.call_id import CALL_ID
from chalicelib.providers.base import CallUpdate
from chalicelib.services.call.transition import UnknownCall
from chalicelib.services.dependencies import Dependencies
from common.call_facts import FactsReport

log = logging.getLogger(__name__)

_CLOCKS_MS = 60_000
"""Time by which the clocks of relays and of the application may differ."""


@functools.cache
def _reader() -> TypeAdapter[FactsReport]:
    return TypeAdapter(FactsReport)


def read_report(body: bytes) -> FactsReport:
    """Read a relay's report. Raises ValidationError."""
    return _reader().validate_json(body)


def take_report(deps: Dependencies, report: FactsReport) -> None:
    """Keep a relay's report; with the last one, log what is known of the call. Raises UnknownCall,
    Contention.
    """
    call_id = report.call_id
    call = deps.stores.calls.get(call_id) if CALL_ID.fullmatch(call_id) else None
    if call is None:
        raise UnknownCall(call_id)
    now = deps.now()
    over = call.ended_at is not None and now > call.ended_at + rules.LATE_MS
    if over or not call.created_at - _CLOCKS_MS <= report.began_ms <= now + _CLOCKS_MS:
        log.warning("facts of another time not kept", extra={"relay": report.relay})
        return
    deps.stores.calls.facts.take(report, now)
    if report.last and call.state.final:
        _log(call, of_call(deps, call))


def take_update(deps: Dependencies, call_id: str, update: CallUpdate) -> None:
    """Keep what a status webhook tells of the audio of a call, if there is such a call. Never
    raises: the state of the call counts more.
    """
    try:
        call = deps.stores.calls.get(call_id)
        if call is None:
            return
        if update.facts is not None:
            deps.stores.calls.facts.take_provider(call_id, update.facts, deps.now())
        if update.quality is not None:
            note_quality(deps, call, update.quality)
    except Exception:
        log.exception("facts not kept", extra={"call_id": call_id})


def note_quality(deps: Dependencies, call: Call, note: QualityNote) -> None:
    """Write the event that a live call's quality has become poor, or good again. Raises
    Contention.
    """
    if call.state.final:
        return
    before, changes = deps.stores.calls.facts.quality(call.call_id)
    if before != note.quality:
        event = rules.quality_event(call, changes + 1, note, deps.now())
        deps.stores.calls.facts.change_quality(call.call_id, note.quality, changes, event)


def of_call(deps: Dependencies, call: Call) -> dict[str, Any]:
    """Return the facts of a call as they are known; {} if there are none."""
    if call.answered_at is None and not call.state.final:
        return {}
    runs, provider = deps.stores.calls.facts.of_call(call.call_id)
    return rules.shown(call, runs, provider)


def levels(deps: Dependencies, call: Call) -> dict[str, Any]:
    """Return the levels of a call as they are known."""
    return rules.levels(deps.stores.calls.facts.levels(call.call_id))


def _log(call: Call, facts: dict[str, Any]) -> None:
    """Log one line a call, for the queries of operators: no numbers of people are in it."""
    flat: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, dict) and name != "timeline":
            flat |= {f"{name.removesuffix('_ms')}_{share}_ms": ms for share, ms in value.items()}
        elif name != "timeline":
            flat[name] = value
    about: dict[str, Any] = {
        "call_id": call.call_id,
        "account_id": call.account_id,
        "provider": call.provider,
        "trunk_id": call.trunk_id,
        "direction": call.direction,
        "end_reason": call.end_reason,
    }
    if call.answered_at is not None and call.ended_at is not None:
        about["talked_ms"] = call.ended_at - call.answered_at
    log.info("call quality", extra={**about, **flat})
