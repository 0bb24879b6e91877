"""Bound the requests about calls that wait: an account may have a few at a time, since each
occupies a process (in AWS one of the concurrent Lambda executions) that other accounts could use.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.domain.failure import Failure
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.places import Places

log = logging.getLogger(__name__)

WAITS_AT_ONCE = 20
"""Requests of an account that wait at a time: one for each call that it may have."""

WAITS = "waits"
"""The kind of place that such a request holds."""

LEASE_SLACK_S = 15
"""Time for which a place is kept after the wait, if it is not given back."""


class TooManyWaits(Failure):
    """As many requests of the account wait as may (`limit`)."""

    code = "too_many_waits"
    member_names = ("limit",)
    retry_after_s = 2

    def __init__(self) -> None:
        super().__init__(f"limit of {WAITS_AT_ONCE} waiting requests")
        self.limit = WAITS_AT_ONCE


@contextmanager
def waiting(deps: Dependencies, account_id: str, wait_s: float) -> Iterator[None]:
    """Hold one of the account's places for requests that wait; none for a wait of 0. Raises
    TooManyWaits.
    """
    if wait_s <= 0:
        yield
        return
    places, holder = Places(account_id, WAITS, WAITS_AT_ONCE), secrets.token_hex(8)
    now = deps.now()
    until = now + round((wait_s + LEASE_SLACK_S) * 1000)
    if not deps.stores.places.take(places, holder, now, until):
        raise TooManyWaits
    try:
        yield
    finally:
        try:
            deps.stores.places.give_back(places, holder)
        except Exception:
            # Its lease ends soon.
            log.exception("place of a wait not given back", extra={"account_id": account_id})
