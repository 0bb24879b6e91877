"""Deliveries of an endpoint, for its owner: list, read and replay them."""

from __future__ import annotations

import json

from chalicelib.domain import cursor as cursors
from chalicelib.domain.delivery import Attempt, Delivery, DeliveryState, restart
from chalicelib.domain.failure import Failure
from chalicelib.services.delivery import dispatch, endpoints
from chalicelib.services.dependencies import Dependencies
from chalicelib.store.contention import tries
from chalicelib.store.deliveries import DeliveryChanged
from chalicelib.store.table import Contention

MAX_LIMIT = 100


class UnknownDelivery(Failure, LookupError):
    """The endpoint has no such delivery (any more)."""

    code = "delivery_not_found"


def page(  # noqa: PLR0913 - filter, cursor and limit
    deps: Dependencies,
    account_id: str,
    endpoint_id: str,
    *,
    state: DeliveryState | None,
    limit: int,
    cursor: str | None,
) -> tuple[list[Delivery], str | None]:
    """Return up to `limit` deliveries, newest first, and the next cursor (None at the end). Raises
    UnknownEndpoint, BadCursor.
    """
    endpoints.own(deps, account_id, endpoint_id)
    listing = f"deliveries of {endpoint_id}"
    after = None
    if cursor:
        after = json.loads(cursors.unseal(deps.secrets.tokens, account_id, listing, cursor))
    found, more = deps.stores.deliveries.page(endpoint_id, state=state, limit=limit, after=after)
    if more is None:
        return found, None
    place = json.dumps(more, separators=(",", ":"))
    return found, cursors.seal(deps.secrets.tokens, account_id, listing, place)


def see(
    deps: Dependencies, account_id: str, endpoint_id: str, delivery_id: str
) -> tuple[Delivery, list[Attempt]]:
    """Return a delivery and its tries. Raises UnknownEndpoint, UnknownDelivery."""
    delivery = _own(deps, account_id, endpoint_id, delivery_id)
    return delivery, deps.stores.deliveries.tries(delivery_id)


def replay(deps: Dependencies, account_id: str, endpoint_id: str, delivery_id: str) -> Delivery:
    """Send the delivery again from the start; return it. Raises UnknownEndpoint, UnknownDelivery,
    EndpointDisabled.
    """
    endpoints.own_enabled(deps, account_id, endpoint_id)
    for _ in tries():
        before = _own(deps, account_id, endpoint_id, delivery_id)
        after = restart(before, deps.now())
        try:
            deps.stores.deliveries.change(before, after)
        except (DeliveryChanged, Contention):
            continue
        dispatch.send(deps, after)
        return after
    raise Contention


def _own(deps: Dependencies, account_id: str, endpoint_id: str, delivery_id: str) -> Delivery:
    endpoints.own(deps, account_id, endpoint_id)
    delivery = deps.stores.deliveries.get(endpoint_id, delivery_id)
    if delivery is None or delivery.account_id != account_id:
        raise UnknownDelivery(delivery_id)
    return delivery
