"""The agent refuses a ringing call; the caller hears that they were declined."""

from __future__ import annotations

from chalicelib.domain.call import Call
from chalicelib.domain.call_moves import Act
from chalicelib.services.nudge import steer
from chalicelib.services.ports import Ports
from chalicelib.services.transition import act_on, own_incoming_call


def refuse(ports: Ports, account_id: str, call_id: str) -> Call:
    """The call, declined. Refused if it does not ring (any more)."""
    call = act_on(ports, own_incoming_call(ports, account_id, call_id), Act.DECLINE)
    steer(ports, call)
    return call
