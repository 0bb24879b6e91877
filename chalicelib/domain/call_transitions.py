"""The states of a call, the reasons it ends for, and every transition there is.

    inbound                  ringing ──► active ──► ended, failed
                                ├──► missed          (nobody within 60 s, or the caller gave up)
                                ├──► declined        (the agent refused)
                                └──► ended, failed

    outbound  connecting ──► ringing ──► active ──► ended, failed
                   └────────────┴──► active           (not every network reports that it rings)
                                ├──► declined         (the called party refused: 603, 607, 608)
                                └──► ended, failed    (busy, no answer, rejected, given up)

`MOVES` is the only place that knows which act leads to which state; only `call.apply` reads it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Direction = Literal["inbound", "outbound"]


class CallState(StrEnum):
    """The state of a call. The last four are final."""

    CONNECTING = "connecting"
    RINGING = "ringing"
    ACTIVE = "active"
    MISSED = "missed"
    DECLINED = "declined"
    ENDED = "ended"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Return whether nothing comes after this state."""
        return self not in LIVE_STATES


LIVE_STATES = frozenset({CallState.CONNECTING, CallState.RINGING, CallState.ACTIVE})


class EndReason(StrEnum):
    """Why a call is over."""

    RING_TIMEOUT = "ring_timeout"
    CALLER_HANGUP = "caller_hangup"
    AGENT_HANGUP = "agent_hangup"
    CALLEE_HANGUP = "callee_hangup"
    DECLINED = "declined"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    AGENT_LOST = "agent_lost"
    NO_AGENT = "no_agent"
    MEDIA_FAILED = "media_failed"
    MAX_DURATION = "max_duration"
    PROVIDER_ERROR = "provider_error"
    PEER_ENDED = "peer_ended"
    TRANSFERRED = "transferred"


class Act(StrEnum):
    """An act on a call. ANSWER is the agent's act on an inbound call and the called party's on an
    outbound one; DECLINE is the agent's, CALLEE_DECLINED the called party's. PEER_ENDED: the call
    that it was, or was to be, joined with is over; TRANSFERRED: the far end's network has taken it
    over.
    """

    RING = "ring"
    ANSWER = "answer"
    DECLINE = "decline"
    CALLEE_DECLINED = "callee_declined"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    EXPIRE = "expire"
    CALLER_HANGUP = "caller_hangup"
    CALLEE_HANGUP = "callee_hangup"
    AGENT_HANGUP = "agent_hangup"
    AGENT_LOST = "agent_lost"
    NO_AGENT = "no_agent"
    MAX_DURATION = "max_duration"
    MEDIA_LOST = "media_lost"
    PROVIDER_FAILED = "provider_failed"
    PEER_ENDED = "peer_ended"
    TRANSFERRED = "transferred"


_S, _R = CallState, EndReason
_Moves = dict[Act, dict[CallState, tuple[CallState, EndReason | None]]]

_UNANSWERED = (_S.CONNECTING, _S.RINGING)

TALKING: _Moves = {
    Act.AGENT_LOST: {_S.ACTIVE: (_S.ENDED, _R.AGENT_LOST)},
    Act.NO_AGENT: {_S.ACTIVE: (_S.ENDED, _R.NO_AGENT)},
    Act.MAX_DURATION: {_S.ACTIVE: (_S.ENDED, _R.MAX_DURATION)},
    Act.MEDIA_LOST: {_S.ACTIVE: (_S.FAILED, _R.MEDIA_FAILED)},
    Act.AGENT_HANGUP: dict.fromkeys(LIVE_STATES, (_S.ENDED, _R.AGENT_HANGUP)),
    Act.PROVIDER_FAILED: dict.fromkeys(LIVE_STATES, (_S.FAILED, _R.PROVIDER_ERROR)),
    Act.PEER_ENDED: dict.fromkeys(LIVE_STATES, (_S.ENDED, _R.PEER_ENDED)),
    Act.TRANSFERRED: {_S.ACTIVE: (_S.ENDED, _R.TRANSFERRED)},
}
"""Acts that are possible on every call, most of them while it is active."""

MOVES: dict[Direction, _Moves] = {
    "inbound": {
        Act.ANSWER: {_S.RINGING: (_S.ACTIVE, None)},
        Act.DECLINE: {_S.RINGING: (_S.DECLINED, _R.DECLINED)},
        Act.EXPIRE: {_S.RINGING: (_S.MISSED, _R.RING_TIMEOUT)},
        Act.CALLER_HANGUP: {
            _S.RINGING: (_S.MISSED, _R.CALLER_HANGUP),
            _S.ACTIVE: (_S.ENDED, _R.CALLER_HANGUP),
        },
        **TALKING,
    },
    "outbound": {
        Act.RING: {_S.CONNECTING: (_S.RINGING, None)},
        Act.ANSWER: dict.fromkeys(_UNANSWERED, (_S.ACTIVE, None)),
        Act.CALLEE_DECLINED: dict.fromkeys(_UNANSWERED, (_S.DECLINED, _R.DECLINED)),
        Act.BUSY: dict.fromkeys(_UNANSWERED, (_S.FAILED, _R.BUSY)),
        Act.NO_ANSWER: dict.fromkeys(_UNANSWERED, (_S.FAILED, _R.NO_ANSWER)),
        Act.REJECTED: dict.fromkeys(_UNANSWERED, (_S.FAILED, _R.REJECTED)),
        Act.EXPIRE: dict.fromkeys(_UNANSWERED, (_S.FAILED, _R.NO_ANSWER)),
        # Also before the answer: posts about an answer and a hang-up soon after it may swap places.
        Act.CALLEE_HANGUP: dict.fromkeys(LIVE_STATES, (_S.ENDED, _R.CALLEE_HANGUP)),
        **TALKING,
    },
}
