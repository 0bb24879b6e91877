"""Have a text spoken in a hosted call, and wait for the caller's reply."""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.call import Call
from chalicelib.domain.failure import Failure
from chalicelib.domain.transcript import MAX_CHARACTERS, SPOKEN
from chalicelib.domain.voice import VoiceGated
from chalicelib.services import rate_limits
from chalicelib.services.call.at_the_relay import (
    MediaTimeout,
    MediaUnavailable,
    NotHosted,
    QueueFull,
    ask_host,
    check_active,
    check_heard,
)
from chalicelib.services.call.transition import own_call
from chalicelib.services.call.waits import waiting
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line.voice_offer import takes_part
from chalicelib.store.transcripts import TooManyCharacters, TooManyOpen
from common import voice_requests

log = logging.getLogger(__name__)

LONGEST_S = 24.0
"""Time after which a voice host answers a request in any case (API Gateway gives up after 29 s)."""


class TooMuchSaid(Failure):
    """The call has had as many characters spoken as it may (`limit`)."""

    code = "too_much_said"
    member_names = ("limit",)

    def __init__(self) -> None:
        super().__init__(f"limit of {MAX_CHARACTERS} characters")
        self.limit = MAX_CHARACTERS


@dataclass(frozen=True, kw_only=True)
class Words:
    """A text to be spoken. `name`, `language`, `speed`: None stands for the call's settings."""

    text: str
    interrupt: bool = False
    barge_in: bool = True
    name: str | None = None
    language: str | None = None
    speed: float | None = None
    wait: bool = False
    wait_for_reply_s: float = 0


def hosted_call(deps: Dependencies, account_id: str, call_id: str) -> Call:
    """Return the account's hosted call. Raises UnknownCall first, so that a request without access
    learns nothing of others' calls; then VoiceGated, NotHosted.
    """
    call = own_call(deps, account_id, call_id)
    if not takes_part(deps, account_id):
        raise VoiceGated
    if call.voice != "hosted":
        raise NotHosted
    return call


def say(
    deps: Dependencies, account_id: str, call_id: str, words: Words, seed: str | None = None
) -> dict[str, Any]:
    """Have a text spoken in an active hosted call; return what the voice host answers: the
    utterance's id and state, what was heard of it, the caller's reply. Requests with the same
    `seed` are one utterance, which is spoken once. Raises what `hosted_call` and `ask_host` do,
    Refused, TooManyWaits, TooOften, TooMuchSaid.
    """
    call = hosted_call(deps, account_id, call_id)
    check_active(call)
    check_heard(call)
    utterance_id = _utterance_id(seed or secrets.token_hex(16))
    wait_s = LONGEST_S if words.wait or words.wait_for_reply_s else 0
    with waiting(deps, account_id, wait_s):
        _note(deps, call, utterance_id, len(words.text))
        try:
            answer = ask_host(
                deps,
                call,
                voice_requests.Say.METHOD,
                voice_requests.Say(utterance_id=utterance_id, **vars(words)).params(),
                wait_s,
            )
        except (MediaTimeout, MediaUnavailable):
            raise  # it may be spoken
        except Exception:
            _take_back(deps, call, utterance_id, len(words.text))
            raise
    reply = answer.get("reply")
    return {
        "utterance_id": utterance_id,
        "state": answer.get("state", "queued"),
        "heard_text": answer.get("heard_text", ""),
        "heard_ms": answer.get("heard_ms", 0),
        "reply": _reply(reply) if isinstance(reply, dict) else None,
    }


def _note(deps: Dependencies, call: Call, utterance_id: str, characters: int) -> None:
    """Count what is to be said, and note that it is not over."""
    try:
        deps.stores.transcripts.open(call.call_id, utterance_id, characters, deps.now())
    except TooManyOpen:
        raise QueueFull from None
    except TooManyCharacters:
        raise TooMuchSaid from None
    try:
        rate_limits.count_account(deps, call.account_id, SPOKEN, characters)
    except rate_limits.TooOften:
        _take_back(deps, call, utterance_id, characters)
        raise


def _take_back(deps: Dependencies, call: Call, utterance_id: str, characters: int) -> None:
    try:
        deps.stores.transcripts.take_back(call.call_id, utterance_id, characters)
    except Exception:
        # It counts as open until the end, and as lost if its voice host is.
        log.exception("utterance not taken back", extra={"call_id": call.call_id})


def _reply(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given.get(name) for name in ("text", "started_ms", "ended_ms", "sequence")}


def _utterance_id(seed: str) -> str:
    return "utt_" + hashlib.sha256(f"utterance {seed}".encode()).hexdigest()[:26]
