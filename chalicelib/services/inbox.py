"""The account's events, in order, each at least once: read with a cursor, by long poll."""

from __future__ import annotations

import time

from chalicelib.domain import cursor as cursors
from chalicelib.domain.event import Event
from chalicelib.services.ports import Ports

PAGE = 100
MAX_WAIT_S = 20
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 0.5
_LISTING = "events"


def read(
    ports: Ports, account_id: str, after: str | None, wait_s: float
) -> tuple[list[Event], str]:
    """Events after the cursor (None: from the oldest kept; "latest": only what comes), and the next
    cursor. Waits up to `wait_s` for the first one. BadCursor if `after` is not the account's.
    """
    place = _place(ports, account_id, after)
    deadline = time.monotonic() + min(wait_s, MAX_WAIT_S)
    pause, checked = _FIRST_PAUSE_S, False
    while True:
        ports.events.number_waiting(account_id)
        found = ports.events.after(account_id, place, PAGE)
        if not found and not checked:
            _check_not_ahead(ports, account_id, place)
            checked = True
        if found or time.monotonic() >= deadline:
            break
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 1.3, _LONGEST_PAUSE_S)
    last = found[-1][0] if found else place
    sealed = cursors.seal(ports.token_secret, account_id, _LISTING, str(last))
    return [event for _, event in found], sealed


def _check_not_ahead(ports: Ports, account_id: str, place: int) -> None:
    """A cursor of a table that was lost or restored would wait in vain for its number."""
    if place > ports.events.last_number(account_id):
        raise cursors.BadCursor("ahead of all events")


def _place(ports: Ports, account_id: str, after: str | None) -> int:
    if not after:
        return 0
    if after == "latest":
        while ports.events.number_waiting(account_id):
            pass
        return ports.events.last_number(account_id)
    return int(cursors.unseal(ports.token_secret, account_id, _LISTING, after))
