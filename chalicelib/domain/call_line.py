"""The line of a call: who the far end talks to, a change at a time.

    talking ◄──► held
       │          │           START_COLD, START_WARM, START_REFER
       ▼          ▼
    cold    warm ──► consulting    refer
      │       │           │          │
      ├───────┴───────────┼──────────┴──► talking   (FAIL, CANCEL: the agent has the caller again)
      │                   │          │
      └───────► joined ◄──┘          └──► leaving   (the far end's network has taken the call over)
    cold ──► ending                                 (LOSE: nobody is left to go back to)

`MOVES` is the only place that knows which act leads to which phase. All values are pure: the store
makes a change true with one conditional write, together with its events.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Literal

from pydantic import ConfigDict

from chalicelib.domain.event import EventType
from chalicelib.domain.model import Model

Mode = Literal["agent", "hold", "bridge"]
HeldBy = Literal["agent", "transfer"]
SourceKind = Literal["silence", "music", "ringback", "clip"]
TransferMode = Literal["cold", "warm", "refer"]
TransferState = Literal["dialling", "ringing", "consulting", "completed", "failed", "cancelled"]
OnFailure = Literal["resume", "hang_up"]


class Source(Model):
    """The sound that the far end hears while it is held."""

    model_config = ConfigDict(frozen=True)

    kind: SourceKind
    clip_id: str | None = None
    loop: bool | None = None


SILENCE, MUSIC, RINGBACK = (Source(kind=kind) for kind in ("silence", "music", "ringback"))


class Transfer(Model):
    """A transfer of a call to a third party, the last one that there was. `call_id`: the third
    party's call; None where the far end's network dials. `why`: a stable word for the reason why it
    failed.
    """

    model_config = ConfigDict(frozen=True)

    transfer_id: str
    mode: TransferMode
    to: str
    state: TransferState = "dialling"
    call_id: str | None = None
    on_failure: OnFailure = "resume"
    sip_code: int | None = None
    why: str | None = None

    @property
    def under_way(self) -> bool:
        """Return whether its outcome is still open."""
        return self.state in ("dialling", "ringing", "consulting")


class CallLine(Model):
    """The line of a call. `number` rises with each change; 0: the agent talks, as from the
    beginning. `peer`: the call that a bridge joins it with. `by`: who put it on hold.
    """

    model_config = ConfigDict(frozen=True)

    number: int = 0
    mode: Mode = "agent"
    by: HeldBy | None = None
    source: Source | None = None
    peer: str | None = None
    agent: Literal["stay", "leave"] | None = None
    transfer: Transfer | None = None


USUAL_LINE = CallLine()


class LinePhase(StrEnum):
    """The phase of a line, which follows from its values."""

    TALKING = "talking"
    HELD = "held"
    COLD = "cold"
    WARM = "warm"
    CONSULTING = "consulting"
    REFER = "refer"
    JOINED = "joined"
    LEAVING = "leaving"
    ENDING = "ending"


class LineAct(StrEnum):
    """An act on a line. RING and CONSULT are the third party's: it rings, it has answered."""

    HOLD = "hold"
    RESUME = "resume"
    START_COLD = "start_cold"
    START_WARM = "start_warm"
    START_REFER = "start_refer"
    RING = "ring"
    CONSULT = "consult"
    JOIN = "join"
    BE_JOINED = "be_joined"
    REFERRED = "referred"
    FAIL = "fail"
    LOSE = "lose"
    CANCEL = "cancel"
    AGENT_LEFT = "agent_left"


_P = LinePhase
_FREE = (_P.TALKING, _P.HELD)
_OPEN = (_P.COLD, _P.WARM, _P.CONSULTING, _P.REFER)

