"""The agent hangs up, whatever the call is doing."""

from __future__ import annotations

from chalicelib.domain.call import Call
from chalicelib.domain.call_moves import Act
from chalicelib.services.nudge import hang_up
from chalicelib.services.ports import Ports
from chalicelib.services.transition import act_on, own_call


def leave(ports: Ports, account_id: str, call_id: str) -> Call:
    """The call, ended. Refused if it is over."""
    call = act_on(ports, own_call(ports, account_id, call_id), Act.AGENT_HANGUP)
    hang_up(ports, call)
    return call
