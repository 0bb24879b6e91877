"""The life of a call: its states, the reasons it ends for, and every transition there is.

    inbound                  ringing ──► active ──► ended, failed
                                ├──► missed          (nobody within 60 s, or the caller gave up)
                                ├──► declined        (the agent refused)
                                └──► ended, failed

    outbound  connecting ──► ringing ──► active ──► ended, failed
                   └────────────┴──► active           (not every network tells that it rings)
                                ├──► declined         (the called party refused: 603, 607, 608)
                                └──► ended, failed    (busy, no answer, rejected, given up)

`MOVES` is the only place that knows which act leads where; `apply` the only way to get there. Both
are pure: the store makes the result true with one conditional write, together with the event.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.event import Event, EventType
from chalicelib.domain.instant import Instant

RING_MS = 60_000
"""How long an inbound call rings before it is missed."""

RING_GRACE_MS = 5_000
"""How much later than the provider we give an outbound call up: it is to tell us why itself."""

DEFAULT_MAX_DURATION_S = 4 * 3600
"""Twilio's own default limit of a call."""

CALL_ID = re.compile(r"call_[a-z2-7]{26}", re.ASCII)
"""What an id looks like; anything else is nobody's call."""

CAPABILITIES = ("audio_in", "audio_out")

Direction = Literal["inbound", "outbound"]


class CallState(StrEnum):
    """Where a call is. The last four are final."""

    CONNECTING = "connecting"
    RINGING = "ringing"
    ACTIVE = "active"
    MISSED = "missed"
    DECLINED = "declined"
    ENDED = "ended"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """True if nothing comes after this state."""
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


class Act(StrEnum):
    """What can be done to a call. ANSWER is the agent's of an inbound call, and the called party's
    of an outbound one; DECLINE likewise has its counterpart in CALLEE_DECLINED.
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


_S, _R = CallState, EndReason
_Moves = dict[Act, dict[CallState, tuple[CallState, EndReason | None]]]

_UNANSWERED = (_S.CONNECTING, _S.RINGING)

_TALKING: _Moves = {
    Act.AGENT_LOST: {_S.ACTIVE: (_S.ENDED, _R.AGENT_LOST)},
    Act.NO_AGENT: {_S.ACTIVE: (_S.ENDED, _R.NO_AGENT)},
    Act.MAX_DURATION: {_S.ACTIVE: (_S.ENDED, _R.MAX_DURATION)},
    Act.MEDIA_LOST: {_S.ACTIVE: (_S.FAILED, _R.MEDIA_FAILED)},
    Act.AGENT_HANGUP: dict.fromkeys(LIVE_STATES, (_S.ENDED, _R.AGENT_HANGUP)),
    Act.PROVIDER_FAILED: dict.fromkeys(LIVE_STATES, (_S.FAILED, _R.PROVIDER_ERROR)),
}

MOVES: dict[Direction, _Moves] = {
    "inbound": {
        Act.ANSWER: {_S.RINGING: (_S.ACTIVE, None)},
        Act.DECLINE: {_S.RINGING: (_S.DECLINED, _R.DECLINED)},
        Act.EXPIRE: {_S.RINGING: (_S.MISSED, _R.RING_TIMEOUT)},
        Act.CALLER_HANGUP: {
            _S.RINGING: (_S.MISSED, _R.CALLER_HANGUP),
            _S.ACTIVE: (_S.ENDED, _R.CALLER_HANGUP),
        },
        **_TALKING,
    },
    "outbound": {
        Act.RING: {_S.CONNECTING: (_S.RINGING, None)},
        Act.ANSWER: dict.fromkeys(_UNANSWERED, (_S.ACTIVE, None)),
        Act.CALLEE_DECLINED: dict.fromkeys(_UNANSWERED, (_S.DECLINED, _R.DECLINED)),
        Act.BUSY: dict.fromkeys(_UNANSWERED, (_S.FAILED, _R.BUSY)),
        Act.NO_ANSWER: dict.fromkeys(_UNANSWERED, (_S.FAILED, _R.NO_ANSWER)),
        Act.REJECTED: dict.fromkeys(_UNANSWERED, (_S.FAILED, _R.REJECTED)),
        Act.EXPIRE: dict.fromkeys(_UNANSWERED, (_S.FAILED, _R.NO_ANSWER)),
        # Also before the answer: who picks up and hangs up at once may be heard in either order.
        Act.CALLEE_HANGUP: dict.fromkeys(LIVE_STATES, (_S.ENDED, _R.CALLEE_HANGUP)),
        **_TALKING,
    },
}

_EVENT_OF = {
    CallState.CONNECTING: EventType.CALL_CONNECTING,
    CallState.RINGING: EventType.CALL_RINGING,
    CallState.ACTIVE: EventType.CALL_ANSWERED,
    CallState.MISSED: EventType.CALL_MISSED,
    CallState.DECLINED: EventType.CALL_DECLINED,
    CallState.ENDED: EventType.CALL_ENDED,
    CallState.FAILED: EventType.CALL_FAILED,
}


class HistoryEntry(BaseModel):
    """One line of a call's story, kept on the call so that a person sees it whole."""

    model_config = ConfigDict(frozen=True)

    version: int
    state: CallState
    at: Instant
    end_reason: EndReason | None = None


