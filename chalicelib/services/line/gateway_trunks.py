"""Trunks that the gateway connects: the list, single trunks with passwords, and its reports."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from chalicelib.domain.event import EventType
from chalicelib.domain.rejected_calls import shed_event
from chalicelib.domain.trunk import Trunk, TrunkStatus, apply_report, trunk_event
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line.gateway_leases import is_holder
from chalicelib.services.line.trunks import UnknownTrunk, facts_of, open_password
from chalicelib.store.contention import tries
from chalicelib.store.table import Contention
from chalicelib.store.trunk_items import Record, TrunkChanged
from chalicelib.store.vault import BadSeal

log = logging.getLogger(__name__)

PAGE = 200
"""Trunks in one answer to the gateway."""

OLDEST_SHED_MS = 24 * 3600 * 1000
"""Age of a report of refused calls, at most: an older one counts as that old."""

_EVENT_OF = {
    TrunkStatus.REGISTERED: EventType.TRUNK_REGISTERED,
    TrunkStatus.READY: EventType.TRUNK_REGISTERED,
    TrunkStatus.FAILED: EventType.TRUNK_FAILED,
}


def all_trunks(deps: Dependencies) -> Iterator[Trunk]:
    """Yield every trunk that the gateway is to connect."""
    after: str | None = None
    while True:
        found, after = list_trunks(deps, after)
        yield from found
        if after is None:
            return


def list_trunks(deps: Dependencies, after: str | None) -> tuple[list[Trunk], str | None]:
    """Return a page of the trunks that the gateway is to connect, and the place of the next
    page.
    """
    return deps.stores.trunks.page("gateway", after, PAGE)


def fetch(deps: Dependencies, trunk_id: str) -> tuple[Trunk, str | None]:
    """Return a trunk and its password, if it has one. Raises UnknownTrunk, also for a trunk that
    has another provider by now, and for a password that does not open (the vault's key was lost),
    which its owner is told.
    """
    record = _record(deps, trunk_id)
    trunk = record.trunk
    try:
        return trunk, open_password(deps, record)
    except BadSeal as error:
        log.error("trunk's password does not open: %s", error, extra=facts_of(trunk))
    gone = "The stored password cannot be read any more: connect the trunk again."
    failed = TrunkStatus.FAILED
    _note(deps, trunk_id, revision=trunk.revision, status=failed, sip_code=None, detail=gone)
    raise UnknownTrunk(trunk_id)


def report(  # noqa: PLR0913 - the fields of a report
    deps: Dependencies,
    trunk_id: str,
    *,
    machine: str | None = None,
    revision: int,
    status: TrunkStatus,
    sip_code: int | None,
    detail: str = "",
) -> int:
    """Note the status of a trunk at the gateway `machine`; return the revision that counts. A
    report about another revision, or of a gateway that no longer has the trunk, changes nothing.
    Raises UnknownTrunk.
    """
    if not is_holder(deps, machine, trunk_id):
        return _record(deps, trunk_id).trunk.revision
    return _note(deps, trunk_id, revision=revision, status=status, sip_code=sip_code, detail=detail)


def note_shed(deps: Dependencies, trunk_id: str, count: int, at: int) -> None:
    """Write the event that calls of a trunk were refused while we were behind; `at`: epoch ms, as
    the gateway's clock has it. Raises UnknownTrunk.
    """
    trunk = _record(deps, trunk_id).trunk
    now = deps.now()
    at = min(max(at, now - OLDEST_SHED_MS), now)
    deps.stores.trunks.tell(shed_event(trunk, count, at))
    log.warning("calls refused: overload", extra={**facts_of(trunk), "count": count})


def _note(  # noqa: PLR0913 - the fields of a report
    deps: Dependencies,
    trunk_id: str,
    *,
    revision: int,
    status: TrunkStatus,
    sip_code: int | None,
    detail: str,
) -> int:
    for _ in tries():
        before = _record(deps, trunk_id)
        trunk = before.trunk
        if trunk.revision != revision:
            return trunk.revision
        now = deps.now()
        after = apply_report(trunk, status, sip_code, detail, now)
        if after == trunk:
            return revision
        event_type = _EVENT_OF.get(after.status) if after.status is not trunk.status else None
        event = trunk_event(event_type, after, now) if event_type else None
        try:
            deps.stores.trunks.report(before, after, event)
        except (TrunkChanged, Contention):
            continue
        log.info("trunk %s", after.status.value, extra={**facts_of(after), "sip_code": sip_code})
        return revision
    raise Contention


def _record(deps: Dependencies, trunk_id: str) -> Record:
    record = deps.stores.trunks.record(trunk_id)
    if record is None or record.trunk.provider != "gateway":
        raise UnknownTrunk(trunk_id)
    return record
