"""Accept, decline, leave and expire a call: the acts of its agent, and of its ring deadline.

Each is one transition (`services/call/transition.py`), then the provider is told
(`services/call/provider_control.py`).
"""

from __future__ import annotations

import logging

from chalicelib.domain.call import Call, Refused
from chalicelib.domain.call_transitions import Act, CallState, EndReason
from chalicelib.domain.recording import AS_USUAL, WantedRecording
from chalicelib.domain.voice import USUAL, CallVoice, WantedVoice
from chalicelib.services.call.provider_control import hang_up, steer
from chalicelib.services.call.relay_news import tell_relay
from chalicelib.services.call.transition import (
    UnknownCall,
    act_on,
    own_call,
    own_incoming_call,
    settle,
)
from chalicelib.services.dependencies import Dependencies

log = logging.getLogger(__name__)


class StillRinging(Exception):
    """The ring deadline is not over yet (clocks differ a little): try again in a moment."""


def accept(
    deps: Dependencies,
    account_id: str,
    call_id: str,
    wanted: WantedVoice = USUAL,
    recording: WantedRecording = AS_USUAL,
) -> Call:
    """Accept a ringing call with the voice and the recording that are wanted; return it, active.
    Raises Refused if another act was faster, and what `services/call/voice.py` and `recordings.py`
    raise if there is no such voice or no room.

    An accept after the deadline may find the call still ringing, since nothing has expired it yet.
    Then it expires the call itself, so that the refusal shows the call as missed.
    """
    call = own_incoming_call(deps, account_id, call_id)
    if recording != AS_USUAL:
        call = _recorded(deps, call, recording)
    voice = _voice(deps, call, wanted)
    try:
        call = act_on(deps, call, Act.ANSWER, voice=voice)
    except Refused as refused:
        if voice is not None:
            _give_up(deps, voice, refused.call)
        if refused.code != "ring_deadline_passed":
            raise
        missed = settle(deps, refused.call, Act.EXPIRE)
        raise Refused(missed, refused.code, refused.detail) from None
    if not steer(deps, call):
        _leave_to_polls(deps, call)
    return call


def decline(deps: Dependencies, account_id: str, call_id: str) -> Call:
    """Decline a ringing call; return it. The caller hears busy. Raises Refused if it does not
    ring.
    """
    call = act_on(deps, own_incoming_call(deps, account_id, call_id), Act.DECLINE)
    steer(deps, call)
    return call


def leave(deps: Dependencies, account_id: str, call_id: str) -> Call:
    """Hang up for the agent, whatever the call is doing; return it. Raises Refused if it is
    over.
    """
    call = act_on(deps, own_call(deps, account_id, call_id), Act.AGENT_HANGUP)
    hang_up(deps, call)
    tell_relay(deps, call)
    return call


def expire(deps: Dependencies, call_id: str) -> Call:
    """End a call whose ring deadline has passed; return it. Step Functions runs this.

    The call is missed (outbound: failed, `no_answer`) if nobody had answered it, else as it is.
    Raises StillRinging if it is too early.
    """
    call = deps.stores.calls.get(call_id)
    if call is None:
        raise UnknownCall(call_id)
    try:
        over = act_on(deps, call, Act.EXPIRE)
    except Refused as refused:
        if refused.code == "still_ringing":
            raise StillRinging(call_id) from None
        log.info("ring deadline: the call is %s already", refused.call.state.value)
        return refused.call
    hang_up(deps, over)
    return over


def ring_outcome(call: Call) -> str:
    """Return how the ringing ended, for the state machine: `missed`, `answered` or `gone`."""
    if call.state is CallState.MISSED or call.end_reason is EndReason.NO_ANSWER:
        return "missed"
    return "answered" if call.answered_at is not None else "gone"


def _recorded(deps: Dependencies, call: Call, wanted: WantedRecording) -> Call:
    """Return a call that is about to be answered, to be recorded as is wanted."""
    announce = wanted.over(call.recordings.wanted)
    if announce is not None:
        from chalicelib.services.call.recordings import check_room

        check_room(deps, call.account_id)
    recordings = call.recordings.model_copy(update={"wanted": announce})
    return call.model_copy(update={"recordings": recordings})


def _voice(deps: Dependencies, call: Call, wanted: WantedVoice) -> CallVoice | None:
    """Return the voice that the call is accepted with, None if it is the agent's own as usual. No
    place is taken for a call that cannot be accepted any more.
    """
    usual = wanted.voice is None and wanted.settings is None and call.voice == "own"
    if call.state is not CallState.RINGING or deps.now() >= call.ring_deadline:
        return None
    if usual and not (wanted.text_only and deps.voice_hosts is not None):
        return None
    from chalicelib.services.call import voice  # most calls need none of it

    return voice.take_place(deps, call, wanted)


def _give_up(deps: Dependencies, taken: CallVoice, call: Call) -> None:
    from chalicelib.services.call import voice

    voice.give_up(deps, taken, call)


def _leave_to_polls(deps: Dependencies, call: Call) -> None:
    try:
        deps.stores.media.leave_to_polls(call.call_id, call.media_expiry)
    except Exception:
        # The call is answered; without the mark, polls only connect a little later.
        log.exception("not left to polls", extra={"call_id": call.call_id})
