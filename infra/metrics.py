"""Metrics, made by filters of the parts' log lines, so that the product needs no CloudWatch.

Each metric is made of one of our log lines, found by its message or its fields; tests/infra checks
that the code still logs the line. A pattern names the field that is published (`= *`), since
CloudWatch publishes only fields that the pattern has matched.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.settings import FUNCTIONS

RELAY_CALLS = "RelayCalls"
VOICE_CALLS = "VoiceCalls"

_TRANSITION = '$.logger = "chalicelib.services.call.call_writes"'
_DELIVERY = '$.logger = "chalicelib.services.delivery.delivery_tries"'
_COUNTS = '$.message = "counts"'
_CALLS = ("webhook_handler", "api_handler", "expire_ring", "sweep", "deliver_event")
"""Functions in which calls change: the answer to a delivery may accept a call, too."""


@dataclass(frozen=True)
class LineMetric:
    """A metric: `value` of each line in the logs of `parts` that matches `pattern`."""

    name: str
    parts: tuple[str, ...]
    pattern: str
    value: str = "1"
    unit: str = "Count"


def _state(name: str, state: str) -> LineMetric:
    return LineMetric(name, _CALLS, f'{{ {_TRANSITION} && $.state = "{state}" }}')


def _relay(name: str, field: str) -> LineMetric:
    return LineMetric(name, ("relay",), f"{{ {_COUNTS} && $.{field} = * }}", f"$.{field}")


def _gateway(name: str, field: str, unit: str = "Count") -> LineMetric:
    pattern = f"{{ {_COUNTS} && $.{field} = * }}"
    return LineMetric(name, ("gateway",), pattern, f"$.{field}", unit)


def _voice(name: str, field: str) -> LineMetric:
    return LineMetric(name, ("voice",), f"{{ {_COUNTS} && $.{field} = * }}", f"$.{field}")


METRICS = (
    LineMetric("CallsRinging", ("webhook_handler",), '{ $.message = "call rings" }'),
    LineMetric("CallsDialled", ("api_handler",), '{ $.message = "call dialled" }'),
    _state("CallsAnswered", "active"),
    _state("CallsMissed", "missed"),
    _state("CallsDeclined", "declined"),
    _state("CallsEnded", "ended"),
    _state("CallsFailed", "failed"),
    LineMetric(
        "WebhookLatency",
        ("access",),
        '{ $.route = "/webhooks/*" && $.latency_ms = * }',
        "$.latency_ms",
        "Milliseconds",
    ),
    LineMetric("DialsRefused", ("access",), '{ $.route = "/api/call" && $.status >= 400 }'),
    LineMetric(
        "WebhooksUnsigned",
        ("access",),
        '{ ($.route = "/webhooks/*" && $.status = 403) || '
        '(($.route = "/media/*" || $.route = "/gateway/*" || $.route = "/voice/*") '
        "&& $.status = 401) }",
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
        f'{{ {_DELIVERY} && $.message = "delivery *" && $.latency_ms = * }}',
        "$.latency_ms",
        "Milliseconds",
    ),
    LineMetric("EndpointsDisabled", FUNCTIONS, '{ $.message = "endpoint disabled*" }'),
    LineMetric("AccountsCreated", ("api_handler",), '{ $.message = "account created" }'),
    LineMetric("Errors", FUNCTIONS, '{ $.level = "error" }'),
    LineMetric(
        "SecretsClosed", FUNCTIONS, '{ $.message = "vault: *" || $.message = "secrets: *" }'
    ),
    LineMetric("TableUnavailable", FUNCTIONS, '{ $.message = "table: *" }'),
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
    _gateway("SipLag", "sip_lag_ms", "Milliseconds"),
    LineMetric("GatewayErrors", ("gateway",), '{ $.level = "error" }'),
    _voice(VOICE_CALLS, "calls"),
    _voice("VoiceRefused", "refused"),
    _voice("VoiceUnheard", "unheard"),
    _voice("VoiceUnspoken", "unspoken"),
    LineMetric("VoiceErrors", ("voice",), '{ $.level = "error" }'),
)
"""All metrics of ours. A metric of several parts is the sum of their lines."""


def of_installation(*, sip: bool, hosted_voice: bool) -> list[LineMetric]:
    """Return the metrics of the parts that are installed."""
    absent = {part for part, there in (("gateway", sip), ("voice", hosted_voice)) if not there}
    return [each for each in METRICS if not absent & set(each.parts)]