class Call(BaseModel):
    """A call as it is. Times are epoch ms here and RFC 3339 text outside.

    `line` is the number of ours: the called one, or the caller ID we dial with. An outbound call
    has no `provider_call_id` until the provider tells it.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    call_id: str
    account_id: str
    version: int = 1
    state: CallState
    end_reason: EndReason | None = None
    sip_code: int | None = None
    platform: Literal["sip"] = "sip"
    direction: Direction
    from_: str = Field(alias="from")
    to: str
    line: str
    forwarded_from: str | None = None
    provider: str
    provider_call_id: str | None = None
    trunk_id: str | None = None
    agent_url: str | None = None
    auto_answer: bool = False
    created_at: Instant
    updated_at: Instant
    ring_deadline: Instant
    answered_at: Instant | None = None
    ended_at: Instant | None = None
    max_duration_s: int = DEFAULT_MAX_DURATION_S
    metadata: dict[str, Any] = Field(default_factory=dict)
    history: tuple[HistoryEntry, ...] = ()

    @property
    def media_expiry(self) -> int:
        """When nothing of the call's media can matter any more (epoch s): tokens die then."""
        return self.ring_deadline // 1000 + self.max_duration_s

    @property
    def ends_at(self) -> int | None:
        """When the maximum duration is over (epoch ms); None before the answer."""
        return None if self.answered_at is None else self.answered_at + self.max_duration_s * 1000


@dataclass(frozen=True)
class Moved:
    """What a transition makes of a call: the call after it, and the event that tells of it."""

    call: Call
    event: Event


class Refused(Exception):
    """The act is not possible. `call` is the call as it is, `code` a stable word for why."""

    def __init__(self, call: Call, code: str, detail: str) -> None:
        super().__init__(detail)
        self.call, self.code, self.detail = call, code, detail


def inbound_call_id(provider: str, provider_call_id: str) -> str:
    """The id of a provider's call. Derived, so that a webhook that comes twice finds its call.

    `call_` and 26 characters of base32 (130 bits of SHA-256).
    """
    digest = hashlib.sha256(f"{provider}:{provider_call_id}".encode()).digest()
    return "call_" + base64.b32encode(digest).decode().lower()[:26]


def derived_call_id(seed: str) -> str:
    """The id of the call that a request dials which may come twice: the same for the same seed."""
    return inbound_call_id("seed", seed)


def new_call_id() -> str:
    """An id like `inbound_call_id`'s, for a call that begins with us: random."""
    return "call_" + base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26]


def new_inbound(  # noqa: PLR0913 - the facts of a call are what they are
    *,
    account_id: str,
    provider: str,
    provider_call_id: str,
    from_: str,
    to: str,
    line: str,
    forwarded_from: str | None,
    auto_answer: bool,
    now: int,
    agent_url: str | None = None,
) -> Moved:
    """A call that came in and rings until `now + RING_MS`."""
    call = Call(
        call_id=inbound_call_id(provider, provider_call_id),
        account_id=account_id,
        state=CallState.RINGING,
        direction="inbound",
        from_=from_,
        to=to,
        line=line,
        forwarded_from=forwarded_from,
        provider=provider,
        provider_call_id=provider_call_id,
        agent_url=agent_url,
        auto_answer=auto_answer,
        created_at=now,
        updated_at=now,
        ring_deadline=now + RING_MS,
        history=(HistoryEntry(version=1, state=CallState.RINGING, at=now),),
    )
    return Moved(call, _event(call))


