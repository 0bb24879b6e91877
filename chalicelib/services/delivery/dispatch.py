"""Start the tries of deliveries, a limited number of each account at a time, so that slow endpoints
do not delay those of other accounts.

A delivery that finds no place waits in the table, not in an execution: so waiting costs only an
item. A delivery that has had its try starts the next one (`done`). `call.ringing` has places of its
own. The endpoints of an account take turns, and none of them takes all of its places.
"""

from __future__ import annotations

import logging

from chalicelib.domain.delivery import EARLY_MS, Delivery, Kind
from chalicelib.domain.delivery_bounds import BEHIND_MS
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.places import Places
from chalicelib.store.waiting import Entry

log = logging.getLogger(__name__)

LEASE_MS = 60_000
"""Time for which a place is kept for a delivery that was started: longer than an execution takes
to start and a try to end. If the execution dies, its place stays taken for that time."""

TRY_MS = 20_000
"""Time that must be left of the lease when a try begins: for its time-out and the writes after it.
"""

FAILED_TRY_S = 1.0
"""Time for which a try that failed keeps its place if others of its account wait. An endpoint that
is down refuses at once: without this, its backlog would be tried as fast as the table answers."""

Full = set[tuple[str, Kind]]
"""Accounts and kinds for which no place was found."""


def send(deps: Dependencies, delivery: Delivery, full: Full | None = None) -> None:
    """Have the delivery tried: now if there is a place, otherwise when there is one.

    `full` collects the accounts without a free place; a caller that passes it calls `look_again` at
    the end. Deliveries that are sent for them meanwhile come after those that wait already.
    """
    without_place: Full = set() if full is None else full
    key = (delivery.account_id, delivery.kind)
    if key not in without_place and _take(deps, delivery):
        _start(deps, delivery)
        return
    without_place.add(key)
    deps.stores.waiting.put(delivery)
    if full is None:
        look_again(deps, without_place)


def all_full(account_id: str) -> Full:
    """Return the set in which an account has no places of any kind, so that what is sent for it
    waits.
    """
    return {(account_id, kind) for kind in Kind}


def too_far_behind(deps: Dependencies, delivery: Delivery) -> bool:
    """Return whether the deliveries that wait for a new delivery's endpoint have waited too
    long.
    """
    oldest = deps.stores.waiting.oldest(delivery.account_id, delivery.kind, delivery.endpoint_id)
    return oldest is not None and delivery.created_at - oldest.since > BEHIND_MS


def look_again(deps: Dependencies, full: Full) -> None:
    """Start waiting deliveries for which a place was given back just before they began to wait: the
    process that gave it back may have found none waiting.
    """
    for account_id, kind in full:
        send_next(deps, account_id, kind)


def hold(deps: Dependencies, delivery: Delivery) -> bool:
    """Make sure that the delivery has a place for a try that begins now. Return False if there is
    none.
    """
    places, holder = _places(deps, delivery.account_id, delivery.kind), _holder(delivery)
    until = deps.stores.places.holders(places).get(holder, 0)
    return until - deps.now() >= TRY_MS or _take(deps, delivery)


def done(deps: Dependencies, delivery: Delivery, *, failed: bool) -> bool:
    """Give back the delivery's place and start what waits for one. Return True if nothing waits for
    its endpoint: then the caller makes more of the account's backlog.
    """
    account_id, kind = delivery.account_id, delivery.kind
    if failed and deps.stores.waiting.anything(account_id):
        deps.pause(FAILED_TRY_S)
    _give_back(deps, delivery)
    if not deps.stores.waiting.anything(account_id):
        return False
    others = [each for each in Kind if each is not kind]
    for each in (kind, *others):
        send_next(deps, account_id, each, delivery.endpoint_id)
    return deps.stores.waiting.oldest(account_id, kind, delivery.endpoint_id) is None


def with_place(deps: Dependencies, account_id: str) -> frozenset[str]:
    """Return the ids of the account's deliveries that have a place now."""
    now = deps.now()
    held = [_held(deps, _places(deps, account_id, kind), now) for kind in Kind]
    return frozenset(holder.partition(".")[2] for holder in set().union(*held))


