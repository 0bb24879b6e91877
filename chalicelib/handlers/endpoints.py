"""`/api/webhooks…`: endpoints of an owner's own that events are posted to, and what was posted.

What trunking providers post to us is in `webhooks.py`.
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
from chalicelib.domain.shape import Strict
from chalicelib.handlers import endpoint_views as views
from chalicelib.handlers.operation import Answer, Asked, Limit, NoBody, NoQuery, Operations
from chalicelib.services import deliveries, endpoints

operations = Operations("endpoints")

_NOT_FOUND = ("endpoint_not_found",)
_VAULT = ("vault_missing", "vault_unavailable")
_EXAMPLE = {"url": "https://agent.example/chamade", "events": ["call.*"], "label": "Agent"}


class Rotation(Strict):
    """How long the old secret counts."""

    overlap_s: int = Field(
        default=DEFAULT_OVERLAP_S,
        ge=0,
        le=MAX_OVERLAP_S,
        description="seconds for which deliveries are signed with the old secret, too",
    )


class DeliveriesQuery(Strict):
    """Which deliveries."""

    state: DeliveryState | None = Field(default=None, description="only deliveries in this state")
    limit: int = Field(
        default=50, ge=1, le=deliveries.MAX_LIMIT, description="deliveries in a page"
    )
    cursor: str | None = Field(
        default=None, description="`next_cursor` of the page before this one"
    )


@operations.post(
    "/api/webhooks",
    body=NewEndpoint,
    answer=views.EndpointWithSecret,
    location=lambda endpoint: f"/api/webhooks/{endpoint['endpoint_id']}",
    problems=("private_url", "too_many_endpoints", *_VAULT),
    example=_EXAMPLE,
    limit=Limit("create_endpoint", 30, 3600),
    idempotent=True,
)
def create_endpoint(asked: Asked[NewEndpoint, NoQuery]) -> Answer:
    """Have events posted to a URL of yours, signed as Standard Webhooks 1.0.0 says.

    The secret is in this answer only.
    """
    endpoint, secret = endpoints.create(asked.ports, asked.account_id, asked.body)
    return {**public_view(endpoint), "secret": secret}


@operations.get("/api/webhooks", answer=views.Endpoints)
def list_endpoints(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Your endpoints, oldest first."""
    listed = asked.ports.endpoints.of_account(asked.account_id)
    return {"webhooks": [public_view(endpoint) for endpoint in listed]}


@operations.get("/api/webhooks/{endpoint_id}", answer=views.Endpoint, problems=_NOT_FOUND)
def get_endpoint(asked: Asked[NoBody, NoQuery]) -> Answer:
    """One endpoint."""
    return public_view(_own(asked))


@operations.patch(
    "/api/webhooks/{endpoint_id}",
    body=EndpointChanges,
    answer=views.Endpoint,
    problems=(*_NOT_FOUND, "private_url"),
    example={"enabled": True},
)
def change_endpoint(asked: Asked[EndpointChanges, NoQuery]) -> Answer:
    """Set URL, events, label, or whether it is enabled; what is not given stays.

    Disabled, it is sent nothing, and what is on its way stops. Enabled again, it is sent what
    happens from then on; what it missed can be replayed.
    """
    endpoint_id = asked.path["endpoint_id"]
    return public_view(endpoints.change(asked.ports, asked.account_id, endpoint_id, asked.body))


@operations.delete("/api/webhooks/{endpoint_id}", problems=_NOT_FOUND)
def delete_endpoint(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Forget an endpoint; what is on its way to it stops."""
    endpoints.remove(asked.ports, asked.account_id, asked.path["endpoint_id"])
    return None


@operations.post(
    "/api/webhooks/{endpoint_id}/rotate-secret",
    body=Rotation,
    answer=views.EndpointWithSecret,
    problems=(*_NOT_FOUND, *_VAULT),
    example={"overlap_s": 3600},
    limit=Limit("rotate_endpoint_secret", 60, 3600),
)
def rotate_endpoint_secret(asked: Asked[Rotation, NoQuery]) -> Answer:
    """Get a new secret, in this answer only.

    Until `overlap_s` are over deliveries carry two signatures, one of each secret.
    """
    endpoint_id, overlap_s = asked.path["endpoint_id"], asked.body.overlap_s
    endpoint, secret = endpoints.rotate(asked.ports, asked.account_id, endpoint_id, overlap_s)
    return {**public_view(endpoint), "secret": secret}


@operations.post(
    "/api/webhooks/{endpoint_id}/test",
    answer=views.Delivery,
    status=202,
    problems=(*_NOT_FOUND, "endpoint_disabled"),
    limit=Limit("test_endpoint", 60, 3600),
)
def test_endpoint(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Send a `webhook.test` to this endpoint, once; look at the delivery for what came of it."""
    endpoint_id = asked.path["endpoint_id"]
    return _view(endpoints.test(asked.ports, asked.account_id, endpoint_id))


@operations.get(
    "/api/webhooks/{endpoint_id}/deliveries",
    query=DeliveriesQuery,
    answer=views.Deliveries,
    problems=(*_NOT_FOUND, "bad_cursor"),
)
def list_deliveries(asked: Asked[NoBody, DeliveriesQuery]) -> Answer:
    """What was sent to an endpoint, newest first, for 14 days.

    With a filter a page may be short, even empty, and still go on.
    """
    found, cursor = deliveries.page(
        asked.ports, asked.account_id, asked.path["endpoint_id"], **dict(asked.query)
    )
    return {"deliveries": [_view(delivery) for delivery in found], "next_cursor": cursor}


@operations.get(
    "/api/webhooks/{endpoint_id}/deliveries/{delivery_id}",
    answer=views.DeliveryWithTries,
    problems=(*_NOT_FOUND, "delivery_not_found"),
)
def get_delivery(asked: Asked[NoBody, NoQuery]) -> Answer:
    """One delivery: what is posted, and what came of each try."""
    delivery, tries = deliveries.see(asked.ports, asked.account_id, **asked.path)
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
def replay_delivery(asked: Asked[NoBody, NoQuery]) -> Answer:
    """Send a delivery again, whatever became of it: the same body with the same `webhook-id`."""
    return _view(deliveries.replay(asked.ports, asked.account_id, **asked.path))


def _own(asked: Asked[Any, Any]) -> Endpoint:
    return endpoints.own(asked.ports, asked.account_id, asked.path["endpoint_id"])


def _view(delivery: Delivery) -> dict[str, Any]:
    return deliveries_domain.public_view(delivery)
