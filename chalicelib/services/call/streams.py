"""Hand out another stream to a call whose stream has ended, as often as that may help."""

from __future__ import annotations

import logging

from chalicelib.domain.call import Call
from chalicelib.domain.call_transitions import Act, CallState
from chalicelib.providers.base import Connect, HangUp, Instruction
from chalicelib.services.call.instructions import provider_token
from chalicelib.services.call.transition import settle
from chalicelib.services.dependencies import Dependencies

log = logging.getLogger(__name__)

LASTING_MS = 10_000
"""A stream that a relay has held this long did work: later breaks are counted from one again."""

STREAMS_AT_ONCE = 2
"""Streams handed out without a pause when one breaks; after these, one a second."""

MAX_STREAMS = 12
"""Streams handed out, none of which lasted, before the call has failed."""


def another_stream(deps: Dependencies, call: Call) -> Instruction:
    """Return the instruction after a call's stream has ended, whichever direction the call has."""
    if call.state is not CallState.ACTIVE:
        return HangUp()
    media = deps.stores.media.get(call.call_id)
    lasted = media.attached_at is not None and deps.now() - media.attached_at >= LASTING_MS
    streams = deps.stores.media.count_stream(call.call_id, call.media_expiry, afresh=lasted)
    if streams > MAX_STREAMS:
        log.error("no stream of the call lasts", extra={"call_id": call.call_id})
        settle(deps, call, Act.MEDIA_LOST)
        return HangUp()
    pause_s = 0 if streams <= STREAMS_AT_ONCE else 1
    return Connect(provider_token(deps, call), pause_s)
