"""Read the account's events, in order, each at least once, with a cursor and by long poll."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.domain import cursor as cursors
from chalicelib.domain.event import Event
from chalicelib.domain.failure import Failure
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.places import Places

log = logging.getLogger(__name__)

PAGE = 100
MAX_WAIT_S = 20
RECENT_S = 300
"""Age up to which events are recent: longer than a call rings."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 0.5
_LISTING = "events"

POLLS = "polls"
"""The kind of place that a poll holds while it waits."""

LEASE_SLACK_S = 15
"""Time for which a poll's place is kept after its wait, if it is not given back."""

TRY_AGAIN_S = 5


class TooManyPolls(Failure):
    """As many polls of the account wait as it may have (`limit`); one may end in
    `retry_after_s`.
    """

    code = "too_many_polls"
    member_names = ("limit",)

    retry_after_s = TRY_AGAIN_S

    def __init__(self, limit: int) -> None:
        super().__init__(f"limit of {limit} waiting polls")
        self.limit = limit


def read(
    deps: Dependencies, account_id: str, after: str | None, wait_s: float, limit: int = PAGE
) -> tuple[list[Event], str]:
    """Return up to `limit` events after the cursor, and the next cursor. `after` None: from the
    oldest kept; "recent": the last `limit`, if they are not older than `RECENT_S`; "latest": only
    events to come.

    Waits up to `wait_s` for the first event; an account may have a few waiting polls at a time.
    Raises TooManyPolls, which a poll that finds events never does, and BadCursor if `after` is not
    the account's.
    """
    place = _place(deps, account_id, after, limit)
    # Only a page that is not full needs the waiting events numbered: a full one has more to read
    # already.
    found = _after(deps, account_id, place, limit)
    if len(found) < limit:
        found = _look(deps, account_id, place, limit)
    wait_s = min(wait_s, MAX_WAIT_S)
    if not found and wait_s > 0:
        with _waiting(deps, account_id, wait_s):
            found = _wait(deps, account_id, place, limit, wait_s)
    last = found[-1][0] if found else place
    sealed = cursors.seal(deps.secrets.tokens, account_id, _LISTING, str(last))
    return [event for _, event in found], sealed


def _look(deps: Dependencies, account_id: str, place: int, limit: int) -> list[tuple[int, Event]]:
    """Return the events after a place; number those that wait first."""
    found: list[tuple[int, Event]] = []
    waiting = True
    # Read again also when nothing waits any more: another reader may just have numbered the
    # events.
    while waiting and len(found) < limit:
        waiting = deps.stores.events.number_waiting(account_id)
        found = _after(deps, account_id, place, limit)
    return found


def _wait(
    deps: Dependencies, account_id: str, place: int, limit: int, wait_s: float
) -> list[tuple[int, Event]]:
    """Look again and again, until there are events or the time is over."""
    deadline = time.monotonic() + wait_s
    pause = _FIRST_PAUSE_S
    while True:
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 1.3, _LONGEST_PAUSE_S)
        found = _look(deps, account_id, place, limit)
        if found or time.monotonic() >= deadline:
            return found


@contextmanager
def _waiting(deps: Dependencies, account_id: str, wait_s: float) -> Iterator[None]:
    """Hold one of the account's places for polls that wait. Raises TooManyPolls."""
    account = deps.stores.accounts.get(account_id)
    most = account.max_waiting_polls if account else 0
    places, holder = Places(account_id, POLLS, most), secrets.token_hex(8)
    now = deps.now()
    until = now + round((wait_s + LEASE_SLACK_S) * 1000)
    if most < 1 or not deps.stores.places.take(places, holder, now, until):
        raise TooManyPolls(most)
    try:
        yield
    finally:
        try:
            deps.stores.places.give_back(places, holder)
        except Exception:
            # Its lease ends soon.
            log.exception("place of a poll not given back", extra={"account_id": account_id})


def _after(deps: Dependencies, account_id: str, place: int, limit: int) -> list[tuple[int, Event]]:
    """Return the numbered events after a place. The counter is read first: it tells cheaply whether
    there can be any.
    """
    last = deps.stores.events.last_number(account_id)
    if place > last:
        # The table was lost or restored: the poll would wait in vain for this number.
        raise cursors.BadCursor("ahead of all events")
    return deps.stores.events.after(account_id, place, limit) if place < last else []


def _place(deps: Dependencies, account_id: str, after: str | None, limit: int) -> int:
    if not after:
        return 0
    if after == "latest":
        return _last(deps, account_id)
    if after == "recent":
        return _before_recent(deps, account_id, limit)
    return int(cursors.unseal(deps.secrets.tokens, account_id, _LISTING, after))


def _last(deps: Dependencies, account_id: str) -> int:
    """Return the number of the last event."""
    while deps.stores.events.number_waiting(account_id):
        pass
    return deps.stores.events.last_number(account_id)


def _before_recent(deps: Dependencies, account_id: str, limit: int) -> int:
    last = _last(deps, account_id)
    since = deps.now() - RECENT_S * 1000
    for number, event in deps.stores.events.after(account_id, max(0, last - limit), limit):
        if event.at >= since:
            return number - 1
    return last
