"""Routing numbers: an account takes one from the pool, sets how it answers, gives it back."""

from __future__ import annotations

import logging
import random
import time

from chalicelib.domain.event import EventType
from chalicelib.domain.line import Line, LineChanges, line_event
from chalicelib.services.ports import Ports
from chalicelib.store.lines import NotFree, NotHeld, TooMany
from chalicelib.store.table import Contention

log = logging.getLogger(__name__)

CANDIDATES = 20
MAX_ROUNDS = 25
COLLISION_WAIT_S = 0.03


class PoolEmpty(Exception):
    """No number of the country is free."""


class TooManyNumbers(Exception):
    """The account holds as many numbers as it may; `limit` is how many."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"limit of {limit} numbers")
        self.limit = limit


class UnknownNumber(LookupError):
    """The account holds no such number."""


def activate(ports: Ports, account_id: str, country: str) -> Line:
    """A free number of the country (ISO 3166 alpha-2), now the account's."""
    for _ in range(MAX_ROUNDS):
        account = ports.accounts.get(account_id)
        if account is None:
            raise UnknownNumber(account_id)
        free = ports.lines.free(country, CANDIDATES)
        if not free:
            raise PoolEmpty(country)
        # Many who activate at once should not all reach for the same number.
        chosen = random.choice(free)  # noqa: S311 - spreads, guards nothing
        now = ports.now()
        held = chosen.held_by(account_id, now)
        event = line_event(EventType.NUMBER_ACTIVATED, held, account_id, now)
        try:
            ports.lines.give(held, account, event)
        except TooMany:
            raise TooManyNumbers(account.max_numbers) from None
        except NotFree:
            continue
        except Contention:
            _step_aside()
            continue
        log.info("number activated", extra={"account_id": account_id, "number": held.e164})
        return held
    raise Contention


def owned(ports: Ports, account_id: str, e164: str) -> Line:
    """The account's number. UnknownNumber for none and for somebody else's alike."""
    line = ports.lines.get(e164)
    if line is None or line.account_id != account_id:
        raise UnknownNumber(e164)
    return line


def change(ports: Ports, account_id: str, e164: str, changes: LineChanges) -> Line:
    """The number with the given fields changed."""
    line = owned(ports, account_id, e164)
    given = changes.model_dump(mode="json", exclude_unset=True)
    if not given:
        return line
    try:
        return ports.lines.change(e164, account_id, given)
    except NotHeld:
        raise UnknownNumber(e164) from None


def release(ports: Ports, account_id: str, e164: str) -> None:
    """Give the number back. Calls to it are rejected from now on; calls that are up go on."""
    for _ in range(MAX_ROUNDS):
        line = owned(ports, account_id, e164)
        now = ports.now()
        event = line_event(EventType.NUMBER_RELEASED, line, account_id, now)
        try:
            ports.lines.take_back(line.released(now), account_id, event)
        except NotHeld:
            raise UnknownNumber(e164) from None
        except Contention:
            _step_aside()
            continue
        log.info("number released", extra={"account_id": account_id, "number": e164})
        return
    raise Contention


def _step_aside() -> None:
    """Another transaction of the same account is under way; let it through."""
    time.sleep(random.uniform(0, COLLISION_WAIT_S))  # noqa: S311 - spreads, guards nothing
