"""Hosted speech: a text is spoken in a call. A closed beta, which needs a speech host."""

from __future__ import annotations

from chalicelib.domain.failure import Failure
from chalicelib.services.call.transition import own_call
from chalicelib.services.dependencies import Dependencies

MAX_TEXT = 2000


class VoiceGated(Failure):
    """The account does not take part in the beta."""

    code = "hosted_voice_gated"


class VoiceUnavailable(Failure):
    """The account takes part in the beta, but this installation has no speech host."""

    code = "hosted_voice_unavailable"


def say(deps: Dependencies, account_id: str, call_id: str) -> None:
    """Refuse to speak: VoiceGated or, for an account with access, VoiceUnavailable. UnknownCall is
    raised first, so that a request without access learns nothing of others' calls.
    """
    own_call(deps, account_id, call_id)
    account = deps.stores.accounts.get(account_id)
    raise VoiceUnavailable if account and account.hosted_voice else VoiceGated
