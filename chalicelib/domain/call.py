"""A call, and the transition that an act makes.

`apply` is the only way from one state to another; `call_transitions.py` lists the ways there are.
It is pure: the store makes the result true with one conditional write, together with the event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ConfigDict, Field

from chalicelib.domain.answered import NOT_DETECTED, Detection
from chalicelib.domain.answered import call_view as detection_view
from chalicelib.domain.call_line import (
    USUAL_LINE,
    CallLine,
    LineAct,
    LineRefused,
    changed,
    end_line,
    transfer_view,
    what_happened,
)
from chalicelib.domain.call_transitions import MOVES, TALKING, Act, CallState, Direction, EndReason
from chalicelib.domain.endings import why_over
from chalicelib.domain.event import Event, EventType, event_id
from chalicelib.domain.failure import Failure
from chalicelib.domain.instant import Instant, to_text
from chalicelib.domain.model import Model
from chalicelib.domain.recording import (
    NOT_RECORDED,
    CallRecordings,
    at_the_answer,
    call_view,
    ended_with_call,
    started_event,
)
from chalicelib.domain.voice import CallVoice, Voice, VoiceSettings

DEFAULT_MAX_DURATION_S = 4 * 3600
"""Twilio's own default limit of a call."""

CAPABILITIES = ("audio_in", "audio_out")

_IF_SET = (
    "agent_detail",
    "trunk",
    "voice_settings",
    "voice_detail",
    "caller_name",
    "stir_verstat",
    "sip_headers",
    "kind",
    "parent_call_id",
)

_EVENT_OF = {
    CallState.CONNECTING: EventType.CALL_CONNECTING,
    CallState.RINGING: EventType.CALL_RINGING,
    CallState.ACTIVE: EventType.CALL_ANSWERED,
    CallState.MISSED: EventType.CALL_MISSED,
    CallState.DECLINED: EventType.CALL_DECLINED,
    CallState.ENDED: EventType.CALL_ENDED,
    CallState.FAILED: EventType.CALL_FAILED,
}


class HistoryEntry(Model):
    """An entry of a call's history: one of its transitions. A call keeps all of them."""

    model_config = ConfigDict(frozen=True)

    version: int
    state: CallState
    at: Instant
    end_reason: EndReason | None = None


class Route(Model):
    """A trunk that may place a call, with the number that it calls as there."""

    model_config = ConfigDict(frozen=True)

    trunk_id: str
    trunk: str
    caller_id: str


class Call(Model):
    """A call as it is. Times are epoch ms here and RFC 3339 text outside.

    `line` is the number of ours: the called one, or the caller ID we dial with. An outbound call
    has no `provider_call_id` until the provider has given one. `trunk` is the name of the trunk
    that it goes through; `routes`: all trunks that may place it, if there are several.
    `agent_detail`: why the agent at `agent_url` was not reached, None if it was. `voice`: who
    speaks in the call, until it is answered who shall; `voice_host`: the URL of the voice host that
    keeps a place for it; `voice_detail`: why it was not answered at once though its number is.
    `far_end_held`: whether the far end has put it on hold, as the provider's status post number
    `far_end_hold_sequence` says.
    `caller_name`, `stir_verstat` and `sip_headers`: see `common/sip_headers.py`.
    `media_line`: who its far end talks to. A `transfer_leg` calls the third party of a transfer of
    `parent_call_id`.
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
    caller_name: str | None = None
    stir_verstat: str | None = None
    sip_headers: dict[str, str] | None = None
    provider: str
    provider_call_id: str | None = None
    trunk_id: str | None = None
    trunk: str | None = None
    routes: tuple[Route, ...] = ()
    agent_url: str | None = None
    agent_detail: str | None = None
    voice: Voice = "own"
    voice_settings: VoiceSettings | None = None
    voice_host: str | None = None
    voice_detail: str | None = None
    media_line: CallLine = USUAL_LINE
    kind: Literal["transfer_leg"] | None = None
    parent_call_id: str | None = None
    auto_answer: bool = False
    created_at: Instant
    updated_at: Instant
    ring_deadline: Instant
    answered_at: Instant | None = None
    ended_at: Instant | None = None
    max_duration_s: int = DEFAULT_MAX_DURATION_S
    far_end_held: bool = False
    far_end_hold_sequence: int | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    recordings: CallRecordings = NOT_RECORDED
    detection: Detection = NOT_DETECTED
    history: tuple[HistoryEntry, ...] = ()

    @property
    def media_expiry(self) -> int:
        """Return when the call's media items and tokens expire (epoch s)."""
        return self.ring_deadline // 1000 + self.max_duration_s

    @property
    def ends_at(self) -> int | None:
        """Return when the maximum duration is over (epoch ms); None before the answer."""
        return None if self.answered_at is None else self.answered_at + self.max_duration_s * 1000


@dataclass(frozen=True)
class Transition:
    """The result of a transition: the call after it, and its event. `earlier`: events of what came
    to an end with it; `later`: of what has begun with it.
    """

    call: Call
    event: Event
    earlier: tuple[Event, ...] = ()
    later: tuple[Event, ...] = ()


@dataclass(frozen=True)
class LineChange:
    """The result of a change of a call's line: the call after it, and the events."""

    call: Call
    events: tuple[Event, ...]


class Refused(Failure):
    """The act is not possible. `call` is the call as it is, `code` the stable word for the
    reason.
    """

    member_names = ("call",)

    def __init__(self, call: Call, code: str, detail: str) -> None:
        super().__init__(detail)
        self.call, self.code, self.detail = call, code, detail


