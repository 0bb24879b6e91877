"""A call, and what an act makes of it.

`apply` is the only way from one state to another; which ways there are says `call_moves.py`. It is
pure: the store makes the result true with one conditional write, together with the event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ConfigDict, Field

from chalicelib.domain.call_moves import MOVES, TALKING, Act, CallState, Direction, EndReason
from chalicelib.domain.event import Event, EventType
from chalicelib.domain.instant import Instant
from chalicelib.domain.shape import Shape

DEFAULT_MAX_DURATION_S = 4 * 3600
"""Twilio's own default limit of a call."""

CAPABILITIES = ("audio_in", "audio_out")

_EVENT_OF = {
    CallState.CONNECTING: EventType.CALL_CONNECTING,
    CallState.RINGING: EventType.CALL_RINGING,
    CallState.ACTIVE: EventType.CALL_ANSWERED,
    CallState.MISSED: EventType.CALL_MISSED,
    CallState.DECLINED: EventType.CALL_DECLINED,
    CallState.ENDED: EventType.CALL_ENDED,
    CallState.FAILED: EventType.CALL_FAILED,
}


class HistoryEntry(Shape):
    """One line of a call's story, kept on the call so that a person sees it whole."""

    model_config = ConfigDict(frozen=True)

    version: int
    state: CallState
    at: Instant
    end_reason: EndReason | None = None


class Call(Shape):
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
    after = moved(call, *move, now)
    if sip_code is not None:
        after = after.model_copy(update={"sip_code": sip_code})
    return Moved(after, call_event(after))


def public_view(call: Call) -> dict[str, Any]:
    """The call as REST, events and webhooks show it (JSON types only). Not the agent's URL: such
    URLs hold tokens, and events go to more places than that one.
    """
    view = call.model_dump(mode="json", exclude={"account_id", "trunk_id", "agent_url"})
    return {**view, "capabilities": list(CAPABILITIES)}


def moved(call: Call, state: CallState, reason: EndReason | None, now: int) -> Call:
    """The call in another state, with one more line of its story."""
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


def call_event(call: Call) -> Event:
    """What tells of the state that a call has come to."""
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
    if act not in TALKING:
        return "call_not_ringing", f"The call is {call.state}, not ringing."
    return "call_not_active", f"The call is {call.state}, not active."
