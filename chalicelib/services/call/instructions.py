"""Instructions for the provider: what it shall do with a call next, derived from the call's state.

Used by the answers to its webhooks (`ring.py`, `outbound.py`), and by requests that tell it sooner
(`provider_control.py`).
"""

from __future__ import annotations

import logging

from chalicelib.domain.call import Call
from chalicelib.domain.call_transitions import Act, CallState
from chalicelib.providers.base import Connect, HangUp, Instruction, KeepRinging, Reject
from chalicelib.services.call.transition import settle
from chalicelib.services.dependencies import Dependencies
from common import media_token

log = logging.getLogger(__name__)

NOT_TAKEN = Reject(busy=True)
"""For a call that nobody took: it stays unanswered, and costs nothing (for `<Hangup>` the provider
would answer it first)."""

LASTING_MS = 10_000
"""A stream that a relay has held this long did work: later breaks are counted from one again."""

STREAMS_AT_ONCE = 2
"""Streams handed out without a pause when one breaks; after these, one a second."""

MAX_STREAMS = 12
"""Streams handed out, none of which lasted, before the call has failed."""


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


def another_stream(deps: Dependencies, call: Call) -> Instruction:
    """Return the instruction after a call's stream has ended, whichever direction the call has."""
    if call.state is not CallState.ACTIVE:
        return HangUp()
    media = deps.stores.calls.media(call.call_id)
    lasted = media.attached_at is not None and deps.now() - media.attached_at >= LASTING_MS
    streams = deps.stores.calls.count_stream(call.call_id, call.media_expiry, afresh=lasted)
    if streams > MAX_STREAMS:
        log.error("no stream of the call lasts", extra={"call_id": call.call_id})
        settle(deps, call, Act.MEDIA_LOST)
        return HangUp()
    pause_s = 0 if streams <= STREAMS_AT_ONCE else 1
    return Connect(provider_token(deps, call), pause_s)


def provider_token(deps: Dependencies, call: Call) -> str:
    """Return the token of the provider's stream: good as long as the call can last."""
    return media_token.issue(deps.secrets.media, call.call_id, "provider", call.media_expiry)
