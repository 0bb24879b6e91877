"""Make the deliveries of events that the table's stream brings.

The stream brings each event a moment after it was written. In a batch, calls that ring come
first, then the accounts take turns. Events beyond an account's share are left to its backlog
(`backlog.py`), which its own tries work off, so that they do not delay other accounts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from chalicelib.domain.endpoint import Endpoint, wants
from chalicelib.domain.event import Event, EventType
from chalicelib.services.delivery import dispatch
from chalicelib.services.delivery.backlog import (
    SLICE,
    deliver_to,
    look_again,
    number_waiting,
    work_off,
)
from chalicelib.services.dependencies import Dependencies

log = logging.getLogger(__name__)

INLINE = 50
"""Deliveries of one account that are made in one batch of the stream."""

MAX_WAITING = 100
"""Waiting deliveries of an account, beyond which new events are left to the backlog, calls that
ring included: they would be told too late."""

BATCH_MS = 2000
"""Time in which a batch makes deliveries; the rest is left to the accounts' backlogs."""

NUMBERED_LATELY = 500
"""Latest events among which the number of an event from the stream is searched for."""


@dataclass
class _Turns:
    """The events of one account in a batch, as (name, event)."""

    endpoints: list[Endpoint]
    urgent: list[tuple[str, Event]] = field(default_factory=list)
    others: list[tuple[str, Event]] = field(default_factory=list)
    made: int = 0
    behind: bool | None = None
    """True if the account has a backlog, after which new events come; None: not looked yet."""
    waiting: int = 0
    """Deliveries of the account that waited before this batch, up to `MAX_WAITING`."""
    left: list[Event] = field(default_factory=list)
    """Events that were left to the backlog."""


def hand_out(deps: Dependencies, events: Iterable[tuple[str, Callable[[], Event]]]) -> list[str]:
    """Make and send the deliveries of a batch of events, given as (name, function that reads it).
    Return the names of those that failed, which are to come again. An event that cannot be read is
    dropped: a repetition would not help.
    """
    failed: list[str] = []
    accounts = _by_account(deps, events, failed)
    until, full = deps.now() + BATCH_MS, dispatch.Full()
    for account_id, (name, event), urgent in _in_turn(accounts):
        turns = accounts[account_id]
        try:
            if turns.behind is None:
                _look(deps, account_id, turns, full)
            if deps.now() >= until or _too_much(turns, urgent=urgent):
                turns.left.append(event)
            else:
                turns.made += deliver_to(deps, event, turns.endpoints, full)
        except Exception:
            log.exception("event not handed out", extra={"event_id": event.event_id})
            failed.append(name)
    look_again(deps, full)
    for account_id, turns in accounts.items():
        if turns.left and not _leave(deps, account_id, turns.left):
            failed += [name for name, _ in (*turns.urgent, *turns.others)]
    return failed


def _by_account(
    deps: Dependencies, events: Iterable[tuple[str, Callable[[], Event]]], failed: list[str]
) -> dict[str, _Turns]:
    """Sort a batch by account, without the events that no endpoint wants."""
    accounts: dict[str, _Turns] = {}
    for name, read in events:
        try:
            event = read()
        except Exception:
            log.exception("a streamed event cannot be read")
            continue
        try:
            turns = accounts.get(event.account_id)
            if turns is None:
                turns = _Turns(deps.stores.endpoints.of_account(event.account_id))
                accounts[event.account_id] = turns
        except Exception:
            log.exception("event not handed out", extra={"event_id": event.event_id})
            failed.append(name)
            continue
        if any(wants(endpoint, event) for endpoint in turns.endpoints):
            (turns.urgent if _urgent(event) else turns.others).append((name, event))
    return accounts


def _in_turn(
    accounts: dict[str, _Turns],
) -> Iterator[tuple[str, tuple[str, Event], bool]]:
    """Go through a batch: calls that ring, then the rest; one event of each account at a time."""
    for urgent in (True, False):
        queues = {
            account_id: iter(turns.urgent if urgent else turns.others)
            for account_id, turns in accounts.items()
        }
        while queues:
            for account_id in list(queues):
                named = next(queues[account_id], None)
                if named is None:
                    del queues[account_id]
                else:
                    yield account_id, named, urgent


def _urgent(event: Event) -> bool:
    """Return whether the event may overtake others: its call has just begun to ring, so it is the
    call's first event.
    """
    return event.type is EventType.CALL_RINGING and event.version == 1


def _look(deps: Dependencies, account_id: str, turns: _Turns, full: dispatch.Full) -> None:
    """Note how many deliveries of the account wait already. New ones come after them, and if many
    wait, new events begin a backlog.
    """
    turns.waiting, backlog = deps.stores.waiting.look(account_id, MAX_WAITING)
    turns.behind = backlog or turns.waiting >= SLICE
    if turns.waiting or backlog:
        full |= dispatch.all_full(account_id)


def _too_much(turns: _Turns, *, urgent: bool) -> bool:
    """Return whether an event is to be left to its account's backlog: it exceeds the
    account's share of the batch, or would overtake events that were left.
    """
    if turns.made >= INLINE or turns.waiting >= MAX_WAITING:
        return True
    return not urgent and bool(turns.behind or turns.left)


def _leave(deps: Dependencies, account_id: str, left: list[Event]) -> bool:
    """Leave events to their account's backlog. Return False if that failed."""
    try:
        if not deps.stores.waiting.ask(account_id):
            deps.stores.waiting.begin(account_id, _place_before(deps, account_id, left))
        if dispatch.go_on(deps, account_id):
            # The tries that should work it off may have ended meanwhile.
            work_off(deps, account_id)
    except Exception:
        log.exception("events not left to the backlog", extra={"account_id": account_id})
        return False
    return True


def _place_before(deps: Dependencies, account_id: str, left: list[Event]) -> int:
    """Return the number of the last event before all of these; an earlier one if that is not
    known.
    """
    number_waiting(deps, account_id)
    numbers = deps.stores.events.numbers_of(account_id, left, NUMBERED_LATELY)
    if len(numbers) < len(left):
        return deps.stores.endpoints.fanned_out(account_id)
    return min(numbers) - 1
