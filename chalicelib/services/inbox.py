"""The account's events, in order, each at least once: read with a cursor, by long poll."""

from __future__ import annotations

import time

from chalicelib.domain import cursor as cursors
from chalicelib.domain.event import Event
from chalicelib.services.ports import Ports

PAGE = 100
MAX_WAIT_S = 20
RECENT_S = 300
"""How old events may be that are recent: more than a call rings, less than anybody's patience."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 0.5
_LISTING = "events"


def read(
    ports: Ports, account_id: str, after: str | None, wait_s: float, limit: int = PAGE
) -> tuple[list[Event], str]:
    """Up to `limit` events after the cursor, and the next cursor. None: from the oldest kept;
    "recent": the last `limit`, if they are not older than `RECENT_S`; "latest": only what comes.

    Waits up to `wait_s` for the first one. BadCursor if `after` is not the account's.
    """
    place = _place(ports, account_id, after, limit)
    deadline = time.monotonic() + min(wait_s, MAX_WAIT_S)
    pause = _FIRST_PAUSE_S
    # A page holds all that was there when it was asked for, up to its limit; who has a full one to
    # read leaves the numbering to others.
    found = _after(ports, account_id, place, limit)
    while True:
        waiting = True
        # Looked at again after the last one, too: what does not wait any more another reader may
        # just have numbered.
        while waiting and len(found) < limit:
            waiting = ports.events.number_waiting(account_id)
            found = _after(ports, account_id, place, limit)
        if found or time.monotonic() >= deadline:
            break
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 1.3, _LONGEST_PAUSE_S)
    last = found[-1][0] if found else place
    sealed = cursors.seal(ports.token_secret, account_id, _LISTING, str(last))
    return [event for _, event in found], sealed


def _after(ports: Ports, account_id: str, place: int, limit: int) -> list[tuple[int, Event]]:
    """Numbered events after a place; the counter tells cheaply if there can be any."""
    last = ports.events.last_number(account_id)
    if place > last:
        # Of a table that was lost or restored: it would wait in vain for its number.
        raise cursors.BadCursor("ahead of all events")
    return ports.events.after(account_id, place, limit) if place < last else []


def _place(ports: Ports, account_id: str, after: str | None, limit: int) -> int:
    if not after:
        return 0
    if after == "latest":
        return _last(ports, account_id)
    if after == "recent":
        return _before_recent(ports, account_id, limit)
    return int(cursors.unseal(ports.token_secret, account_id, _LISTING, after))


def _last(ports: Ports, account_id: str) -> int:
    """The number of the last event there is."""
    while ports.events.number_waiting(account_id):
        pass
    return ports.events.last_number(account_id)


def _before_recent(ports: Ports, account_id: str, limit: int) -> int:
    last = _last(ports, account_id)
    since = ports.now() - RECENT_S * 1000
    for number, event in ports.events.after(account_id, max(0, last - limit), limit):
        if event.at >= since:
            return number - 1
    return last
