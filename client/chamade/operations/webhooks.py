"""`/api/webhooks…`: endpoints, their secrets, what was posted to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chamade.decoding import Page
from chamade.http.operation import Group, Shell, given, listed, operation, part
from chamade.http.request import Request
from chamade.models import Delivery, Endpoint, NewEndpoint
from chamade.operations.shapes import nothing, page, shape, shapes


class Webhooks(Group[Shell]):
    """URLs of yours to which events are posted, signed (`chamade.webhooks.verify`)."""

    @operation
    def list(self) -> Request[list[Endpoint]]:
        """List your endpoints."""
        return Request("GET", "/api/webhooks", shapes(Endpoint, "webhooks"))

    @operation
    def get(self, endpoint_id: str) -> Request[Endpoint]:
        """Get one of your endpoints."""
        return Request("GET", f"/api/webhooks/{part(endpoint_id)}", shape(Endpoint))

    @operation
    def create(
        self,
        url: str,
        *,
        events: Sequence[str] | None = None,
        label: str | None = None,
        idempotency_key: str | None = None,
    ) -> Request[NewEndpoint]:
        """Have events posted to a URL from now on; this answer alone shows the secret."""
        wishes = given(events=events, label=label)
        return Request(
            "POST",
            "/api/webhooks",
            shape(NewEndpoint),
            body={"url": url, **wishes},
            creates=True,
            idempotency_key=idempotency_key,
        )

    @operation
    def change(
        self,
        endpoint_id: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        label: str | None = None,
        enabled: bool | None = None,
    ) -> Request[Endpoint]:
        """Change what is given."""
        wishes = given(
            url=url,
            events=events,
            label=label,
            enabled=enabled,
        )
        path = f"/api/webhooks/{part(endpoint_id)}"
        return Request("PATCH", path, shape(Endpoint), body=wishes)

    @operation
    def delete(self, endpoint_id: str) -> Request[None]:
        """Delete an endpoint: nothing is posted there any more."""
        return Request("DELETE", f"/api/webhooks/{part(endpoint_id)}", nothing)

    @operation
    def rotate_secret(
        self, endpoint_id: str, *, overlap_s: int | None = None
    ) -> Request[NewEndpoint]:
        """Make a new secret; for `overlap_s` (default a day) the old one signs as well."""
        path = f"/api/webhooks/{part(endpoint_id)}/rotate-secret"
        return Request("POST", path, shape(NewEndpoint), body=given(overlap_s=overlap_s))

    @operation
    def test(self, endpoint_id: str) -> Request[Delivery]:
        """Post a `webhook.test` there, once."""
        return Request("POST", f"/api/webhooks/{part(endpoint_id)}/test", shape(Delivery))

    @listed
    def deliveries(
        self, endpoint_id: str, *, state: str | None = None, page_size: int = 50
    ) -> Callable[[str | None], Request[Page[Delivery]]]:
        """List what was posted to an endpoint, or is to be, newest first."""
        path = f"/api/webhooks/{part(endpoint_id)}/deliveries"
        return lambda cursor: Request(
            "GET",
            path,
            page(Delivery, "deliveries"),
            {"state": state, "limit": page_size, "cursor": cursor},
        )

    @operation
    def delivery(self, endpoint_id: str, delivery_id: str) -> Request[Delivery]:
        """Get a delivery; `raw` has its body and every try."""
        path = f"/api/webhooks/{part(endpoint_id)}/deliveries/{part(delivery_id)}"
        return Request("GET", path, shape(Delivery))

    @operation
    def replay(self, endpoint_id: str, delivery_id: str) -> Request[Delivery]:
        """Post a delivery again: the same body with the same id."""
        path = f"/api/webhooks/{part(endpoint_id)}/deliveries/{part(delivery_id)}/replay"
        return Request("POST", path, shape(Delivery))
