"""What the provider posts about a call that we dialled: it rings, it is answered, it is over.

Each post names our call, in its URL's query, and the provider's own, which may be news to us: the
first of them can come before the provider has answered the request that placed the call. Whichever
comes twice, late or out of order finds the call where it is and changes nothing that is done.
"""

from __future__ import annotations

import logging
import random
import time

from chalicelib.domain.call import Call
from chalicelib.domain.call_moves import Act, CallState
from chalicelib.providers.base import Instruction
from chalicelib.services.nudge import hang_up
from chalicelib.services.ports import Ports
from chalicelib.services.ring import another_stream, instruction
from chalicelib.services.transition import TooBusy, UnknownCall, settle
from chalicelib.store.calls import BoundElsewhere
from chalicelib.store.table import Contention

log = logging.getLogger(__name__)

DECLINED_CODES = (603, 607, 608)
"""SIP codes by which the called party, or who screens its calls, says no (RFC 3261, 8197, 8688)."""

_ACT_OF_END = {
    "busy": Act.BUSY,
    "no-answer": Act.NO_ANSWER,
    "completed": Act.CALLEE_HANGUP,
}
"""Twilio's words. Of the others `failed` goes by its SIP code; `canceled` was not by us, or the
call would be over."""

_OVER = frozenset({*_ACT_OF_END, "failed", "canceled"})

_BIND_TRIES = 30
_COLLISION_WAIT_S = 0.02


def answered(ports: Ports, provider: str, call_id: str, provider_call_id: str) -> Instruction:
    """The called party has picked up, and the provider asks what to do with them."""
    call = _call_of(ports, provider, call_id, provider_call_id)
    return instruction(ports, settle(ports, call, Act.ANSWER))


def resume(ports: Ports, provider: str, call_id: str, provider_call_id: str) -> Instruction:
    """The after-stream webhook: as for calls that came in."""
    return another_stream(ports, _call_of(ports, provider, call_id, provider_call_id))


def told(  # noqa: PLR0913, PLR0917 - the facts of a post
    ports: Ports,
    provider: str,
    call_id: str,
    provider_call_id: str,
    status: str,
    sip_code: int | None,
) -> None:
    """The status webhook. That it is answered we hear from `answered` alone."""
    call = _call_of(ports, provider, call_id, provider_call_id)
    if status in _OVER:
        call = settle(ports, call, _end(ports, call, status, sip_code), sip_code)
        if not call.state.final:
            # Such as "busy" for a call that we think is answered: over it is.
            settle(ports, call, Act.PROVIDER_FAILED, sip_code)
        return
    if status == "ringing":
        call = settle(ports, call, Act.RING)
    if call.state.final:
        # It ended here before we knew what to hang up there.
        hang_up(ports, call)


def bind(ports: Ports, call: Call, provider_call_id: str) -> Call:
    """The call as it is, with the provider's id on it. UnknownCall if it has another one."""
    if call.provider_call_id == provider_call_id:
        return call
    for _ in range(_BIND_TRIES):
        try:
            return ports.calls.bind(call.call_id, provider_call_id)
        except BoundElsewhere:
            raise UnknownCall(call.call_id) from None
        except Contention:
            time.sleep(random.uniform(0, _COLLISION_WAIT_S))  # noqa: S311 - spreads, guards nothing
    raise TooBusy(call.call_id)


def _call_of(ports: Ports, provider: str, call_id: str, provider_call_id: str) -> Call:
    """The call that a post is about. UnknownCall for any that is not the provider's own."""
    call = ports.calls.get(call_id)
    if call is None or call.direction != "outbound" or call.provider != provider:
        raise UnknownCall(call_id)
    return bind(ports, call, provider_call_id)


def _end(ports: Ports, call: Call, status: str, sip_code: int | None) -> Act:
    if sip_code in DECLINED_CODES:
        return Act.CALLEE_DECLINED
    if status == "failed" and call.state is CallState.ACTIVE:
        return Act.MEDIA_LOST  # the provider has lost the line: neither side hung up
    if status == "completed" and call.ends_at is not None and ports.now() >= call.ends_at:
        return Act.MAX_DURATION  # the provider's own limit
    if status == "failed" and sip_code is not None:
        return Act.REJECTED
    return _ACT_OF_END.get(status, Act.PROVIDER_FAILED)
