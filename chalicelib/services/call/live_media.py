"""Act on the audio of a call that is up: drop what is still to be heard, send keys."""

from __future__ import annotations

from chalicelib.domain.call import Call
from chalicelib.domain.voice import VoiceGated
from chalicelib.providers.relay_door import CLEAR, DTMF
from chalicelib.services.call.at_the_relay import ask, ask_host, check_active, check_heard
from chalicelib.services.call.transition import own_call
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line.voice_offer import takes_part
from common import voice_requests


def clear(deps: Dependencies, account_id: str, call_id: str) -> list[str]:
    """Drop what is spoken and queued in an active call; return the ids of the utterances. An
    agent's own audio has no utterances: the relay drops what it has not played. Raises VoiceGated
    for a hosted call, Refused, and what `ask` raises.
    """
    call = _active_call(deps, account_id, call_id)
    if call.voice != "hosted":
        check_heard(call)
        ask(deps, call, CLEAR, {})
        return []
    cleared = ask_host(deps, call, voice_requests.Clear.METHOD, {}).get("cleared")
    deps.stores.transcripts.close_all(call_id)
    return [each for each in cleared if isinstance(each, str)] if isinstance(cleared, list) else []


def send_digits(deps: Dependencies, account_id: str, call_id: str, digits: str) -> int:
    """Send keys to the far end of an active call, behind what is still to be heard; return how many
    are queued. Raises as `clear` does.
    """
    call = _active_call(deps, account_id, call_id)
    check_heard(call)
    queued = ask(deps, call, DTMF, {"digits": digits}).get("queued")
    return queued if isinstance(queued, int) else len(digits)


def _active_call(deps: Dependencies, account_id: str, call_id: str) -> Call:
    call = own_call(deps, account_id, call_id)
    if call.voice == "hosted" and not takes_part(deps, account_id):
        raise VoiceGated
    check_active(call)
    return call
