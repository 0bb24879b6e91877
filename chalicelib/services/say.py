"""Hosted speech: the call would say a text by itself. A closed beta, which needs a speech host."""

from __future__ import annotations

from chalicelib.services.ports import Ports
from chalicelib.services.transition import own_call

MAX_TEXT = 2000


class VoiceGated(Exception):
    """The account does not take part."""


class VoiceUnavailable(Exception):
    """It does, but this installation has no speech host."""


def say(ports: Ports, account_id: str, call_id: str) -> None:
    """Always VoiceGated or, for an account with access, VoiceUnavailable. UnknownCall first: who
    may not speak still learns nothing of others' calls.
    """
    own_call(ports, account_id, call_id)
    account = ports.accounts.get(account_id)
    raise VoiceUnavailable if account and account.hosted_voice else VoiceGated
