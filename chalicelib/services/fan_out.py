"""From an event to its deliveries: one for each endpoint of the account that wants it.

The table's stream brings each event here a moment after it was written (`hand_out`). What the
stream loses, `catch_up` finds: it reads the accounts' numbered events like any other reader, with a
place of its own, and makes what is missing. Both may do the same event, at the same time and again:
a delivery's id is derived from event and endpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from chalicelib.domain.delivery import Delivery, DeliveryState, new_delivery
from chalicelib.domain.endpoint import Endpoint, wants
from chalicelib.domain.event import Event
from chalicelib.services.ports import Ports

log = logging.getLogger(__name__)

PAGE = 100


def hand_out(ports: Ports, events: Iterable[tuple[str, Callable[[], Event]]]) -> list[str]:
    """Make and send the deliveries of a batch of events, given as (name, how to read it). Names of
    those that failed, to be brought again; one that cannot be read never will be, and is dropped.
    """
    endpoints: dict[str, list[Endpoint]] = {}
    failed = []
    for name, read in events:
        try:
            event = read()
        except Exception:
            log.exception("a streamed event cannot be read")
            continue
        try:
            account_id = event.account_id
            if account_id not in endpoints:
                endpoints[account_id] = ports.endpoints.of_account(account_id)
            deliver_to(ports, event, endpoints[account_id])
        except Exception:
            log.exception("event not handed out", extra={"event_id": event.event_id})
            failed.append(name)
    return failed


def deliver_to(ports: Ports, event: Event, endpoints: Iterable[Endpoint]) -> int:
    """The deliveries of one event, made and sent. How many were new."""
    made = 0
    for endpoint in endpoints:
        if wants(endpoint, event):
            delivery = new_delivery(event, endpoint.endpoint_id, ports.now())
            there = ports.deliveries.create(delivery)
            made += there is delivery
            if _unsent(there):
                ports.courier.send(there)
    return made


def catch_up(ports: Ports) -> int:
    """Make the deliveries that the stream should have made and did not. How many."""
    made = 0
    for account_id in ports.endpoints.accounts():
        try:
            made += _catch_up(ports, account_id)
        except Exception:
            # One account that cannot be put right must not keep the others from it.
            log.exception("events not caught up", extra={"account_id": account_id})
    return made


def _catch_up(ports: Ports, account_id: str) -> int:
    while ports.events.number_waiting(account_id):
        pass
    endpoints = ports.endpoints.of_account(account_id)
    place = ports.endpoints.fanned_out(account_id)
    if place > ports.events.last_number(account_id):
        place = 0  # the table was restored
    made = 0
    while page := ports.events.after(account_id, place, PAGE):
        for number, event in page:
            made += deliver_to(ports, event, endpoints)
            place = number
        ports.endpoints.note_fanned_out(account_id, place)
    return made


def _unsent(delivery: Delivery) -> bool:
    """Whether nobody has tried it yet: who made it may have died before it was sent."""
    return delivery.state is DeliveryState.PENDING and delivery.run == delivery.attempts == 0