MOVES: dict[LineAct, dict[LinePhase, LinePhase]] = {
    LineAct.HOLD: dict.fromkeys(_FREE, _P.HELD),
    LineAct.RESUME: dict.fromkeys(_FREE, _P.TALKING),
    LineAct.START_COLD: dict.fromkeys(_FREE, _P.COLD),
    LineAct.START_WARM: dict.fromkeys(_FREE, _P.WARM),
    LineAct.START_REFER: dict.fromkeys(_FREE, _P.REFER),
    LineAct.RING: {_P.COLD: _P.COLD, _P.WARM: _P.WARM},
    LineAct.CONSULT: {_P.WARM: _P.CONSULTING},
    LineAct.JOIN: {_P.COLD: _P.JOINED, _P.CONSULTING: _P.JOINED},
    LineAct.BE_JOINED: dict.fromkeys(_FREE, _P.JOINED),
    LineAct.REFERRED: {_P.REFER: _P.LEAVING},
    LineAct.FAIL: dict.fromkeys(_OPEN, _P.TALKING),
    LineAct.LOSE: dict.fromkeys(_OPEN, _P.ENDING),
    LineAct.CANCEL: dict.fromkeys(_OPEN, _P.TALKING),
    LineAct.AGENT_LEFT: {_P.COLD: _P.COLD, _P.REFER: _P.REFER},
}
"""BE_JOINED is JOIN on the third party's call; LOSE is FAIL where the caller shall not come
back."""