def apply(
    call: Call, act: Act, now: int, sip_code: int | None = None, voice: CallVoice | None = None
) -> Transition:
    """Return `call` after `act` at `now` (epoch ms). `sip_code`: the far end's answer, if it is
    known; `voice`: who speaks from now on, if that is new. Raises Refused if the act is not
    possible (any more).
    """
    move = MOVES[call.direction].get(act, {}).get(call.state)
    if move is None:
        raise Refused(call, *_why_not(call, act))
    if act is Act.ANSWER and call.direction == "inbound" and now >= call.ring_deadline:
        raise Refused(call, "ring_deadline_passed", "The call rang for 60 seconds: it is missed.")
    if act is Act.EXPIRE and now < call.ring_deadline:
        raise Refused(call, "still_ringing", "The ring deadline is not over yet.")
    before, earlier = (call, ()) if not move[0].final else _with_line(call, end_line, now)
    after = moved(before, *move, now)
    if voice is not None:
        after = after.model_copy(update=voice.members())
    if sip_code is not None:
        after = after.model_copy(update={"sip_code": sip_code})
    return Transition(after, call_event(after), earlier, recording_begun(call, after))


def change_line(call: Call, act: LineAct, now: int, **facts: Any) -> LineChange:
    """Return an active call after an act on its line, at `now` (epoch ms), with its events; `facts`
    are those of `call_line.changed`. Raises Refused.
    """
    if call.state is not CallState.ACTIVE:
        raise Refused(call, *_why_not(call, Act.MAX_DURATION))
    try:
        return LineChange(*_with_line(call, lambda line: changed(line, act, **facts), now))
    except LineRefused as refused:
        raise Refused(call, refused.code, refused.detail) from None


def _with_line(
    call: Call, change: Callable[[CallLine], CallLine], now: int
) -> tuple[Call, tuple[Event, ...]]:
    """Return the call with its line changed, and the events of that: each a millisecond later than
    the one before, so that they stay in order.
    """
    after = change(call.media_line)
    if after == call.media_line:
        return call, ()
    at, told = max(now, call.updated_at + 1), what_happened(call.media_line, after)
    events = tuple(
        Event(
            event_id=event_id(call.call_id.removeprefix("call_"), f"L{after.number}", what.value),
            type=what,
            account_id=call.account_id,
            at=at + place,
            call_id=call.call_id,
            data={"call_id": call.call_id, **data},
        )
        for place, (what, data) in enumerate(told)
    )
    updated_at = at + max(0, len(told) - 1)
    return call.model_copy(update={"media_line": after, "updated_at": updated_at}), events


def recording_begun(before: Call, after: Call) -> tuple[Event, ...]:
    """Return the event of the recording that has begun since `before`, if one has."""
    current = after.recordings.current
    if current is None or before.recordings.begun == after.recordings.begun:
        return ()
    return (started_event(after.account_id, after.call_id, current),)


def public_view(call: Call) -> dict[str, Any]:
    """Return the call as REST, events and webhooks show it (JSON types only). Not the agent's URL:
    such URLs hold tokens, and events go to more places than that one. `agent_detail`, `trunk`, what
    is told of the caller and what is about a hosted voice are there only if there is something to
    say: each byte of an event is paid for.
    """
    kept = {"account_id", "trunk_id", "routes", "agent_url", "voice_host", "media_line"}
    kept |= {"recordings", "detection", "far_end_held", "far_end_hold_sequence"}
    kept |= {name for name in _IF_SET if getattr(call, name) is None}
    if call.voice == "own":
        kept |= {"voice", "voice_settings"}
    view = call.model_dump(mode="json", exclude=kept)
    more = {**_line_view(call), **call_view(call.recordings), **detection_view(call.detection)}
    return {**view, **more, "capabilities": list(CAPABILITIES)}


def _line_view(call: Call) -> dict[str, Any]:
    """Return who holds the call, ourselves first, and its transfer, if there are any."""
    line = call.media_line
    held: dict[str, Any] = {}
    if line.mode == "hold":
        held = {"hold": line.by}
    elif call.far_end_held and call.state is CallState.ACTIVE:
        held = {"hold": "far_end"}
    return held if line.transfer is None else {**held, "transfer": transfer_view(line.transfer)}


def moved(call: Call, state: CallState, reason: EndReason | None, now: int) -> Call:
    """Return the call in another state, with one more entry in its history."""
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
        changes["recordings"] = at_the_answer(call.recordings, call.call_id, at)
    if state.final:
        changes["ended_at"] = at
        changes["recordings"] = ended_with_call(call.recordings)
    return call.model_copy(update=changes)


def moved_on(call: Call, trunk_id: str) -> Route | None:
    """Return the route that a call has gone on to, if `trunk_id` is of one that comes after its
    present one: posts of a provider may come late.
    """
    ids = [route.trunk_id for route in call.routes]
    if trunk_id not in ids or call.trunk_id not in ids:
        return None
    at, now = ids.index(trunk_id), ids.index(call.trunk_id or "")
    return call.routes[at] if at > now else None


def call_event(call: Call) -> Event:
    """Return the event of the state that a call has come to."""
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
        return "call_over", why_over(call.end_reason, call.direction)
    if act not in MOVES[call.direction]:
        return f"call_{call.direction}", f"That is not for {call.direction} calls."
    if act not in TALKING:
        return "call_not_ringing", f"The call is {call.state}, not ringing."
    return "call_not_active", f"The call is {call.state}, not active."


def media_moved(call: Call, relay: str, now: int) -> Event:
    """Make the event `call.media_moved`: `relay` holds the call's audio from now on, in place of
    another one.
    """
    return Event(
        event_id=event_id(call.call_id.removeprefix("call_"), "media_moved", relay, to_text(now)),
        type=EventType.CALL_MEDIA_MOVED,
        account_id=call.account_id,
        at=now,
        call_id=call.call_id,
        data={"call_id": call.call_id},
    )
