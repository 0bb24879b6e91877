"""The one way in which a call changes: read, decide by the domain's rules, write if unchanged.

Losing the write is not an error: whoever loses looks at the call as it now is and decides again,
which ends in a clear refusal as soon as the rules forbid the act. A call has few transitions in it,
so this ends soon; only collisions of transactions (which change nothing) are waited out.
"""

from __future__ import annotations

import logging
import random
import time

from chalicelib.domain.call import Call, Refused, apply
from chalicelib.domain.call_id import CALL_ID
from chalicelib.domain.call_moves import Act
from chalicelib.services.ports import Ports
from chalicelib.store.calls import Stale

log = logging.getLogger(__name__)

MAX_TRIES = 30
_COLLISION_WAIT_S = 0.02


class UnknownCall(LookupError):
    """No such call (or not the asker's, which must look the same)."""


class TooBusy(RuntimeError):
    """The item was fought over longer than makes sense."""


def act_on(ports: Ports, call: Call, act: Act, sip_code: int | None = None) -> Call:
    """`call` after `act`, written together with its event. Refused if the rules forbid it."""
    for _ in range(MAX_TRIES):
        now = ports.now()
        moved = apply(call, act, now, sip_code)
        try:
            ports.calls.move(call, moved, now)
        except Stale as stale:
            call = stale.call or _read_again(ports, call)
            continue
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


def settle(ports: Ports, call: Call, act: Act, sip_code: int | None = None) -> Call:
    """Like `act_on`, for acts that may come too late: the call as it is afterwards, whoever won."""
    try:
        return act_on(ports, call, act, sip_code)
    except Refused as refused:
        return refused.call


def _read_again(ports: Ports, call: Call) -> Call:
    time.sleep(random.uniform(0, _COLLISION_WAIT_S))  # noqa: S311 - spreads, guards nothing
    current = ports.calls.get(call.call_id)
    if current is None:
        raise UnknownCall(call.call_id)
    return current


def own_incoming_call(ports: Ports, account_id: str, call_id: str) -> Call:
    """The account's call, which came in. Refused for one that it dialled: whether that is taken is
    for the called party to say.
    """
    call = own_call(ports, account_id, call_id)
    if call.direction != "inbound":
        raise Refused(call, "call_outbound", "You dialled this call: its called party answers it.")
    return call


def own_call(ports: Ports, account_id: str, call_id: str) -> Call:
    """The account's call. UnknownCall for none and for somebody else's alike."""
    call = ports.calls.get(call_id) if CALL_ID.fullmatch(call_id) else None
    if call is None or call.account_id != account_id:
        raise UnknownCall(call_id)
    return call