class LineRefused(Exception):
    """The act is not possible on the line as it is: a stable word, and a sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def phase(line: CallLine) -> LinePhase:
    """Return the phase of a line."""
    transfer = line.transfer
    if line.mode == "bridge":
        return _P.JOINED
    if transfer is not None and transfer.under_way:
        if transfer.mode == "warm":
            return _P.CONSULTING if transfer.state == "consulting" else _P.WARM
        return _P.COLD if transfer.mode == "cold" else _P.REFER
    if transfer is not None and line.by == "transfer":
        return _P.LEAVING if transfer.state == "completed" else _P.ENDING
    return _P.TALKING if line.mode == "agent" else _P.HELD


def changed(line: CallLine, act: LineAct, **facts: Any) -> CallLine:
    """Return the line after an act; the same if the act changes nothing. Facts: `source` of HOLD
    and of the starts, `transfer` of the starts, `peer` of JOIN and BE_JOINED, `why` and `sip_code`
    of FAIL and LOSE. Raises LineRefused.
    """
    now = phase(line)
    if now not in MOVES[act]:
        raise LineRefused(*_why_not(act, now))
    after = line.model_copy(update=_CHANGES[act](line, facts))
    return line if after == line else after.model_copy(update={"number": line.number + 1})


def start_of(mode: TransferMode) -> LineAct:
    """Return the act that starts a transfer."""
    return {
        "cold": LineAct.START_COLD,
        "warm": LineAct.START_WARM,
        "refer": LineAct.START_REFER,
    }[mode]


def failure_of(transfer: Transfer) -> LineAct:
    """Return the act by which a transfer fails."""
    return LineAct.FAIL if transfer.on_failure == "resume" else LineAct.LOSE


def end_line(line: CallLine) -> CallLine:
    """Return the line of a call that ends: a transfer that is under way has failed with it."""
    if line.transfer is None or not line.transfer.under_way:
        return line
    over = line.transfer.model_copy(update={"state": "failed", "why": "call_over"})
    return line.model_copy(update={"number": line.number + 1, "transfer": over})


def what_happened(before: CallLine, after: CallLine) -> list[tuple[EventType, dict[str, Any]]]:
    """Return what a change is told as, in order: types of events, and their data without the call's
    id.
    """
    told = _transfer_events(before.transfer, after.transfer)
    if before.mode != "hold" and after.mode == "hold":
        told.append((EventType.CALL_HELD, {"by": after.by}))
    if before.mode == "hold" and after.mode != "hold":
        told.append((EventType.CALL_UNHELD, {"by": before.by}))
    return told


def transfer_view(transfer: Transfer) -> dict[str, Any]:
    """Return a transfer as calls show it."""
    return transfer.model_dump(mode="json", exclude={"on_failure"}, exclude_none=True)


def _transfer_events(
    before: Transfer | None, after: Transfer | None
) -> list[tuple[EventType, dict[str, Any]]]:
    if after is None:
        return []
    same = before is not None and before.transfer_id == after.transfer_id
    was = before.state if before is not None and same else None
    types = []
    if was is None:
        types.append(EventType.CALL_TRANSFER_STARTED)
    if after.state == "consulting" != was:
        types.append(EventType.CALL_TRANSFER_ANSWERED)
    if after.state == "completed" != was:
        if after.mode == "cold":
            types.append(EventType.CALL_TRANSFER_ANSWERED)
        types.append(EventType.CALL_TRANSFER_COMPLETED)
    if after.state in ("failed", "cancelled") and was != after.state:
        types.append(EventType.CALL_TRANSFER_FAILED)
    facts = {
        "transfer_id": after.transfer_id,
        "mode": after.mode,
        "to": after.to,
        "transfer_call_id": after.call_id,
        "sip_code": after.sip_code,
        "why": after.why,
    }
    data = {name: value for name, value in facts.items() if value is not None}
    return [(each, data) for each in types]


_Facts = dict[str, Any]
_TALK: _Facts = {"mode": "agent", "by": None, "source": None}


def _with_transfer(line: CallLine, **changes: Any) -> _Facts:
    transfer = line.transfer.model_copy(update=changes) if line.transfer else None
    return {"transfer": transfer}


def _start(_: CallLine, facts: _Facts) -> _Facts:
    held = {"mode": "hold", "by": "transfer", "source": facts["source"]}
    return {**held, "transfer": facts["transfer"]}


def _bridge(facts: _Facts) -> _Facts:
    joined = {"mode": "bridge", "peer": facts["peer"], "agent": "leave"}
    return {**joined, "by": None, "source": None}


def _failed(line: CallLine, facts: _Facts) -> _Facts:
    given = {name: facts.get(name) for name in ("why", "sip_code")}
    return _with_transfer(line, state="failed", **given)


_CHANGES: dict[LineAct, Callable[[CallLine, _Facts], _Facts]] = {
    LineAct.HOLD: lambda _, facts: {"mode": "hold", "by": "agent", "source": facts["source"]},
    LineAct.RESUME: lambda *_: _TALK,
    LineAct.START_COLD: _start,
    LineAct.START_WARM: _start,
    LineAct.START_REFER: _start,
    LineAct.RING: lambda line, _: _with_transfer(line, state="ringing"),
    LineAct.CONSULT: lambda line, _: _with_transfer(line, state="consulting"),
    LineAct.JOIN: lambda line, facts: _bridge(facts) | _with_transfer(line, state="completed"),
    LineAct.BE_JOINED: lambda _, facts: _bridge(facts),
    LineAct.REFERRED: lambda line, _: _with_transfer(line, state="completed"),
    LineAct.FAIL: lambda line, facts: _TALK | _failed(line, facts),
    LineAct.LOSE: _failed,
    LineAct.CANCEL: lambda line, _: (
        _TALK | _with_transfer(line, state="cancelled", why="cancelled")
    ),
    LineAct.AGENT_LEFT: lambda line, _: _with_transfer(line, on_failure="hang_up"),
}


def _why_not(act: LineAct, now: LinePhase) -> tuple[str, str]:
    if now is _P.JOINED:
        return "call_transferred", "The call is transferred: the two parties talk to each other."
    if act in (LineAct.JOIN, LineAct.CANCEL) and now in _FREE:
        return "no_transfer", "No transfer of the call is under way."
    if act is LineAct.JOIN and now is _P.WARM:
        return "transfer_not_answered", "The third party has not answered yet."
    return "transfer_under_way", "A transfer of the call is under way: it ends, or is cancelled."
