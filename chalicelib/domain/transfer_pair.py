"""The next step of a call and the third party's call of its transfer, from what both are now.

`due` depends on nothing else. So whoever looks at a pair finds the step that a process which died
has left out, and it does not matter in which order the news of the two calls come.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.call import Call
from chalicelib.domain.call_line import LineAct, LinePhase, Transfer, failure_of, phase
from chalicelib.domain.call_transitions import Act, CallState


@dataclass(frozen=True)
class End:
    """End one of the two calls."""

    call: Call
    act: Act


@dataclass(frozen=True)
class Change:
    """Change the line of the call that is transferred."""

    act: LineAct
    why: str | None = None
    sip_code: int | None = None


@dataclass(frozen=True)
class Join:
    """Join the two calls."""


Step = End | Change | Join

_OPEN = (LinePhase.COLD, LinePhase.WARM, LinePhase.CONSULTING)
_ENDS = {LinePhase.ENDING: Act.AGENT_HANGUP, LinePhase.LEAVING: Act.TRANSFERRED}


def due(parent: Call, leg: Call | None) -> Step | None:
    """Return the next step; None if there is none. `parent` is the call that is transferred, `leg`
    the third party's call, if there is one.
    """
    transfer = parent.media_line.transfer
    if leg is not None and (transfer is None or transfer.call_id != leg.call_id):
        return _end(leg, Act.AGENT_HANGUP)
    if parent.state.final:
        return _end(leg, Act.PEER_ENDED)
    now = phase(parent.media_line)
    if now in _ENDS:
        return End(parent, _ENDS[now])
    return _between(parent, leg, transfer) if leg and transfer else None


def _between(parent: Call, leg: Call, transfer: Transfer) -> Step | None:
    """Return the next step of two calls of which the first is active."""
    now = phase(parent.media_line)
    if now in _OPEN:
        return _while_open(transfer, now, leg)
    if now is LinePhase.JOINED:
        return End(parent, Act.PEER_ENDED) if leg.state.final else None
    return _end(leg, Act.AGENT_HANGUP)


def _end(leg: Call | None, act: Act) -> End | None:
    return None if leg is None or leg.state.final else End(leg, act)


def _while_open(transfer: Transfer, now: LinePhase, leg: Call) -> Step | None:
    if leg.state.final:
        why = leg.end_reason.value if leg.end_reason else None
        return Change(failure_of(transfer), why, leg.sip_code)
    if leg.state is CallState.ACTIVE:
        if now is LinePhase.COLD:
            return Join()
        return Change(LineAct.CONSULT) if now is LinePhase.WARM else None
    rings = leg.state is CallState.RINGING and transfer.state == "dialling"
    return Change(LineAct.RING) if rings else None
