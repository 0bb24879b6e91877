"""Alarms: what is out of order, and which section of docs/runbooks.md says what to do.

The one truth about anchors: each alarm's description ends with its link, and tests/infra checks
that the section is there once the page is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RUNBOOKS = "docs/runbooks.md"

Source = Literal[
    "log", "function", "api", "balancer", "relay", "gateway", "queue", "ring", "delivery",
    "certificate",
]  # fmt: skip


@dataclass(frozen=True)
class Alarm:
    """`metric` of `source` (log: one of infra/metrics.py; else AWS's own) is beyond `threshold` for
    `periods` of `period_s` seconds.
    """

    name: str
    says: str
    anchor: str
    source: Source
    metric: str
    threshold: float
    statistic: str = "Sum"
    below: bool = False
    period_s: int = 300
    periods: int = 1
    silence_is_bad: bool = False
    """Whether no data at all is an alarm."""

    @property
    def runbook(self) -> str:
        """The section that says what to do."""
        return f"{RUNBOOKS}#{self.anchor}"


ALARMS = (
    Alarm(
        "errors", "The functions log errors of ours", "errors", "log", "Errors", 5,
    ),
    Alarm(
        "function-errors", "A function ended with an exception, or ran out of time or memory",
        "function-errors", "function", "Errors", 0,
    ),
    Alarm(
        "function-throttled", "Lambda refuses executions: the account's or the function's limit",
        "throttling", "function", "Throttles", 0,
    ),
    Alarm(
        "api-5xx", "The API answers with 5xx", "api-5xx", "api", "5XXError", 5,
    ),
    Alarm(
        "webhooks-slow", "Providers wait for our webhooks: callers hear it", "webhooks-slow",
        "log", "WebhookLatency", 3000, statistic="p95", periods=2,
    ),
    Alarm(
        "webhooks-unsigned",
        "Webhooks come with wrong signatures: a wrong token or URL, or somebody tries",
        "webhooks-unsigned", "log", "WebhooksUnsigned", 10,
    ),
    Alarm(
        "table-unavailable", "DynamoDB does not answer, or throttles", "table-unavailable",
        "log", "TableUnavailable", 0,
    ),
    Alarm(
        "secrets", "Secrets or keys cannot be had (Secrets Manager, KMS)", "secrets", "log",
        "SecretsClosed", 0,
    ),
    Alarm(
        "calls-failed", "Calls fail: no stream from the provider, or the provider gave them up",
        "calls-failed", "log", "CallsFailed", 5,
    ),
    Alarm(
        "dials-refused",
        "Far more dials are refused than usual: an agent loops, or a key was stolen",
        "dialling-refused-surge", "log", "DialsRefused", 50,
    ),
    Alarm(
        "certificate", "A certificate ends soon and was not renewed", "certificate-expiry",
        "certificate", "DaysToExpiry", 21, below=True, period_s=86400,
    ),
    Alarm(
        "ring-machine", "Ring deadlines are not enforced by their executions", "ring-deadline",
        "ring", "ExecutionsFailed", 0,
    ),
    Alarm(
        "delivery-machine", "Deliveries of webhooks break off", "deliveries", "delivery",
        "ExecutionsFailed", 0,
    ),
    Alarm(
        "deliveries-failed", "Deliveries were given up after their last try", "deliveries", "log",
        "DeliveriesFailed", 20, period_s=3600,
    ),
    Alarm(
        "stream-lost",
        "Batches of the table's stream were given up; the sweep hands the events out",
        "stream-lost", "queue", "ApproximateNumberOfMessagesVisible", 0, statistic="Maximum",
    ),
    Alarm(
        "relay-down", "Fewer relays are healthy than the operator wants at least", "relay-down",
        "balancer", "HealthyHostCount", 1, statistic="Minimum", below=True, period_s=60, periods=3,
        silence_is_bad=True,
    ),
    Alarm(
        "relay-full", "Relays carry more calls each than they should, and no more are started",
        "relay-full", "log", "RelayCalls", 1.25, statistic="Average", period_s=60, periods=5,
    ),
    Alarm(
        "relay-drops", "Relays drop audio", "relay-drops", "log", "RelayDrops", 500,
    ),
    Alarm(
        "relay-unanswered", "The application does not answer the relays", "relay-unanswered", "log",
        "RelayUnanswered", 5,
    ),
    Alarm(
        "gateway-down", "The gateway is not running, or not healthy", "gateway-down", "gateway",
        "HealthyHostCount", 1, statistic="Minimum", below=True, period_s=60, periods=3,
        silence_is_bad=True,
    ),
    Alarm(
        "trunks-failed", "Trunks are not registered", "trunks-failed", "log", "TrunksFailed", 0,
        statistic="Maximum", periods=3,
    ),
    Alarm(
        "sip-restarts", "SIP processes end and are replaced: their calls were lost", "sip-restarts",
        "log", "SipRestarts", 0,
    ),
)  # fmt: skip
"""In the order in which one wants to read them. Thresholds are first guesses but for those of zero:
set them by what the dashboard shows on an ordinary day."""

OF_SIP = {"gateway-down", "trunks-failed", "sip-restarts"}
"""Those that are there only with a gateway."""


def of_installation(*, sip: bool) -> list[Alarm]:
    """Those of the parts that there are."""
    return [alarm for alarm in ALARMS if sip or alarm.name not in OF_SIP]