def forget(deps: Dependencies, account_id: str, endpoint_id: str, delivery_id: str) -> None:
    """Give back the place of a delivery that does not exist any more; start one that waits."""
    for kind in Kind:
        places = _places(deps, account_id, kind)
        deps.stores.places.give_back(places, _name(endpoint_id, delivery_id))
    go_on(deps, account_id)


def go_on(deps: Dependencies, account_id: str) -> bool:
    """Start the waiting deliveries of an account, in case the processes that should do it are lost.
    Return True if nothing waits and some places are free.
    """
    waited = [send_next(deps, account_id, kind) for kind in Kind]
    return not any(waited)


def send_next(deps: Dependencies, account_id: str, kind: Kind, after: str = "") -> bool:
    """Start deliveries of a kind that wait, as long as there are places; first one for the endpoint
    that comes after the endpoint `after`. Return whether any waited, or may: all places are taken.
    """
    places, now = _places(deps, account_id, kind), deps.now()
    held, passed, waited = _held(deps, places, now), set[str](), False
    while len(held) < places.most:
        entry = deps.stores.waiting.next(account_id, kind, after)
        if entry is None or entry.endpoint_id in passed:
            return waited
        waited, after = True, entry.endpoint_id
        if _share(held, entry) >= share_of(places.most):
            passed.add(entry.endpoint_id)  # it has its share; others may still start
            continue
        if not deps.stores.places.take(places, _holder(entry), now, now + LEASE_MS):
            return True
        if not deps.stores.waiting.remove(entry) or _start_waiting(deps, entry):
            held.add(_holder(entry))
        passed.clear()
    return True  # the deliveries with the places start the others when they are done


def share_of(most: int) -> int:
    """Return how many of so many places of an account one endpoint may have."""
    return (most + 1) // 2


def _take(deps: Dependencies, delivery: Delivery) -> bool:
    """Take a place for a delivery, or keep the one it has, unless its endpoint has its share.

    The share is read before the place is taken, so an endpoint may exceed it by the number of
    processes that read at the same moment; the account's number of places is exact.
    """
    places, now = _places(deps, delivery.account_id, delivery.kind), deps.now()
    held, holder = _held(deps, places, now), _holder(delivery)
    full = len(held) >= places.most or _share(held, delivery) >= share_of(places.most)
    if full and holder not in held:
        return False
    return deps.stores.places.take(places, holder, now, now + LEASE_MS)


def _held(deps: Dependencies, places: Places, now: int) -> set[str]:
    """Return who holds a place now."""
    return {who for who, until in deps.stores.places.holders(places).items() if until > now}


def _share(held: set[str], wanted: Delivery | Entry) -> int:
    return sum(who.startswith(wanted.endpoint_id) for who in held)


def _start(deps: Dependencies, delivery: Delivery) -> None:
    try:
        deps.timers.deliveries.send(delivery)
    except Exception:
        _give_back(deps, delivery)
        raise


def _start_waiting(deps: Dependencies, entry: Entry) -> bool:
    """Start a delivery that has waited. Return False if it was tried meanwhile."""
    delivery = deps.stores.deliveries.get(entry.endpoint_id, entry.delivery_id)
    if delivery is None or delivery.next_at is None or delivery.next_at > deps.now() + EARLY_MS:
        _give_back(deps, entry)
        return False
    try:
        _start(deps, delivery)
    except Exception:
        deps.stores.waiting.put(delivery)
        raise
    return True


def _give_back(deps: Dependencies, key: Delivery | Entry) -> None:
    deps.stores.places.give_back(_places(deps, key.account_id, key.kind), _holder(key))


def _places(deps: Dependencies, account_id: str, kind: Kind) -> Places:
    at_once = deps.settings.tries_at_once
    most = at_once if kind is Kind.OTHER else share_of(at_once)
    return Places(account_id, f"TRIES_{kind.value}", most)


def _holder(delivery: Delivery | Entry) -> str:
    return _name(delivery.endpoint_id, delivery.delivery_id)


def _name(endpoint_id: str, delivery_id: str) -> str:
    return f"{endpoint_id}.{delivery_id}"
