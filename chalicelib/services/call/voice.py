"""Choose the voice that a call is answered or dialled with, and take its place at a voice host.

A hosted call has its place before it is answered, so that no caller is answered with silence:
without a place the answer is refused, or the call rings on. A place that is not used is given back;
one that nobody gives back ends after 90 s.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from chalicelib.domain.call import Call, Refused
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.failure import Failure
from chalicelib.domain.voice import (
    RENEW_PLACE_MS,
    USUAL,
    CallVoice,
    SettingsUnused,
    Voice,
    VoiceSettings,
    WantedVoice,
)
from chalicelib.services.call.transition import act_on
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line.voice_offer import hosts_of, takes_part

log = logging.getLogger(__name__)

AGAIN_EVERY_MS, POLLED_EVERY_MS = 5_000, 1_000
"""A call with auto-answer for which there was no place rings. Of polls that come each second, those
in the first second of every five ask the voice hosts again; of rarer ones, each does."""

_WHY = {
    "hosted_voice_gated": "hosted speech is not open to this account",
    "hosted_voice_unavailable": "no voice host answered",
    "hosted_voice_busy": "all voice hosts were busy",
    "unknown_voice": "no voice host has the number's voice",
    "unknown_language": "no voice host understands the number's language",
}


def take_place(deps: Dependencies, call: Call, wanted: WantedVoice = USUAL) -> CallVoice:
    """Return the voice that a call is to be answered or dialled with; if it is hosted, a voice host
    keeps a place for the call now. Raises VoiceGated, VoiceUnavailable, VoiceBusy, UnknownVoice,
    UnknownLanguage, SettingsUnused.
    """
    if _voice(deps, call, wanted) == "own":
        if wanted.settings is not None:
            raise SettingsUnused
        return CallVoice(detail=call.voice_detail)
    usual = call.voice_settings or VoiceSettings()
    settings = wanted.settings.over(usual) if wanted.settings else usual
    host = hosts_of(deps, call.account_id).reserve(call.call_id, call.account_id, settings)
    return CallVoice("hosted", settings, host, call.voice_detail)


def _voice(deps: Dependencies, call: Call, wanted: WantedVoice) -> Voice:
    """Return who speaks: as wanted; else `hosted` if the asker has no audio and may use hosted
    voices; else as the number says. A call with an agent's URL has somebody with audio.
    """
    if wanted.voice is not None:
        return wanted.voice
    silent = wanted.text_only and call.agent_url is None and deps.voice_hosts is not None
    return "hosted" if silent and takes_part(deps, call.account_id) else call.voice


def give_up(deps: Dependencies, voice: CallVoice | None, call: Call) -> None:
    """Give back a place that was taken for a call in vain, unless another request has made the call
    hosted, which then has the place. `call` is the call as it is now. Never raises.
    """
    used = call.voice_host is not None and not call.state.final
    if voice is not None and voice.host is not None and deps.voice_hosts is not None and not used:
        deps.voice_hosts.release(call.call_id)


def renew_place(deps: Dependencies, call: Call) -> CallVoice | None:
    """Renew the place of a dialled call that has rung for long; return its voice, None if nothing
    changes. Never raises: the called party has answered, and a voice host takes a call without a
    place if it can.
    """
    rings = call.answered_at is None and not call.state.final
    late = deps.now() > call.created_at + RENEW_PLACE_MS
    if call.voice_host is None or deps.voice_hosts is None or not (rings and late):
        return None
    settings = call.voice_settings or VoiceSettings()
    try:
        host = deps.voice_hosts.reserve(call.call_id, call.account_id, settings)
    except Exception as failed:
        log.warning("place not renewed: %r", failed, extra={"call_id": call.call_id})
        return None
    return CallVoice("hosted", settings, host, call.voice_detail)


def pick_up(deps: Dependencies, call: Call, *, each_second: bool = False) -> Call:
    """Answer a ringing call of a number with auto-answer and a hosted voice, and return it. Without
    a place at a voice host it rings on, with the reason: a person or an agent may still accept it,
    and polls try again; if they come `each_second`, one of five.
    """
    if call.voice_detail is not None and each_second and not _due_again(deps, call):
        return call
    try:
        voice = replace(take_place(deps, call), detail=None)
    except Failure as failed:
        return _ring_on(deps, call, failed)
    try:
        return act_on(deps, call, Act.ANSWER, voice=voice)
    except Refused as refused:
        give_up(deps, voice, refused.call)
        return refused.call


def _due_again(deps: Dependencies, call: Call) -> bool:
    return (deps.now() - call.created_at) % AGAIN_EVERY_MS < POLLED_EVERY_MS


def _ring_on(deps: Dependencies, call: Call, failed: Failure) -> Call:
    facts = {"call_id": call.call_id, "account_id": call.account_id, "code": failed.code}
    log.warning("hosted call not answered at once", extra=facts)
    why = _WHY.get(failed.code, "it failed")
    detail = f"The call was not answered at once: {why}. It rings, and can be accepted."
    if call.voice_detail is None:
        try:
            deps.timers.ring.start(call)
        except Exception:
            # Its polls and the sweep enforce the deadline, too.
            log.exception("ring timer did not start", extra=facts)
    return call if call.voice_detail == detail else deps.stores.calls.note_voice(call, detail)
