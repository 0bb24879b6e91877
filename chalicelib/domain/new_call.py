"""Calls as they begin: one that came in, one that we dial."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.call import Call, HistoryEntry, Moved, call_event, moved
from chalicelib.domain.call_id import inbound_call_id, new_call_id
from chalicelib.domain.call_moves import CallState, EndReason

RING_MS = 60_000
"""How long an inbound call rings before it is missed."""

RING_GRACE_MS = 5_000
"""How much later than the provider we give an outbound call up: it is to tell us why itself."""


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
    return Moved(call, call_event(call))


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
    return Moved(call, call_event(call))


def missed_unseen(ringing: Moved) -> Moved:
    """The same call when the caller was gone before we heard of it: born missed."""
    now = ringing.call.created_at
    call = moved(ringing.call, CallState.MISSED, EndReason.CALLER_HANGUP, now)
    history = (HistoryEntry(version=1, state=call.state, at=now, end_reason=call.end_reason),)
    call = call.model_copy(
        update={"version": 1, "updated_at": now, "ended_at": now, "history": history}
    )
    return Moved(call, call_event(call))
