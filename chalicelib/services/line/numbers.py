"""Routing numbers: take one from the pool, change its settings, give it back."""

from __future__ import annotations

import logging
import random

from chalicelib.domain.event import EventType
from chalicelib.domain.failure import Failure
from chalicelib.domain.line import Line, LineChanges, line_event
from chalicelib.domain.voice import Voice, VoiceSettings
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.contention import tries
from chalicelib.store.lines import NotFree, NotHeld, TooMany
from chalicelib.store.table import Contention

log = logging.getLogger(__name__)

CANDIDATES = 20


class PoolEmpty(Failure):
    """No number of the country is free."""

    code = "pool_empty"


class TooManyNumbers(Failure):
    """The account holds as many numbers as it may; `limit` is how many."""

    code = "too_many_numbers"

    def __init__(self, limit: int) -> None:
        super().__init__(f"limit of {limit} numbers")
        self.limit = limit


class UnknownNumber(Failure, LookupError):
    """The account holds no such number. `detail` says which of its numbers were looked through."""

    code = "number_not_found"

    def __init__(
        self, e164: str, detail: str = "It is none of your account's routing numbers."
    ) -> None:
        super().__init__(e164)
        self.detail = detail


def activate(deps: Dependencies, account_id: str, country: str) -> Line:
    """Give a free number of the country (ISO 3166 alpha-2) to the account; return it."""
    for _ in tries():
        account = deps.stores.accounts.get(account_id)
        if account is None:
            raise UnknownNumber(account_id)
        free = deps.stores.lines.free(country, CANDIDATES)
        if not free:
            raise PoolEmpty(country)
        # Activations at the same moment should not all try the same number.
        chosen = random.choice(free)  # noqa: S311 - no secret
        now = deps.now()
        held = chosen.held_by(account_id, now)
        event = line_event(EventType.NUMBER_ACTIVATED, held, account_id, now)
        try:
            deps.stores.lines.give(held, account, event)
        except TooMany:
            raise TooManyNumbers(account.max_numbers) from None
        except NotFree:
            continue
        except Contention:
            continue
        log.info("number activated", extra={"account_id": account_id, "number": held.e164})
        return held
    raise Contention


def owned(deps: Dependencies, account_id: str, e164: str) -> Line:
    """Return the account's number. Raises UnknownNumber for none and for somebody else's alike."""
    line = deps.stores.lines.get(e164)
    if line is None or line.account_id != account_id:
        raise UnknownNumber(e164)
    return line


def change(deps: Dependencies, account_id: str, e164: str, changes: LineChanges) -> Line:
    """Change the given fields of a number; return it. Raises UnknownNumber, and what
    `voice_offer.check_number` raises for a voice that cannot be.
    """
    line = owned(deps, account_id, e164)
    given = changes.model_dump(mode="json", exclude_unset=True)
    if not given:
        return line
    check_voice(deps, account_id, changes.voice, changes.voice_settings)
    try:
        return deps.stores.lines.change(e164, account_id, given)
    except NotHeld:
        raise UnknownNumber(e164) from None


def check_voice(
    deps: Dependencies, account_id: str, voice: Voice, settings: VoiceSettings | None
) -> None:
    """Check the voice that a number is to have, as `voice_offer.check_number` does."""
    if voice == "hosted" or settings is not None:
        from chalicelib.services.line import voice_offer  # most numbers need none of it

        voice_offer.check_number(deps, account_id, voice, settings)


def release(deps: Dependencies, account_id: str, e164: str) -> None:
    """Give the number back. Calls to it are rejected from now on; calls that are up go on."""
    for _ in tries():
        line = owned(deps, account_id, e164)
        now = deps.now()
        event = line_event(EventType.NUMBER_RELEASED, line, account_id, now)
        try:
            deps.stores.lines.take_back(line.released(now), account_id, event)
        except NotHeld:
            raise UnknownNumber(e164) from None
        except Contention:
            continue
        log.info("number released", extra={"account_id": account_id, "number": e164})
        return
    raise Contention
