"""The agent accepts a ringing call."""

from __future__ import annotations

from chalicelib.domain.call import Act, Call, Refused
from chalicelib.services.nudge import steer
from chalicelib.services.ports import Ports
from chalicelib.services.transition import act_on, own_call, settle


def accept(ports: Ports, account_id: str, call_id: str) -> Call:
    """The call, active. Refused if somebody or something else was faster.

    An accept after the deadline finds the call still ringing when nothing has expired it yet; it
    does so itself, so that the refusal shows what the call has become.
    """
    call = own_call(ports, account_id, call_id)
    try:
        call = act_on(ports, call, Act.ANSWER)
    except Refused as refused:
        if refused.code != "ring_deadline_passed":
            raise
        missed = settle(ports, refused.call, Act.EXPIRE)
        raise Refused(missed, refused.code, refused.detail) from None
    steer(ports, call)
    return call
