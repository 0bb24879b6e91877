"""The ring deadline: what Step Functions runs when a call has rung for 60 seconds, or when an
outbound one has neither been answered nor given up by the provider in its time.
"""

from __future__ import annotations

import logging

from chalicelib.domain.call import Call, Refused
from chalicelib.domain.call_moves import Act, CallState, EndReason
from chalicelib.services.nudge import hang_up
from chalicelib.services.ports import Ports
from chalicelib.services.transition import UnknownCall, act_on

log = logging.getLogger(__name__)


class StillRinging(Exception):
    """Asked before the deadline (clocks differ a little): to be asked again in a moment."""


def expire(ports: Ports, call_id: str) -> Call:
    """The call, missed (outbound: failed, `no_answer`) if nobody had answered it, else as it is.
    StillRinging if it is too early.
    """
    call = ports.calls.get(call_id)
    if call is None:
        raise UnknownCall(call_id)
    try:
        over = act_on(ports, call, Act.EXPIRE)
    except Refused as refused:
        if refused.code == "still_ringing":
            raise StillRinging(call_id) from None
        log.info("ring deadline: the call is %s already", refused.call.state.value)
        return refused.call
    hang_up(ports, over)
    return over


def outcome(call: Call) -> str:
    """How the ringing ended, in the state machine's words: `missed`, `answered` or `gone`."""
    if call.state is CallState.MISSED or call.end_reason is EndReason.NO_ANSWER:
        return "missed"
    return "answered" if call.answered_at is not None else "gone"
