"""The models of answers about webhook endpoints, as the description of the API shows them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from chalicelib.domain.delivery import DELIVERY_ID, SHOWN_CHARACTERS, DeliveryState
from chalicelib.domain.endpoint import ENDPOINT_ID, DisabledReason
from chalicelib.domain.event import EventType
from chalicelib.handlers.views import Time, View


class Endpoint(View):
    """A URL of yours that events are posted to, without its secret."""

    endpoint_id: str = Field(pattern=f"^{ENDPOINT_ID.pattern}$")
    url: str
    events: list[str] = Field(
        description="types such as `call.ringing`, all of a kind such as `call.*`, or `*`"
    )
    label: str
    enabled: bool
    disabled_reason: DisabledReason | None = Field(
        description="`owner`: you did; `gone`: it answered 410; `failing`: it took nothing for "
        "five days"
    )
    failing_since: Time | None = Field(description="the first failed try since its last success")
    previous_secret_until: Time | None = Field(
        description="until then the former secret signs, too"
    )
    created_at: Time
    updated_at: Time


class EndpointWithSecret(Endpoint):
    """An endpoint with its secret, which no other answer shows."""

    secret: str = Field(
        description="`whsec_` and base64, for any Standard Webhooks library; keep it: no other "
        "answer shows it"
    )


class Endpoints(View):
    """The account's endpoints, oldest first."""

    webhooks: list[Endpoint]


class EndpointAction(View):
    """An endpoint's answer to `call.ringing`, and its result."""

    action: str
    result: str = Field(
        description="`done`; why not, such as `call_not_ringing` or `call_over`; `replay`, "
        "`unknown_action`"
    )


class Delivery(View):
    """One event on its way to one endpoint."""

    delivery_id: str = Field(pattern=f"^{DELIVERY_ID.pattern}$")
    endpoint_id: str
    event_id: str = Field(description="the `webhook-id` of every try")
    type: EventType
    state: DeliveryState
    attempts: int = Field(description="tries, those before a replay included")
    replays: int
    status: int | None = Field(description="the last answer's, if there was one")
    error: str | None = Field(description="what went wrong with the last try before an answer")
    action: EndpointAction | None
    next_at: Time | None = Field(description="the next try, if there is to be one")
    created_at: Time
    updated_at: Time


class Deliveries(View):
    """A page of deliveries, newest first."""

    deliveries: list[Delivery]
    next_cursor: str | None = Field(description="hand it back as `cursor`; null at the end")


class DeliveryTry(View):
    """One try of a delivery."""

    number: int
    at: Time
    status: int | None
    latency_ms: int
    answer: str = Field(description=f"the first {SHOWN_CHARACTERS} characters of the answer")
    error: str | None
    action: EndpointAction | None


class DeliveryWithTries(Delivery):
    """A delivery with its body and its tries."""

    body: dict[str, Any] = Field(description="what is posted")
    tries: list[DeliveryTry] = Field(description="in order, the last 50")
