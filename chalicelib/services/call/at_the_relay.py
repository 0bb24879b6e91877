"""Ask the relay that holds a call to do something, and turn its refusals into failures.

Nothing depends on the relay alone: the table has the call's state.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import chain, repeat
from typing import Any

from chalicelib.domain.call import Call, Refused
from chalicelib.domain.call_transitions import CallState
from chalicelib.domain.failure import Failure
from chalicelib.domain.voice import UnknownLanguage, UnknownVoice
from chalicelib.providers.relay_door import REQUEST, DoorRefused, DoorUnavailable
from chalicelib.providers.voice_hosts import MAX_CHOICE, MAX_CHOICES
from chalicelib.services.call.transition import TooBusy
from chalicelib.services.call.waits import waiting
from chalicelib.services.dependencies import Dependencies

log = logging.getLogger(__name__)

MEDIA_WAIT_S = 4.0
"""Time for which a request waits for the stream of a call that was just answered."""

_PAUSES_S = (0.1, 0.2, 0.4, 0.8)
"""Before a relay that has no stream yet is asked again; the last one again and again. Most streams
come within half a second, and the relay remembers the id of each request for two minutes.
"""


class NoMedia(Failure):
    """No stream of the call is up, or no agent that could do it is there yet."""

    code = "no_media"
    retry_after_s = 1


class MediaUnavailable(Failure):
    """No relay answers."""

    code = "media_unavailable"
    retry_after_s = 2


class MediaTimeout(Failure):
    """The relay, or the voice host, did not answer in time: it may have been done."""

    code = "media_timeout"


class QueueFull(Failure):
    """Nothing more may wait to be heard."""

    code = "queue_full"
    retry_after_s = 2


class SynthesisFailed(Failure):
    """The voice host could not speak the text."""

    code = "synthesis_failed"


class NotHosted(Failure):
    """Another agent has the call's audio, not a voice host."""

    code = "not_hosted"


_NOT_YET = frozenset({"not_here", "no_stream", "no_agent"})

_FAILURES: dict[str, type[Failure]] = {
    **dict.fromkeys(_NOT_YET, NoMedia),
    "no_requests": NotHosted,
    **dict.fromkeys(("timeout", "agent_lost"), MediaTimeout),
    **dict.fromkeys(("queue_full", "slow_provider"), QueueFull),
    "synthesis_failed": SynthesisFailed,
}


def check_active(call: Call) -> None:
    """Raise Refused for a call that is not active."""
    if call.state.final:
        raise Refused(call, "call_over", "The call is over.")
    if call.state is not CallState.ACTIVE:
        raise Refused(call, "call_not_active", "Nobody has answered it yet.")


def check_heard(call: Call) -> None:
    """Raise Refused for a call whose far end does not hear the agent at the moment."""
    if call.media_line.mode != "agent":
        raise _not_heard(call)


def _not_heard(call: Call) -> Refused:
    if call.media_line.mode == "bridge":
        return Refused(call, "call_transferred", "The two parties talk to each other.")
    return Refused(call, "call_held", "The far end is on hold, and hears nobody.")


def ask_host(
    deps: Dependencies, call: Call, method: str, params: Mapping[str, Any], wait_s: float = 0
) -> dict[str, Any]:
    """Have the call's voice host do something; return its result. Raises as `ask` does."""
    return ask(deps, call, REQUEST, {"method": method, "params": params}, wait_s)


def ask(
    deps: Dependencies, call: Call, method: str, params: Mapping[str, Any], wait_s: float = 0
) -> dict[str, Any]:
    """Have the relay that holds an active call do something; return the result.

    A call that was just answered has no stream for a moment, so the relay is asked again until
    `MEDIA_WAIT_S` have passed, which count towards `wait_s`. Meanwhile the request has one of the
    account's places for requests that wait; with a `wait_s` it has one already. Raises NoMedia,
    MediaUnavailable, MediaTimeout, QueueFull, SynthesisFailed, NotHosted, UnknownVoice,
    UnknownLanguage, TooBusy, TooManyWaits, and Refused if the call is over.
    """
    began = deps.now()
    try:
        return _ask_once(deps, call, method, params, wait_s)
    except NoMedia:
        if _passed_s(deps, began) >= MEDIA_WAIT_S:
            raise
    with waiting(deps, call.account_id, 0 if wait_s > 0 else MEDIA_WAIT_S):
        return _ask_again(deps, call, method, params, wait_s, began)


def _ask_again(  # noqa: PLR0913, PLR0917 - a request, and when it began
    deps: Dependencies,
    call: Call,
    method: str,
    params: Mapping[str, Any],
    wait_s: float,
    began: int,
) -> dict[str, Any]:
    pauses = chain(_PAUSES_S, repeat(_PAUSES_S[-1]))
    while True:
        deps.pause(next(pauses))
        call = deps.stores.calls.get(call.call_id) or call
        check_active(call)
        try:
            left_s = max(0.0, wait_s - _passed_s(deps, began))
            return _ask_once(deps, call, method, params, left_s)
        except NoMedia:
            if _passed_s(deps, began) >= MEDIA_WAIT_S:
                raise


def _passed_s(deps: Dependencies, began: int) -> float:
    return (deps.now() - began) / 1000


def _ask_once(
    deps: Dependencies, call: Call, method: str, params: Mapping[str, Any], wait_s: float
) -> dict[str, Any]:
    if deps.relay_door is None:
        log.error("no relay can be asked: CHAMADE_RELAY_DOOR_URL is not set")
        raise MediaUnavailable
    owner = deps.stores.media.get(call.call_id).door_url
    try:
        return deps.relay_door.ask(call.call_id, owner, method, params, wait_s)
    except DoorUnavailable as failed:
        log.warning("relays not reached: %s", failed, extra={"call_id": call.call_id})
        raise MediaUnavailable from None
    except DoorRefused as refused:
        raise _failure(deps, call, refused) from None


def _failure(deps: Dependencies, call: Call, refused: DoorRefused) -> Exception:
    choices = refused.error.get("choices")
    listed = [str(each)[:MAX_CHOICE] for each in choices] if isinstance(choices, list) else []
    match refused.code:
        case "unknown_voice":
            return UnknownVoice(listed[:MAX_CHOICES])
        case "unknown_language":
            return UnknownLanguage(listed[:MAX_CHOICES])
        case "call_over" | "held":
            current = deps.stores.calls.get(call.call_id) or call
            over = Refused(current, "call_over", "The call is over.")
            return over if refused.code == "call_over" else _not_heard(current)
        case "too_many":
            return TooBusy(call.call_id)
    if refused.code in _FAILURES:
        return _FAILURES[refused.code](refused.code)
    log.error("relay: %s", refused, extra={"call_id": call.call_id})
    return MediaUnavailable(refused.code)
