"""Handle the provider's posts about a call that we dialled: it rings, it is answered, it is over.

Each post has the id of our call, in its URL's query, and the provider's id, which may be new to us:
the first post can come before the provider has answered the request that placed the call. A post
that comes twice, late or out of order changes nothing that is done.
"""

from __future__ import annotations

import logging

from chalicelib.domain.call import Call, moved_on
from chalicelib.domain.call_transitions import Act, CallState
from chalicelib.domain.voice import CallVoice
from chalicelib.providers.base import OVER, CallStatus, Instruction
from chalicelib.services.call.instructions import instruction
from chalicelib.services.call.provider_control import hang_up
from chalicelib.services.call.streams import another_stream
from chalicelib.services.call.transition import TooBusy, UnknownCall, settle
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.calls import BoundElsewhere
from chalicelib.store.contention import tries
from chalicelib.store.table import Contention

log = logging.getLogger(__name__)

DECLINED_CODES = (603, 607, 608)
"""SIP codes by which the called party, or a service that screens its calls, declines (RFC 3261,
8197, 8688)."""

_ACT_OF_END = {
    CallStatus.BUSY: Act.BUSY,
    CallStatus.NO_ANSWER: Act.NO_ANSWER,
    CallStatus.COMPLETED: Act.CALLEE_HANGUP,
}
"""Acts of the statuses that end a call. For `failed` the act follows from the SIP code. `canceled`
is a failure of the provider: a call that we cancelled is over already."""

BIND_TRIES = 30


def answered(
    deps: Dependencies,
    provider: str,
    call_id: str,
    provider_call_id: str,
    trunk_id: str | None = None,
) -> Instruction:
    """Answer a call whose called party has picked up; return the provider's instruction.
    `trunk_id`: the trunk that it goes through, if the post names one.
    """
    call = call_of(deps, provider, call_id, provider_call_id, trunk_id)
    return instruction(deps, settle(deps, call, Act.ANSWER, voice=_voice(deps, call)))


def _voice(deps: Dependencies, call: Call) -> CallVoice | None:
    if call.voice_host is None:
        return None
    from chalicelib.services.call import voice  # most calls need none of it

    return voice.renew_place(deps, call)


def resume(deps: Dependencies, provider: str, call_id: str, provider_call_id: str) -> Instruction:
    """Handle the after-stream webhook, as for calls that came in."""
    return another_stream(deps, call_of(deps, provider, call_id, provider_call_id))


def handle_status(  # noqa: PLR0913, PLR0917 - the facts of a post
    deps: Dependencies,
    provider: str,
    call_id: str,
    provider_call_id: str,
    status: CallStatus,
    sip_code: int | None,
    trunk_id: str | None = None,
) -> None:
    """Handle the status webhook. The answer of a call is told by `answered` alone."""
    call = call_of(deps, provider, call_id, provider_call_id, trunk_id)
    if status in OVER:
        call = settle(deps, call, _end(deps, call, status, sip_code), sip_code)
        if not call.state.final:
            # Such as "busy" for a call that is active here: the call is over all the same.
            settle(deps, call, Act.PROVIDER_FAILED, sip_code)
        return
    if status == CallStatus.RINGING:
        call = settle(deps, call, Act.RING)
    if call.state.final:
        # It ended here before we had the id by which to hang it up there.
        hang_up(deps, call)


def bind(deps: Dependencies, call: Call, provider_call_id: str) -> Call:
    """Note the provider's id of a call; return the call. Raises UnknownCall if it has another
    one.
    """
    if call.provider_call_id == provider_call_id:
        return call
    for _ in tries(BIND_TRIES):
        try:
            return deps.stores.calls.bind(call.call_id, provider_call_id)
        except BoundElsewhere:
            raise UnknownCall(call.call_id) from None
        except Contention:
            continue
    raise TooBusy(call.call_id)


def call_of(
    deps: Dependencies,
    provider: str,
    call_id: str,
    provider_call_id: str,
    trunk_id: str | None = None,
) -> Call:
    """Return the call that a post is about, on the trunk that the post names. Raises UnknownCall
    for any that is not the provider's own.
    """
    call = deps.stores.calls.get(call_id)
    if call is None or call.direction != "outbound" or call.provider != provider:
        raise UnknownCall(call_id)
    return _on_trunk(deps, bind(deps, call, provider_call_id), trunk_id)


def _on_trunk(deps: Dependencies, call: Call, trunk_id: str | None) -> Call:
    """Note that a call has gone on to another of its routes, if it has; return the call."""
    for _ in tries(BIND_TRIES):
        route = moved_on(call, trunk_id) if trunk_id else None
        if route is None:
            return call
        log.info("call goes on", extra={"call_id": call.call_id, "trunk_id": trunk_id})
        try:
            return deps.stores.calls.note_route(call, route)
        except Contention:
            call = deps.stores.calls.get(call.call_id) or call
    raise TooBusy(call.call_id)


def _end(deps: Dependencies, call: Call, status: CallStatus, sip_code: int | None) -> Act:
    if sip_code in DECLINED_CODES:
        return Act.CALLEE_DECLINED
    if status == CallStatus.FAILED and call.state is CallState.ACTIVE:
        return Act.MEDIA_LOST  # the provider has lost the line: neither side hung up
    if status == CallStatus.COMPLETED and call.ends_at is not None and deps.now() >= call.ends_at:
        return Act.MAX_DURATION  # the provider's own limit
    if status == CallStatus.FAILED and sip_code is not None:
        return Act.REJECTED
    return _ACT_OF_END.get(status, Act.PROVIDER_FAILED)
