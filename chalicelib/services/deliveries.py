"""What was sent to an endpoint, for its owner: listed, looked at, sent again."""

from __future__ import annotations

import json

from chalicelib.domain import cursor as cursors
from chalicelib.domain.delivery import Attempt, Delivery, DeliveryState, replayed
from chalicelib.services import endpoints
from chalicelib.services.ports import Ports
from chalicelib.services.trunks import step_aside
from chalicelib.store.deliveries import DeliveryChanged
from chalicelib.store.table import Contention

MAX_LIMIT = 100
MAX_ROUNDS = 25


class UnknownDelivery(LookupError):
    """The endpoint has no such delivery (any more)."""


def page(  # noqa: PLR0913 - a filter, a place, a length
    ports: Ports,
    account_id: str,
    endpoint_id: str,
    *,
    state: DeliveryState | None,
    limit: int,
    cursor: str | None,
) -> tuple[list[Delivery], str | None]:
    """Up to `limit` deliveries, newest first, and the next cursor (None at the end).
    UnknownEndpoint, BadCursor.
    """
    endpoints.own(ports, account_id, endpoint_id)
    listing = f"deliveries of {endpoint_id}"
    after = None
    if cursor:
        after = json.loads(cursors.unseal(ports.token_secret, account_id, listing, cursor))
    found, more = ports.deliveries.page(endpoint_id, state=state, limit=limit, after=after)
    if more is None:
        return found, None
    place = json.dumps(more, separators=(",", ":"))
    return found, cursors.seal(ports.token_secret, account_id, listing, place)


def see(
    ports: Ports, account_id: str, endpoint_id: str, delivery_id: str
) -> tuple[Delivery, list[Attempt]]:
    """A delivery and its tries. UnknownEndpoint, UnknownDelivery."""
    delivery = _own(ports, account_id, endpoint_id, delivery_id)
    return delivery, ports.deliveries.tries(delivery_id)


def replay(ports: Ports, account_id: str, endpoint_id: str, delivery_id: str) -> Delivery:
    """The delivery, sent again from the start. UnknownEndpoint, UnknownDelivery,
    EndpointDisabled.
    """
    endpoints.own_enabled(ports, account_id, endpoint_id)
    for _ in range(MAX_ROUNDS):
        before = _own(ports, account_id, endpoint_id, delivery_id)
        after = replayed(before, ports.now())
        try:
            ports.deliveries.change(before, after)
        except (DeliveryChanged, Contention):
            step_aside()
            continue
        ports.courier.send(after)
        return after
    raise Contention


def _own(ports: Ports, account_id: str, endpoint_id: str, delivery_id: str) -> Delivery:
    endpoints.own(ports, account_id, endpoint_id)
    delivery = ports.deliveries.get(endpoint_id, delivery_id)
    if delivery is None or delivery.account_id != account_id:
        raise UnknownDelivery(delivery_id)
    return delivery
