"""The trunks that this gateway knows, and how each is doing; what changes is reported."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from gateway import remedies
from gateway.trunk import Status, Trunk
from gateway.trunk_reports import Report, Reports

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """How a trunk is doing; `since` (epoch seconds) its status is what it is."""

    trunk_id: str
    revision: int
    status: Status
    sip_code: int | None
    detail: str
    since: float


@dataclass(slots=True, eq=False)
class Entry:
    """A trunk as it was fetched; `trunk` is None if its settings are no good."""

    revision: int
    trunk: Trunk | None
    applied: bool = False
    state: State | None = None


class KnownTrunks:
    """By id. Plain calls that are quick."""

    def __init__(self, reports: Reports, clock: Callable[[], float]) -> None:
        """`clock` gives epoch seconds."""
        self._reports = reports
        self._clock = clock
        self._entries: dict[str, Entry] = {}

    def get(self, trunk_id: str) -> Trunk | None:
        """The trunk, whether it is registered or not; None: there is none that could be used."""
        entry = self._entries.get(trunk_id)
        return entry.trunk if entry is not None else None

    def status(self, trunk_id: str) -> State | None:
        """How it is doing; None: there is no such trunk."""
        entry = self._entries.get(trunk_id)
        return entry.state if entry is not None else None

    def states(self) -> list[State]:
        """How all of them are doing, by id."""
        return [state for _, entry in sorted(self._entries.items()) if (state := entry.state)]

    def by_status(self) -> Counter[str]:
        """How many trunks there are of each status."""
        return Counter(state.status for state in self.states())

    def on_status(
        self, trunk_id: str, revision: int, status: Status, sip_code: int | None, reason: str
    ) -> None:
        """The host's word on a registration; about another revision than ours it counts nothing."""
        entry = self._entries.get(trunk_id)
        if entry is None or entry.trunk is None or entry.revision != revision:
            return
        detail = remedies.remedy(status, sip_code, reason, entry.trunk)
        self._note(trunk_id, entry, status, sip_code, detail)

    def _note(
        self, trunk_id: str, entry: Entry, status: Status, sip_code: int | None, detail: str
    ) -> None:
        before = entry.state
        if before is not None and (status, sip_code, detail) == (
            before.status,
            before.sip_code,
            before.detail,
        ):
            return
        lasts = before is not None and before.status == status
        since = before.since if before is not None and lasts else self._clock()
        entry.state = State(trunk_id, entry.revision, status, sip_code, detail, since)
        if not lasts:
            log.info("trunk %s", status, extra={"trunk_id": trunk_id, "sip_code": sip_code})
        self._reports.put(Report(trunk_id, entry.revision, status, sip_code, detail))
