"""The agent accepts a ringing call."""

from __future__ import annotations

import logging

from chalicelib.domain.call import Call, Refused
from chalicelib.domain.call_moves import Act
from chalicelib.services.nudge import steer
from chalicelib.services.ports import Ports
from chalicelib.services.transition import act_on, own_incoming_call, settle

log = logging.getLogger(__name__)


def accept(ports: Ports, account_id: str, call_id: str) -> Call:
    """The call, active. Refused if somebody or something else was faster.

    An accept after the deadline finds the call still ringing when nothing has expired it yet; it
    does so itself, so that the refusal shows what the call has become.
    """
    call = own_incoming_call(ports, account_id, call_id)
    try:
        call = act_on(ports, call, Act.ANSWER)
    except Refused as refused:
        if refused.code != "ring_deadline_passed":
            raise
        missed = settle(ports, refused.call, Act.EXPIRE)
        raise Refused(missed, refused.code, refused.detail) from None
    if not steer(ports, call):
        _leave_to_polls(ports, call)
    return call


def _leave_to_polls(ports: Ports, call: Call) -> None:
    try:
        ports.calls.leave_to_polls(call.call_id, call.media_expiry)
    except Exception:
        # The call is answered; unmarked, the polls only wait a little longer before they connect.
        log.exception("not left to polls", extra={"call_id": call.call_id})
