"""Change a call, in the only way there is: read, decide by the domain's rules, write if unchanged.

A lost write is not an error: the loser reads the call again and decides again, until the rules
refuse the act. A call has few transitions, so this ends soon. After a collision of transactions,
which changes nothing, it pauses for a moment.
"""

from __future__ import annotations

import logging

from chalicelib.domain.call import Call, Refused, apply
from chalicelib.domain.call_id import CALL_ID
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


def act_on(
    deps: Dependencies,
    call: Call,
    act: Act,
    sip_code: int | None = None,
    voice: CallVoice | None = None,
) -> Call:
    """Write the transition of `act` together with its event; return the call after it. `voice`: who
    speaks from now on, if that is new. Raises Refused if the rules forbid it.
    """
    for _ in range(MAX_TRIES):
        now = deps.now()
        moved = apply(call, act, now, sip_code, voice)
        try:
            deps.stores.calls.move(call, moved, now)
        except Stale as stale:
            call = stale.call or _read_again(deps, call)
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


def settle(
    deps: Dependencies,
    call: Call,
    act: Act,
    sip_code: int | None = None,
    voice: CallVoice | None = None,
) -> Call:
    """Do as `act_on` does, for acts that may come too late; return the call as it is afterwards,
    whoever won.
    """
    try:
        return act_on(deps, call, act, sip_code, voice)
    except Refused as refused:
        return refused.call


def _free_places(deps: Dependencies, call: Call) -> None:
    """Free the places of a call that is over. A voice host frees that of a call which was answered
    when its audio ends.
    """
    give_back(deps, call)
    if call.voice_host is not None and call.answered_at is None and deps.voice_hosts is not None:
        deps.voice_hosts.release(call.call_id)


def _read_again(deps: Dependencies, call: Call) -> Call:
    step_aside()
    current = deps.stores.calls.get(call.call_id)
    if current is None:
        raise UnknownCall(call.call_id)
    return current


def own_incoming_call(deps: Dependencies, account_id: str, call_id: str) -> Call:
    """Return the account's call, which came in. Raises Refused for a call that it dialled: only the
    called party can answer that.
    """
    call = own_call(deps, account_id, call_id)
    if call.direction != "inbound":
        raise Refused(call, "call_outbound", "You dialled this call: its called party answers it.")
    return call


def own_call(deps: Dependencies, account_id: str, call_id: str) -> Call:
    """Return the account's call. Raises UnknownCall for none and for somebody else's alike."""
    call = deps.stores.calls.get(call_id) if CALL_ID.fullmatch(call_id) else None
    if call is None or call.account_id != account_id:
        raise UnknownCall(call_id)
    return call
