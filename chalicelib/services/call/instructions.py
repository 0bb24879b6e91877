"""Instructions for the provider: what it shall do with a call next, derived from the call's state.

Used by the answers to its webhooks (`ring.py`, `outbound.py`), and by requests that tell it sooner
(`provider_control.py`).
"""

from __future__ import annotations

from chalicelib.domain.call import Call
from chalicelib.domain.call_transitions import CallState
from chalicelib.providers.base import Connect, HangUp, Instruction, KeepRinging, Reject
from chalicelib.services.dependencies import Dependencies
from common import media_token

NOT_TAKEN = Reject(busy=True)
"""For a call that nobody took: it stays unanswered, and costs nothing (for `<Hangup>` the provider
would answer it first)."""


def instruction(deps: Dependencies, call: Call) -> Instruction:
    """Return what the provider shall do with the call as it is."""
    match call.state:
        case CallState.CONNECTING | CallState.RINGING:
            return KeepRinging()
        case CallState.ACTIVE:
            return Connect(provider_token(deps, call))
        case _ if call.direction == "inbound" and call.answered_at is None:
            return NOT_TAKEN
        case _:
            return HangUp()


def while_ringing(deps: Dependencies, call: Call) -> Instruction:
    """Return what the provider shall do with an inbound call that it has not answered yet.

    Such a call may be over here though it was accepted: the provider never got to know of the
    accept.
    """
    return NOT_TAKEN if call.state.final else instruction(deps, call)


def provider_token(deps: Dependencies, call: Call) -> str:
    """Return the token of the provider's stream: good as long as the call can last."""
    return media_token.issue(deps.secrets.media, call.call_id, "provider", call.media_expiry)
