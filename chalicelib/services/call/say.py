"""Hosted speech: a text is spoken in a call. A closed beta, which needs a speech host."""

from __future__ import annotations

from chalicelib.domain.voice import VoiceGated, VoiceUnavailable
from chalicelib.services.call.transition import own_call
from chalicelib.services.dependencies import Dependencies

MAX_TEXT = 2000


def say(deps: Dependencies, account_id: str, call_id: str) -> None:
    """Refuse to speak: VoiceGated or, for an account with access, VoiceUnavailable. UnknownCall is
    raised first, so that a request without access learns nothing of others' calls.
    """
    own_call(deps, account_id, call_id)
    account = deps.stores.accounts.get(account_id)
    raise VoiceUnavailable if account and account.hosted_voice else VoiceGated
