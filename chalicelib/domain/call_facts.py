"""The facts of a call's audio as REST shows them: made of what relays and the gateway have told.

Whatever nobody told is absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from chalicelib.domain.call import Call
from chalicelib.domain.event import Event, EventType
from chalicelib.domain.instant import to_text
from common.call_facts import (
    ADDED_LATENCY_MS,
    CLEAR_TO_SILENCE_MS,
    STEP_MS,
    Mark,
    Sums,
    quantile,
    unpack,
)
from common.call_facts import merged as merged_sums

KEPT_S = 30 * 24 * 3600
"""Time for which facts and levels are kept, from the last report on."""
LATE_MS = 600_000
"""Time after the end of a call for which reports about it are taken."""
MAX_RUNS = 16
"""Relays' runs of a call that are shown, the newest ones."""
MAX_QUALITY_EVENTS = 20
"""Events `call.quality` of a call."""


@dataclass(frozen=True)
class Run:
    """The facts of one relay about a call: its beginning (epoch ms), and its sums."""

    began_ms: int
    sums: Sums


@dataclass(frozen=True)
class LevelPiece:
    """The levels and marks of a relay from a moment on (ms since the call's levels begin)."""

    began_ms: int
    step: int
    caller: str
    heard: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class QualityNote:
    """The quality that a live call has from now on, and the estimate that led to it."""

    quality: Literal["poor", "good"]
    mos: float | None = None


@dataclass(frozen=True)
class ProviderFacts:
    """The provider's own facts: of the audio, and of the moments of the call's set-up (epoch ms).
    None: not told.
    """

    codec: str | None = None
    jitter_ms: float | None = None
    loss_pct: float | None = None
    round_trip_ms: float | None = None
    concealed_ms: int | None = None
    mos: float | None = None
    invite_at: int | None = None
    ringing_at: int | None = None
    answered_at: int | None = None

    @property
    def known(self) -> dict[str, Any]:
        """Return what was told."""
        return {name: value for name, value in vars(self).items() if value is not None}


def shown(call: Call, runs: list[Run], provider: ProviderFacts) -> dict[str, Any]:
    """Return the facts as REST shows them; empty if nothing is known."""
    told = provider.known
    moments = {
        "invite_at": told.pop("invite_at", None),
        "ringing_at": told.pop("ringing_at", None),
        "answered_at": told.pop("answered_at", None) or call.answered_at,
        **_moments(runs),
    }
    if not provider.known and not runs:
        return {}
    timeline = {name: to_text(at) for name, at in moments.items() if at is not None}
    return {"timeline": timeline, **told, **(_measured(runs) if runs else {})}


def levels(pieces: list[LevelPiece]) -> dict[str, Any]:
    """Return the levels of a call as REST shows them. Where two relays overlap, the later one
    counts.
    """
    began = min((piece.began_ms for piece in pieces), default=0)
    caller, heard, marks = bytearray(), bytearray(), []
    for piece in sorted(pieces, key=lambda piece: (piece.began_ms, piece.step)):
        behind = piece.began_ms - began
        at = round(behind / STEP_MS) + piece.step
        _place(caller, at, unpack(piece.caller))
        _place(heard, at, unpack(piece.heard))
        marks += [
            {"type": mark.type, "at_ms": mark.at_ms + behind, "ms": mark.ms} for mark in piece.marks
        ]
    return {
        "began_at": to_text(began) if pieces else None,
        "step_ms": STEP_MS,
        "caller": list(caller),
        "heard": list(heard),
        "marks": sorted(marks, key=lambda mark: mark["at_ms"]),
    }


def quality_event(call: Call, number: int, note: QualityNote, now: int) -> Event:
    """Return the event of a change of the quality; `number` counts the call's."""
    return Event(
        event_id=f"evt_{call.call_id.removeprefix('call_')}_quality_{number:03d}",
        type=EventType.CALL_QUALITY,
        account_id=call.account_id,
        at=now,
        call_id=call.call_id,
        data={
            "call_id": call.call_id,
            "quality": note.quality,
            **({"mos": note.mos} if note.mos is not None else {}),
        },
    )


def _place(levels: bytearray, at: int, piece: list[int]) -> None:
    if at > len(levels):
        levels.extend(bytes(at - len(levels)))
    levels[at : at + len(piece)] = bytes(piece)


def _moments(runs: list[Run]) -> dict[str, int | None]:
    """Return the first moments of any relay, epoch ms."""
    first: dict[str, int | None] = {"stream_at": runs[0].began_ms if runs else None}
    for name in ("agent", "caller_audio", "agent_audio"):
        since = [(run.began_ms, getattr(run.sums, f"{name}_ms")) for run in runs]
        first[f"{name}_at"] = next((began + ms for began, ms in since if ms is not None), None)
    return first


def _measured(runs: list[Run]) -> dict[str, Any]:
    sums = merged_sums([run.sums for run in runs])
    added, silence = sums.pop("added_latency"), sums.pop("clear_to_silence")
    del sums["frames"]
    if sum(added):
        sums["added_latency_ms"] = {
            "p50": quantile(ADDED_LATENCY_MS, added, 0.5),
            "p95": quantile(ADDED_LATENCY_MS, added, 0.95),
        }
    if sum(silence):
        sums["clear_to_silence_ms"] = {"p95": quantile(CLEAR_TO_SILENCE_MS, silence, 0.95)}
    return sums
