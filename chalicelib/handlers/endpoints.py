"""`/api/webhooks…`: URLs of accounts to which events are posted, and their deliveries.

Webhooks of trunking providers are in `webhooks.py`.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from chalicelib.domain import delivery as deliveries_domain
from chalicelib.domain.delivery import Delivery, DeliveryState
from chalicelib.domain.endpoint import (
    DEFAULT_OVERLAP_S,
    MAX_OVERLAP_S,
    Endpoint,
    EndpointChanges,
    NewEndpoint,
    public_view,
)
from chalicelib.domain.model import Strict
from chalicelib.handlers import endpoint_views as views
from chalicelib.handlers.operation import Answer, Limit, NoBody, NoQuery, Operations, Request
from chalicelib.services.delivery import delivery_log, endpoints

operations = Operations("endpoints")

_NOT_FOUND = ("endpoint_not_found",)
_VAULT = ("vault_missing", "vault_unavailable")
_EXAMPLE = {"url": "https://agent.example/chamade", "events": ["call.*"], "label": "Agent"}


class Rotation(Strict):
    """A rotation of the secret, and how long the old one still signs."""

    overlap_s: int = Field(
        default=DEFAULT_OVERLAP_S,
        ge=0,
        le=MAX_OVERLAP_S,
        description="seconds for which deliveries are signed with the old secret, too",
    )


class DeliveriesQuery(Strict):
    """Filter and page of a list of deliveries."""

    state: DeliveryState | None = Field(default=None, description="only deliveries in this state")
    limit: int = Field(
        default=50, ge=1, le=delivery_log.MAX_LIMIT, description="deliveries in a page"
    )
    cursor: str | None = Field(
        default=None, description="`next_cursor` of the page before this one"
    )


@operations.post(
    "/api/webhooks",
    body=NewEndpoint,
    answer=views.EndpointWithSecret,
    location=lambda endpoint, _: f"/api/webhooks/{endpoint['endpoint_id']}",
    problems=("private_url", "too_many_endpoints", *_VAULT),
    example=_EXAMPLE,
    limit=Limit("create_endpoint", 30, 3600),
    idempotent=True,
)
def create_endpoint(request: Request[NewEndpoint, NoQuery]) -> Answer:
    """Have events posted to a URL of yours, signed as Standard Webhooks 1.0.0 says.

    The secret is in this answer only.
    """
    endpoint, secret = endpoints.create(request.deps, request.account_id, request.body)
    return {**public_view(endpoint), "secret": secret}


@operations.get("/api/webhooks", answer=views.Endpoints)
def list_endpoints(request: Request[NoBody, NoQuery]) -> Answer:
    """List your endpoints, oldest first."""
    listed = request.deps.stores.endpoints.of_account(request.account_id)
    return {"webhooks": [public_view(endpoint) for endpoint in listed]}


@operations.get("/api/webhooks/{endpoint_id}", answer=views.Endpoint, problems=_NOT_FOUND)
def get_endpoint(request: Request[NoBody, NoQuery]) -> Answer:
    """Show an endpoint."""
    return public_view(_own(request))


@operations.patch(
    "/api/webhooks/{endpoint_id}",
    body=EndpointChanges,
    answer=views.Endpoint,
    problems=(*_NOT_FOUND, "private_url"),
    example={"enabled": True},
)
def change_endpoint(request: Request[EndpointChanges, NoQuery]) -> Answer:
    """Set URL, events, label, or whether it is enabled; what is not given stays.

    A disabled endpoint gets nothing, and deliveries on their way stop. Once enabled again, it gets
    the events from then on; those that it missed can be replayed.
    """
    endpoint_id = request.path["endpoint_id"]
    return public_view(
        endpoints.change(request.deps, request.account_id, endpoint_id, request.body)
    )


@operations.delete("/api/webhooks/{endpoint_id}", problems=_NOT_FOUND)
def delete_endpoint(request: Request[NoBody, NoQuery]) -> Answer:
    """Delete an endpoint; deliveries on their way to it stop."""
    endpoints.remove(request.deps, request.account_id, request.path["endpoint_id"])
    return None


@operations.post(
    "/api/webhooks/{endpoint_id}/rotate-secret",
    body=Rotation,
    answer=views.EndpointWithSecret,
    problems=(*_NOT_FOUND, *_VAULT),
    example={"overlap_s": 3600},
    limit=Limit("rotate_endpoint_secret", 60, 3600),
)
def rotate_endpoint_secret(request: Request[Rotation, NoQuery]) -> Answer:
    """Get a new secret, in this answer only.

    Until `overlap_s` are over deliveries carry two signatures, one of each secret.
    """
    endpoint_id, overlap_s = request.path["endpoint_id"], request.body.overlap_s
    endpoint, secret = endpoints.rotate(request.deps, request.account_id, endpoint_id, overlap_s)
    return {**public_view(endpoint), "secret": secret}


@operations.post(
    "/api/webhooks/{endpoint_id}/test",
    answer=views.Delivery,
    status=202,
    problems=(*_NOT_FOUND, "endpoint_disabled"),
    limit=Limit("test_endpoint", 60, 3600),
)
def test_endpoint(request: Request[NoBody, NoQuery]) -> Answer:
    """Send a `webhook.test` to this endpoint, once; the delivery shows the outcome."""
    endpoint_id = request.path["endpoint_id"]
    return _view(endpoints.test(request.deps, request.account_id, endpoint_id))


@operations.get(
    "/api/webhooks/{endpoint_id}/deliveries",
    query=DeliveriesQuery,
    answer=views.Deliveries,
    problems=(*_NOT_FOUND, "bad_cursor"),
)
def list_deliveries(request: Request[NoBody, DeliveriesQuery]) -> Answer:
    """List the deliveries of an endpoint, newest first, for 14 days.

    With a filter a page may be short, even empty, and still go on.
    """
    found, cursor = delivery_log.page(
        request.deps, request.account_id, request.path["endpoint_id"], **dict(request.query)
    )
    return {"deliveries": [_view(delivery) for delivery in found], "next_cursor": cursor}


@operations.get(
    "/api/webhooks/{endpoint_id}/deliveries/{delivery_id}",
    answer=views.DeliveryWithTries,
    problems=(*_NOT_FOUND, "delivery_not_found"),
)
def get_delivery(request: Request[NoBody, NoQuery]) -> Answer:
    """Show a delivery: what is posted, and what came of each try."""
    delivery, tries = delivery_log.see(request.deps, request.account_id, **request.path)
    return {
        **_view(delivery),
        "body": json.loads(delivery.body),
        "tries": [each.model_dump(mode="json") for each in tries],
    }


@operations.post(
    "/api/webhooks/{endpoint_id}/deliveries/{delivery_id}/replay",
    answer=views.Delivery,
    status=202,
    problems=(*_NOT_FOUND, "delivery_not_found", "endpoint_disabled"),
    limit=Limit("replay_delivery", 1000, 3600),
)
def replay_delivery(request: Request[NoBody, NoQuery]) -> Answer:
    """Send a delivery again, whatever became of it: the same body with the same `webhook-id`."""
    return _view(delivery_log.replay(request.deps, request.account_id, **request.path))


def _own(request: Request[Any, Any]) -> Endpoint:
    return endpoints.own(request.deps, request.account_id, request.path["endpoint_id"])


def _view(delivery: Delivery) -> dict[str, Any]:
    return deliveries_domain.public_view(delivery)
