"""Change a call, in the only way there is: read, decide by the domain's rules, write if unchanged.

A lost write is not an error: the loser reads the call again and decides again, until the rules
refuse the act. A call has few transitions, so this ends soon. After a collision of transactions,
which changes nothing, it pauses for a moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from chalicelib.domain.call import Call, LineChange, Refused, apply, change_line
from chalicelib.domain.call_line import LineAct
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.failure import Failure
from chalicelib.domain.voice import CallVoice
from chalicelib.services.call.admission import give_back
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.calls import Stale
from chalicelib.store.contention import step_aside

log = logging.getLogger(__name__)

MAX_TRIES = 30


class UnknownCall(Failure, LookupError):
    """There is no such call of the account. A call of another account must give the same answer."""

    code = "call_not_found"


class TooBusy(Failure, RuntimeError):
    """Too many other writes changed the item at the same time."""

    code = "too_busy"
    retry_after_s = 1


def move(  # noqa: PLR0913, PLR0917 - the facts of a transition
    deps: Dependencies,
    call: Call,
    act: Act,
    sip_code: int | None = None,
    voice: CallVoice | None = None,
    unless: Callable[[Call], bool] | None = None,
) -> Call:
    """Write the transition of `act` together with its event; return the call after it. Raises
    Refused if the rules forbid it, or `unless` is true of the call as it is then.
    """
    for _ in range(MAX_TRIES):
        now = deps.now()
        if unless is not None and unless(call):
            raise Refused(call, "not_heeded", "The call goes on without that agent.")
        moved = apply(call, act, now, sip_code, voice)
        try:
            deps.stores.calls.move(call, moved, now)
        except Stale as stale:
            call = stale.call or read_again(deps, call)
            continue
        if moved.call.state.final:
            _free_places(deps, moved.call)
        log.info(
            "call %s: %s -> %s",
            act.value,
            call.state.value,
            moved.call.state.value,
            extra={
                "call_id": call.call_id,
                "account_id": call.account_id,
                "state": moved.call.state.value,
                "end_reason": moved.call.end_reason,
            },
        )
        return moved.call
    raise TooBusy(call.call_id)


def change(deps: Dependencies, call: Call, act: LineAct, **facts: Any) -> Call:
    """Write a change of the call's line together with its events; return the call after it, as it
    was if nothing has changed. Raises Refused.
    """
    (after,) = change_together(deps, lambda now, each: [change_line(each, act, now, **facts)], call)
    return after


def change_together(
    deps: Dependencies, decide: Callable[..., list[LineChange]], *calls: Call
) -> list[Call]:
    """Write changes of several calls' lines, all or none; return the calls after them.
    `decide(now, *calls)` returns the changes, and is asked again with the calls as they are after
    another write came in between.
    """
    for _ in range(MAX_TRIES):
        now = deps.now()
        changes = decide(now, *calls)
        due = [each for each in zip(calls, changes, strict=True) if each[0] != each[1].call]
        try:
            if due:
                deps.stores.call_lines.change(now, *due)
        except Stale:
            step_aside()
            calls = tuple(_now(deps, each) for each in calls)
            continue
        for before, changed in due:
            _log_line(before, changed)
        return [each.call for each in changes]
    raise TooBusy(calls[0].call_id)


def read_again(deps: Dependencies, call: Call) -> Call:
    """Return the call as it is after a collision. Raises UnknownCall."""
    step_aside()
    return _now(deps, call)


def _now(deps: Dependencies, call: Call) -> Call:
    current = deps.stores.calls.get(call.call_id)
    if current is None:
        raise UnknownCall(call.call_id)
    return current


def _log_line(before: Call, changed: LineChange) -> None:
    told = ", ".join(event.type.value for event in changed.events) or "no event"
    line = changed.call.media_line
    log.info(
        "line %d: %s (%s)",
        line.number,
        line.mode,
        told,
        extra={"call_id": before.call_id, "account_id": before.account_id},
    )


def _free_places(deps: Dependencies, call: Call) -> None:
    """Free the places of a call that is over. A voice host frees that of a call which was answered
    when its audio ends.
    """
    give_back(deps, call)
    if call.voice_host is not None and call.answered_at is None and deps.voice_hosts is not None:
        deps.voice_hosts.release(call.call_id)
