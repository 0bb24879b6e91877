"""Makes the deliveries of an account's events: one for each endpoint that wants the event.

An account's backlog is a place in its numbered events, from which on deliveries are still to be
made; the account's own tries work it off (`work_off`). Events that the stream has lost are found by
`catch_up`: it reads the accounts' numbered events like any other reader, with a place of its own.

Several processes may make deliveries of the same event, at the same time or later: a delivery's id
is derived from event and endpoint, so there is one.
"""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Iterable

from chalicelib.domain.delivery import Delivery, DeliveryState, new_delivery
from chalicelib.domain.delivery_bounds import fail_too_far_behind
from chalicelib.domain.endpoint import Endpoint, wants
from chalicelib.domain.event import Event
from chalicelib.services.delivery import dispatch
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.places import Places

log = logging.getLogger(__name__)

PAGE = 100

SLICE = 20
"""Deliveries that one try of an account makes of its backlog; later tries make the next ones."""

MAX_TURNS = 3
"""Slices of a backlog that one try makes, as long as nothing waits."""

MAX_PAGES = 50
"""Pages of an account's events that are read in one run: other accounts must have their turn."""

_WORKING_MS = 30_000
"""Time for which one process has a backlog to itself."""


def deliver_to(
    deps: Dependencies,
    event: Event,
    endpoints: Iterable[Endpoint],
    full: dispatch.Full | None = None,
) -> int:
    """Make the deliveries of one event and send them. Return how many were new."""
    made = 0
    for endpoint in endpoints:
        if wants(endpoint, event):
            delivery = new_delivery(event, endpoint.endpoint_id, deps.now())
            waits = full is not None and (delivery.account_id, delivery.kind) in full
            if waits and dispatch.too_far_behind(deps, delivery):
                delivery = fail_too_far_behind(delivery)
            stored = deps.stores.deliveries.create(delivery)
            made += stored is delivery
            if _unsent(stored):
                dispatch.send(deps, stored, full)
    return made


def work_off(deps: Dependencies, account_id: str) -> None:
    """Make the next deliveries of an account's backlog, if it has one and no other process is at
    it: `SLICE` of them, or a few more, as those of one event are made together.
    """
    for _ in range(MAX_TURNS):
        if not _take_turn(deps, account_id):
            return


def _take_turn(deps: Dependencies, account_id: str) -> bool:
    """Make the next deliveries of a backlog. Return whether there is more of it and nothing waits.
    Then the caller has to go on: no try will do it, since none is under way.
    """
    places, holder, now = Places(account_id, "BACKLOG", 1), secrets.token_hex(8), deps.now()
    if deps.stores.waiting.backlog(account_id) is None:
        return False
    if not deps.stores.places.take(places, holder, now, now + _WORKING_MS):
        return False
    full = dispatch.Full()
    try:
        _work_off(deps, account_id, full)
    finally:
        deps.stores.places.give_back(places, holder)
        look_again(deps, full)
    return deps.stores.waiting.look(account_id, 1) == (0, True)


def _work_off(deps: Dependencies, account_id: str, full: dispatch.Full) -> None:
    backlog = deps.stores.waiting.backlog(account_id)
    if backlog is None:
        return
    number_waiting(deps, account_id)
    endpoints, made, place = deps.stores.endpoints.of_account(account_id), 0, backlog.place
    full |= dispatch.all_full(account_id)
    for _ in range(MAX_PAGES):
        page = deps.stores.events.after(account_id, place, SLICE)
        if not page:
            if deps.stores.waiting.end(account_id, backlog):
                log.info("backlog of deliveries worked off", extra={"account_id": account_id})
                return
            backlog = deps.stores.waiting.backlog(account_id)
            if backlog is None:
                return
            # More events were left to the backlog meanwhile.
            number_waiting(deps, account_id)
            continue
        for number, event in page:
            made += deliver_to(deps, event, endpoints, full)
            place = number
            if made >= SLICE:
                break
        deps.stores.waiting.go_on(account_id, place)
        if made >= SLICE:
            return


def catch_up(deps: Dependencies, until: int | None = None) -> int:
    """Make the deliveries that the stream should have made and did not. Return how many.

    The accounts take turns, a page of events each, until all are through or it is `until` (epoch
    ms); the next run goes on from there.
    """
    made, waiting = 0, deps.stores.endpoints.accounts()
    random.shuffle(waiting)  # if time is short, other accounts come first the next time
    for _ in range(MAX_PAGES):
        again = []
        for account_id in waiting:
            if until is not None and deps.now() >= until:
                log.warning("events not all caught up: the next sweep goes on")
                return made
            try:
                count, more = _catch_up(deps, account_id)
            except Exception:
                # A failure of one account must not affect the others.
                log.exception("events not caught up", extra={"account_id": account_id})
                continue
            made += count
            again += [account_id] if more else []
        waiting = again
    return made


def _catch_up(deps: Dependencies, account_id: str) -> tuple[int, bool]:
    """Look through the next page of an account's events. Return how many deliveries were made, and
    whether there are more pages.
    """
    number_waiting(deps, account_id)
    backlog = deps.stores.waiting.backlog(account_id)
    place = deps.stores.endpoints.fanned_out(account_id)
    last = deps.stores.events.last_number(account_id)
    if place > last:
        place = 0  # the table was restored
    # Deliveries of events above the backlog's place are made from the backlog, in order.
    until = last if backlog is None else min(last, backlog.place)
    endpoints, full, made = deps.stores.endpoints.of_account(account_id), dispatch.Full(), 0
    page = deps.stores.events.after(account_id, place, PAGE) if place < until else []
    for number, event in page:
        if number <= until:
            made += deliver_to(deps, event, endpoints, full)
            place = number
    if page:
        deps.stores.endpoints.note_fanned_out(account_id, place)
    look_again(deps, full)
    more = bool(page) and place < until
    waits = not more and deps.stores.waiting.anything(account_id)
    # The processes with the places may be lost: start what waits, then the backlog.
    if waits and dispatch.go_on(deps, account_id):
        work_off(deps, account_id)
    return made, more


def number_waiting(deps: Dependencies, account_id: str) -> None:
    """Number the account's events that have no number yet."""
    for _ in range(MAX_PAGES):
        if not deps.stores.events.number_waiting(account_id):
            return


def look_again(deps: Dependencies, full: dispatch.Full) -> None:
    """Start the waiting deliveries of these accounts, if places became free meanwhile. Never
    raises.
    """
    try:
        dispatch.look_again(deps, full)
    except Exception:
        # The waiting deliveries are in the table: a try that ends starts them, or the sweep.
        log.exception("waiting deliveries not looked at again")


def _unsent(delivery: Delivery) -> bool:
    """Return whether the delivery was never tried: the process that made it may have died before it
    was sent.
    """
    return delivery.state is DeliveryState.PENDING and delivery.run == delivery.attempts == 0