def new_outbound(  # noqa: PLR0913 - the facts of a call are what they are
    *,
    account_id: str,
    provider: str,
    trunk_id: str,
    caller_id: str,
    to: str,
    ring_timeout_s: int,
    max_duration_s: int,
    agent_url: str | None,
    metadata: dict[str, Any],
    now: int,
    call_id: str | None = None,
) -> Moved:
    """A call that the provider is about to be asked for. `call_id`: a derived one, if any."""
    call = Call(
        call_id=call_id or new_call_id(),
        account_id=account_id,
        state=CallState.CONNECTING,
        direction="outbound",
        from_=caller_id,
        to=to,
        line=caller_id,
        provider=provider,
        trunk_id=trunk_id,
        agent_url=agent_url,
        created_at=now,
        updated_at=now,
        ring_deadline=now + ring_timeout_s * 1000 + RING_GRACE_MS,
        max_duration_s=max_duration_s,
        metadata=metadata,
        history=(HistoryEntry(version=1, state=CallState.CONNECTING, at=now),),
    )
    return Moved(call, _event(call))


def missed_unseen(ringing: Moved) -> Moved:
    """The same call when the caller was gone before we heard of it: born missed."""
    now = ringing.call.created_at
    call = _moved(ringing.call, CallState.MISSED, EndReason.CALLER_HANGUP, now)
    history = (HistoryEntry(version=1, state=call.state, at=now, end_reason=call.end_reason),)
    call = call.model_copy(
        update={"version": 1, "updated_at": now, "ended_at": now, "history": history}
    )
    return Moved(call, _event(call))


def apply(call: Call, act: Act, now: int, sip_code: int | None = None) -> Moved:
    """`call` after `act` at `now` (epoch ms), `sip_code` being the far end's answer if it is known.
    Refused if the act is not possible (any more).
    """
    move = MOVES[call.direction].get(act, {}).get(call.state)
    if move is None:
        raise Refused(call, *_why_not(call, act))
    if act is Act.ANSWER and call.direction == "inbound" and now >= call.ring_deadline:
        raise Refused(call, "ring_deadline_passed", "The call rang for 60 seconds: it is missed.")
    if act is Act.EXPIRE and now < call.ring_deadline:
        raise Refused(call, "still_ringing", "The ring deadline is not over yet.")
    after = _moved(call, *move, now)
    if sip_code is not None:
        after = after.model_copy(update={"sip_code": sip_code})
    return Moved(after, _event(after))


def public_view(call: Call) -> dict[str, Any]:
    """The call as REST, events and webhooks show it (JSON types only). Not the agent's URL: such
    URLs hold tokens, and events go to more places than that one.
    """
    view = call.model_dump(mode="json", exclude={"account_id", "trunk_id", "agent_url"})
    return {**view, "capabilities": list(CAPABILITIES)}


def _moved(call: Call, state: CallState, reason: EndReason | None, now: int) -> Call:
    # The event order of a call must not depend on which Lambda's clock is ahead.
    at = max(now, call.updated_at + 1)
    version = call.version + 1
    entry = HistoryEntry(version=version, state=state, at=at, end_reason=reason)
    changes: dict[str, Any] = {
        "state": state,
        "end_reason": reason,
        "version": version,
        "updated_at": at,
        "history": (*call.history, entry),
    }
    if state is CallState.ACTIVE:
        changes["answered_at"] = at
    if state.final:
        changes["ended_at"] = at
    return call.model_copy(update=changes)


def _event(call: Call) -> Event:
    return Event(
        event_id=f"evt_{call.call_id.removeprefix('call_')}_{call.version:03d}",
        type=_EVENT_OF[call.state],
        account_id=call.account_id,
        at=call.updated_at,
        call_id=call.call_id,
        version=call.version,
        data={"call": public_view(call)},
    )


def _why_not(call: Call, act: Act) -> tuple[str, str]:
    if call.state.final:
        why = f" ({call.end_reason})" if call.end_reason else ""
        return "call_over", f"The call is over: {call.state}{why}."
    if act not in MOVES[call.direction]:
        return f"call_{call.direction}", f"That is not for {call.direction} calls."
    if act not in _TALKING:
        return "call_not_ringing", f"The call is {call.state}, not ringing."
    return "call_not_active", f"The call is {call.state}, not active."
