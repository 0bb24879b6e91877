"""Reports of voice hosts: what was said in a call becomes its transcript and events."""

from __future__ import annotations

import logging

from chalicelib.domain.call import Call
from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.transcript import LATE_MS, TOLD, Report, Taken, take_items
from chalicelib.services import rate_limits
from chalicelib.services.call.at_the_relay import NotHosted
from chalicelib.services.call.media import CallOver
from chalicelib.services.call.transition import UnknownCall
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.contention import tries
from chalicelib.store.table import Contention
from chalicelib.store.transcripts import SpeechChanged

log = logging.getLogger(__name__)


def take_report(deps: Dependencies, call_id: str, report: Report) -> Call:
    """Write the entries and events of a report, once; return the call as it is now. A report that
    was taken before changes nothing. Raises UnknownCall, NotHosted, CallOver long after the end,
    Contention.
    """
    call = deps.stores.calls.get(call_id) if CALL_ID.fullmatch(call_id) else None
    if call is None:
        raise UnknownCall(call_id)
    if call.voice != "hosted":
        raise NotHosted
    if call.ended_at is not None and deps.now() > call.ended_at + LATE_MS:
        raise CallOver(call)
    told: bool | None = None
    for _ in tries():
        before = deps.stores.transcripts.speech(call_id)
        if report.known(before):
            return call
        if told is None:
            told = not report.has_texts or _within_account(deps, call.account_id)
        now = deps.now()
        taken = take_items(call, before, report, now, told=told)
        try:
            deps.stores.transcripts.take(call_id, before, taken, now)
        except (SpeechChanged, Contention):
            continue
        _log(call, report, taken, told=told)
        return call
    raise Contention


def _within_account(deps: Dependencies, account_id: str) -> bool:
    try:
        rate_limits.count_account(deps, account_id, TOLD)
    except rate_limits.TooOften:
        return False
    return True


def _log(call: Call, report: Report, taken: Taken, *, told: bool) -> None:
    """Log what there was, never the words."""
    facts = {"call_id": call.call_id, "account_id": call.account_id, "host": report.host}
    log.info("speech", extra={**facts, "items": len(report.items), "entries": len(taken.entries)})
    if not told:
        log.warning("texts of a caller not told: too many a minute", extra=facts)
    if taken.dropped:
        log.warning("texts not kept: the transcript is full", extra=facts)
