"""New calls: one that came in, one that we dial, one that was missed before we heard of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.domain.answered import DetectAnswer, Detection
from chalicelib.domain.call import (
    DEFAULT_MAX_DURATION_S,
    Call,
    HistoryEntry,
    Route,
    Transition,
    call_event,
    moved,
)
from chalicelib.domain.call_id import inbound_call_id, new_call_id
from chalicelib.domain.call_transitions import CallState, EndReason
from chalicelib.domain.dial_rules import MIN_CALL_S
from chalicelib.domain.recording import Announce, recorded
from chalicelib.domain.trunk import Trunk
from chalicelib.domain.voice import OWN, CallVoice
from common.sip_headers import NO_INTRODUCTION, Introduction

RING_MS = 60_000
"""Time for which an inbound call rings before it is missed."""

RING_TIMEOUT_S = (5, 300)
"""Bounds of the time for which a call that is dialled may ring."""

DEFAULT_RING_TIMEOUT_S = 60

RING_GRACE_MS = 5_000
"""Time that the provider has to tell why an outbound call was not answered, before we end it."""


def new_inbound(  # noqa: PLR0913 - the fields of a call
    *,
    account_id: str,
    provider: str,
    provider_call_id: str,
    from_: str,
    to: str,
    line: str,
    forwarded_from: str | None,
    auto_answer: bool,
    max_duration_s: int = DEFAULT_MAX_DURATION_S,
    now: int,
    agent_url: str | None = None,
    voice: CallVoice = OWN,
    trunk: Trunk | None = None,
    record: Announce | None = None,
    introduction: Introduction = NO_INTRODUCTION,
) -> Transition:
    """Return a call that came in and rings until `now + RING_MS`. `voice`: its number's; `record`:
    how a recording from the answer on is announced, if it is to be recorded.
    """
    call = Call(
        call_id=inbound_call_id(provider, provider_call_id),
        account_id=account_id,
        state=CallState.RINGING,
        direction="inbound",
        from_=from_,
        to=to,
        line=line,
        forwarded_from=forwarded_from,
        **_told(introduction),
        provider=provider,
        provider_call_id=provider_call_id,
        trunk_id=trunk.trunk_id if trunk else None,
        trunk=trunk.name if trunk else None,
        agent_url=agent_url,
        **voice.members(),
        recordings=recorded(record),
        auto_answer=auto_answer,
        max_duration_s=max_duration_s,
        created_at=now,
        updated_at=now,
        ring_deadline=now + RING_MS,
        history=(HistoryEntry(version=1, state=CallState.RINGING, at=now),),
    )
    return Transition(call, call_event(call))


def new_outbound(  # noqa: PLR0913 - the fields of a call
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
    trunk: str | None = None,
    routes: Sequence[Route] = (),
    record: Announce | None = None,
    introduction: Introduction = NO_INTRODUCTION,
    detect_answer: DetectAnswer = "off",
) -> Transition:
    """Return a call that the provider is about to be asked for. `call_id`: a derived id, if there
    is one. `trunk`: the trunk's name; `routes`: all that may place it, that trunk first. `record`:
    as of a call that came in.
    """
    call = Call(
        call_id=call_id or new_call_id(),
        account_id=account_id,
        state=CallState.CONNECTING,
        direction="outbound",
        from_=caller_id,
        to=to,
        line=caller_id,
        **_told(introduction),
        provider=provider,
        trunk_id=trunk_id,
        trunk=trunk,
        routes=tuple(routes) if len(routes) > 1 else (),
        agent_url=agent_url,
        recordings=recorded(record),
        detection=Detection(wanted=detect_answer),
        created_at=now,
        updated_at=now,
        ring_deadline=now + ring_timeout_s * 1000 + RING_GRACE_MS,
        max_duration_s=max_duration_s,
        metadata=metadata,
        history=(HistoryEntry(version=1, state=CallState.CONNECTING, at=now),),
    )
    return Transition(call, call_event(call))


def third_partys(new: Transition, parent: Call) -> Transition:
    """Return a new outbound call as that to the third party of a transfer of `parent`: it lasts no
    longer than that call may.
    """
    ends_at = parent.ends_at or new.call.created_at
    left_s = max(MIN_CALL_S, (ends_at - new.call.created_at) // 1000)
    facts = {"kind": "transfer_leg", "parent_call_id": parent.call_id}
    most = {"max_duration_s": min(new.call.max_duration_s, left_s)}
    call = new.call.model_copy(update={**facts, **most})
    return Transition(call, call_event(call))


def speaking(new: Transition, voice: CallVoice) -> Transition:
    """Return a new call with the voice that it is dialled with."""
    call = new.call.model_copy(update=voice.members())
    return Transition(call, call_event(call))


def _told(introduction: Introduction) -> dict[str, Any]:
    return {
        "caller_name": introduction.caller_name or None,
        "stir_verstat": introduction.stir_verstat or None,
        "sip_headers": dict(introduction.headers) or None,
    }


def new_missed(ringing: Transition) -> Transition:
    """Return the call as missed from the beginning: the caller was gone before we heard of the
    call.
    """
    now = ringing.call.created_at
    call = moved(ringing.call, CallState.MISSED, EndReason.CALLER_HANGUP, now)
    history = (HistoryEntry(version=1, state=call.state, at=now, end_reason=call.end_reason),)
    call = call.model_copy(
        update={"version": 1, "updated_at": now, "ended_at": now, "history": history}
    )
    return Transition(call, call_event(call))
