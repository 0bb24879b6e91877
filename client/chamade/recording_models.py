"""Models of recordings."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from chamade.decoding import Shown


@dataclass(frozen=True, kw_only=True)
class Recording(Shown):
    """A recording. `state`: `recording`, `processing`, `ready` or `failed`, of which `why` is the
    reason; `gaps`: parts that were lost, `lost_ms` together, and are silence; `url`: of its file,
    once it is ready, until `url_expires_at`.
    """

    recording_id: str
    call_id: str
    state: str
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    duration_ms: int | None = None
    bytes: int | None = None
    gaps: int | None = None
    lost_ms: int | None = None
    why: str | None = None
    deleted_at: datetime | None = None
    url: str | None = field(default=None, repr=False)
    url_expires_at: datetime | None = None
