"""Make a transition of a call, and what follows from it for the call that it is joined with."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.domain.call import Call, Refused
from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.voice import CallVoice
from chalicelib.services.call.call_writes import TooBusy, UnknownCall, move
from chalicelib.services.dependencies import Dependencies

__all__ = ["TooBusy", "UnknownCall", "act_on", "follow", "own_call", "own_incoming_call", "settle"]


def follow(deps: Dependencies, call: Call) -> Call:
    """Take the steps that are due for the call and the one that it is to be joined with, if it
    belongs to a transfer; return the call as it is then. Never raises.
    """
    if call.parent_call_id is None and call.media_line.transfer is None:
        return call
    from chalicelib.services.call import pair  # most calls need none of it

    return pair.follow(deps, call)


def act_on(  # noqa: PLR0913, PLR0917 - the facts of a transition
    deps: Dependencies,
    call: Call,
    act: Act,
    sip_code: int | None = None,
    voice: CallVoice | None = None,
    unless: Callable[[Call], bool] | None = None,
) -> Call:
    """Write the transition of `act` together with its event; return the call after it. `voice`: who
    speaks from now on, if that is new. Raises Refused if the rules forbid it, or `unless` is true
    of the call as it is then.
    """
    return follow(deps, move(deps, call, act, sip_code, voice, unless))


def settle(  # noqa: PLR0913, PLR0917 - the facts of a transition
    deps: Dependencies,
    call: Call,
    act: Act,
    sip_code: int | None = None,
    voice: CallVoice | None = None,
    unless: Callable[[Call], bool] | None = None,
) -> Call:
    """Do as `act_on` does, for acts that may come too late; return the call as it is afterwards,
    whoever won.
    """
    try:
        return act_on(deps, call, act, sip_code, voice, unless)
    except Refused as refused:
        return follow(deps, refused.call)


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
