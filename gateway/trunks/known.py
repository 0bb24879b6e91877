"""The trunks that this gateway knows, with their states; reports each change of a state."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from gateway.trunks import remedies
from gateway.trunks.reports import Report, Reports
from gateway.trunks.trunk import Status, Trunk

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """The state of a trunk; `since` (epoch seconds) is the time of its last change of status."""

    trunk_id: str
    revision: int
    status: Status
    sip_code: int | None
    detail: str
    since: float


@dataclass(slots=True, eq=False)
class Entry:
    """A trunk as it was fetched; `trunk` is None if its settings are not valid.

    One that is not `ours` is registered, and reported about, by another process.
    """

    revision: int
    trunk: Trunk | None
    ours: bool = True
    applied: bool = False
    state: State | None = None


class KnownTrunks:
    """The trunks by id. Its methods are synchronous and quick."""

    def __init__(self, reports: Reports, clock: Callable[[], float]) -> None:
        """`clock` returns epoch seconds."""
        self._reports = reports
        self._clock = clock
        self._entries: dict[str, Entry] = {}

    def get(self, trunk_id: str) -> Trunk | None:
        """Return the trunk, registered or not, whichever process registers it; None if there is
        none with valid settings."""
        entry = self._entries.get(trunk_id)
        return entry.trunk if entry is not None else None

    def status(self, trunk_id: str) -> State | None:
        """Return the status of a trunk; None if there is no such trunk."""
        entry = self._entries.get(trunk_id)
        return entry.state if entry is not None else None

    def states(self) -> list[State]:
        """Return the states of our trunks, in the order of their ids."""
        return [state for _, entry in sorted(self._entries.items()) if (state := entry.state)]

    def by_status(self) -> Counter[str]:
        """Return the number of our trunks of each status."""
        return Counter(state.status for state in self.states())

    def on_status(
        self, trunk_id: str, revision: int, status: Status, sip_code: int | None, reason: str
    ) -> None:
        """Note the outcome of a registration; ignore it if it is about another revision than
        ours."""
        entry = self._entries.get(trunk_id)
        if entry is None or entry.trunk is None or entry.revision != revision:
            return
        detail = remedies.remedy(status, sip_code, reason, entry.trunk)
        self._note(trunk_id, entry, status, sip_code, detail)

    def _note(
        self, trunk_id: str, entry: Entry, status: Status, sip_code: int | None, detail: str
    ) -> None:
        if not entry.ours:
            return
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
