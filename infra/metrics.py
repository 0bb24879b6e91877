"""Metrics, made of the parts' log lines by filters: nothing in the product knows CloudWatch.

Each is one line of ours, named by its message or its fields; tests/infra checks that the code still
logs it.
"""

from __future__ import annotations

from dataclasses import dataclass

RELAY_CALLS = "RelayCalls"

_TRANSITION = '$.logger = "chalicelib.services.transition"'
_DELIVERY = '$.logger = "chalicelib.services.deliver"'
_COUNTS = '$.message = "counts"'
_FUNCTIONS = ("api_handler", "expire_ring", "sweep", "fan_out_events", "deliver_event")
_CALLS = ("api_handler", "expire_ring", "sweep", "deliver_event")
"""Functions in which calls change: also a delivery's answer may accept one."""


@dataclass(frozen=True)
class LineMetric:
    """A metric: in the logs of `parts`, of each line that `pattern` fits, `value`."""

    name: str
    parts: tuple[str, ...]
    pattern: str
    value: str = "1"
    unit: str = "Count"


def _state(name: str, state: str) -> LineMetric:
    return LineMetric(name, _CALLS, f'{{ {_TRANSITION} && $.state = "{state}" }}')


def _relay(name: str, field: str) -> LineMetric:
    return LineMetric(name, ("relay",), f"{{ {_COUNTS} }}", f"$.{field}")


def _gateway(name: str, field: str, unit: str = "Count") -> LineMetric:
    return LineMetric(name, ("gateway",), f"{{ {_COUNTS} }}", f"$.{field}", unit)


METRICS = (
    LineMetric("CallsRinging", ("api_handler",), '{ $.message = "call rings" }'),
    LineMetric("CallsDialled", ("api_handler",), '{ $.message = "call dialled" }'),
    _state("CallsAnswered", "active"),
    _state("CallsMissed", "missed"),
    _state("CallsDeclined", "declined"),
    _state("CallsEnded", "ended"),
    _state("CallsFailed", "failed"),
    LineMetric(
        "WebhookLatency",
        ("access",),
        '{ $.route = "/webhooks/*" }',
        "$.latency_ms",
        "Milliseconds",
    ),
    LineMetric("DialsRefused", ("access",), '{ $.route = "/api/call" && $.status >= 400 }'),
    LineMetric(
        "WebhooksUnsigned",
        ("access",),
        '{ $.route = "/webhooks/*" && $.status = 403 }',
    ),
    LineMetric(
        "DeliveriesDelivered",
        ("deliver_event",),
        f'{{ {_DELIVERY} && $.message = "delivery delivered" }}',
    ),
    LineMetric(
        "DeliveriesFailed",
        ("deliver_event",),
        f'{{ {_DELIVERY} && $.message = "delivery failed" }}',
    ),
    LineMetric(
        "DeliveryLatency",
        ("deliver_event",),
        f'{{ {_DELIVERY} && $.message = "delivery *" }}',
        "$.latency_ms",
        "Milliseconds",
    ),
    LineMetric("EndpointsDisabled", _FUNCTIONS, '{ $.message = "endpoint disabled*" }'),
    LineMetric("AccountsCreated", ("api_handler",), '{ $.message = "account created" }'),
    LineMetric("Errors", _FUNCTIONS, '{ $.level = "error" }'),
    LineMetric(
        "SecretsClosed", _FUNCTIONS, '{ $.message = "vault: *" || $.message = "secrets: *" }'
    ),
    LineMetric("TableUnavailable", _FUNCTIONS, '{ $.message = "table: *" }'),
    _relay(RELAY_CALLS, "calls"),
    _relay("RelayDrops", "dropped"),
    _relay("RelayRefused", "refused"),
    _relay("RelayUnreached", "unreached"),
    _relay("RelayUnanswered", "unanswered"),
    LineMetric("RelayErrors", ("relay",), '{ $.level = "error" }'),
    _gateway("GatewayCalls", "calls"),
    _gateway("TrunksRegistered", "trunks_registered"),
    _gateway("TrunksFailed", "trunks_failed"),
    _gateway("GatewayRefused", "refused"),
    _gateway("GatewayWebhookErrors", "webhook_errors"),
    _gateway("GatewayStreamsFailed", "streams_failed"),
    _gateway("SipRestarts", "sip_restarts"),
    _gateway("SipLag", "sip_lag_ms", "Milliseconds"),
    LineMetric("GatewayErrors", ("gateway",), '{ $.level = "error" }'),
)
"""All metrics of ours. One that several parts have is one: their lines add up."""


def of_installation(*, sip: bool) -> list[LineMetric]:
    """Those of the parts that there are."""
    return [each for each in METRICS if sip or each.parts != ("gateway",)]
