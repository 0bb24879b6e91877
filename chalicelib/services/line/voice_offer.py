"""The hosted voices that an account may use: none outside the closed beta, else those that the
voice hosts of this installation offer.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from chalicelib.domain.voice import (
    UnknownLanguage,
    UnknownVoice,
    Voice,
    VoiceGated,
    VoiceSettings,
    VoiceUnavailable,
)
from chalicelib.services.dependencies import Dependencies

if TYPE_CHECKING:
    from chalicelib.providers.voice_hosts import VoiceHosts, VoiceOffer

log = logging.getLogger(__name__)


def takes_part(deps: Dependencies, account_id: str) -> bool:
    """Return whether the account takes part in the beta."""
    account = deps.stores.accounts.get(account_id)
    return account is not None and account.hosted_voice


def hosts_of(deps: Dependencies, account_id: str) -> VoiceHosts:
    """Return the voice hosts, if the account may use them. Raises VoiceGated, and VoiceUnavailable
    if there are none.
    """
    if not takes_part(deps, account_id):
        raise VoiceGated
    if deps.voice_hosts is None:
        raise VoiceUnavailable
    return deps.voice_hosts


def offer(deps: Dependencies, account_id: str) -> VoiceOffer:
    """Return the voices and languages that there are. Raises VoiceGated, VoiceUnavailable."""
    return hosts_of(deps, account_id).offer()


def check_number(
    deps: Dependencies, account_id: str, voice: Voice, settings: VoiceSettings | None
) -> None:
    """Check the voice that a number is to have. Raises VoiceGated, VoiceUnavailable, UnknownVoice,
    UnknownLanguage.

    While no voice host answers, any name and language may be set: they are checked again with each
    call.
    """
    if voice == "hosted":
        hosts_of(deps, account_id)
    if settings is None or settings.name is settings.language is None:
        return
    try:
        offered = offer(deps, account_id)
    except (VoiceGated, VoiceUnavailable) as failed:
        log.info("voice settings not checked: %s", failed.code)
        return
    names = sorted({each.name for each in offered.voices})
    if settings.name is not None and settings.name not in names:
        raise UnknownVoice(names)
    if settings.language is not None and not _understood(settings.language, offered):
        raise UnknownLanguage(list(offered.languages))


def _understood(language: str, offered: VoiceOffer) -> bool:
    """Return whether a host may understand it. Only primary languages are compared: the host
    decides which region's tag it accepts for another.
    """
    known = (*offered.languages, *(each.language for each in offered.voices))
    return _primary(language) in {_primary(each) for each in known}


def _primary(language: str) -> str:
    return language.partition("-")[0].lower()
