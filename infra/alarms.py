"""The alarms, each with the section of docs/runbooks.md that says what to do.

Anchors of the runbooks are defined only here: each alarm's description ends with its link, and
tests/infra checks that the page has the section.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

RUNBOOKS = "docs/runbooks.md"

FIREWALL_BLOCKS = 10_000
"""Blocked requests in five minutes. One address that floods is blocked more often than that."""
REQUESTS_SURGE = 300_000
"""Requests in five minutes: 1,000 a second, as with some 900 calls that ring at once."""
DELIVERIES_SURGE = 30_000
"""Deliveries in an hour: the events of some 7,000 calls."""
SIP_LATE_MS = 200
"""Lateness of the audio's clock that the far ends' jitter buffers may not absorb."""
TRUNKS_AT_LEAST = 3
"""Trunks that must have failed: one or two are their owners' wrong passwords, and owners are told
by `trunk.failed`."""
STREAM_LATE_MS = 120_000
"""Age of the oldest record of the stream that was read. It is below a second on an ordinary day."""
LOG_BYTES = 5_000_000_000
"""Bytes of logs in an hour: more than 50,000 calls write."""

Source = Literal[
    "log", "function", "api", "balancer", "relay", "gateway", "queue", "ring", "delivery",
    "certificate", "firewall", "account", "stream", "sweep", "relay answers", "trunks", "machine",
    "executions", "voice", "voice failures",
]  # fmt: skip


@dataclass(frozen=True)
class Alarm:
    """An alarm, raised when `metric` of `source` (log: a metric of infra/metrics.py; else one of
    AWS's own) is beyond `threshold` for `periods` of `period_s` seconds.
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
    """True if missing data raises the alarm."""
    gateway: int = 1
    """Number of the gateway that the sources `gateway` and `machine` are of."""

    @property
    def runbook(self) -> str:
        """Return the link to the section of the runbooks that says what to do."""
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
        "executions-used", "A function uses most of the executions that are reserved for it",
        "throttling", "executions", "ConcurrentExecutions", 80, statistic="Maximum",
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
        "ring-timed-out", "Executions of ring timers took ten minutes, and were ended",
        "ring-deadline", "ring", "ExecutionsTimedOut", 0,
    ),
    Alarm(
        "sweep-stopped", "The sweep does not run", "sweep-stopped", "sweep", "Invocations", 1,
        below=True, period_s=900, periods=2, silence_is_bad=True,
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
        "stream-late", "The table's stream is read minutes late: webhooks wait", "stream-lag",
        "stream", "IteratorAge", STREAM_LATE_MS, statistic="Maximum", periods=2,
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
        "relay-refuses", "Relays, or the balancer in their place, answer handshakes with 5xx",
        "relay-refuses", "relay answers", "5xx", 20,
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
        "gateway-machine", "EC2 says that the gateway's machine or its network is ill",
        "gateway-machine", "machine", "StatusCheckFailed", 0, statistic="Maximum", period_s=60,
        periods=3,
    ),
    Alarm(
        "trunks-failed", "More than half of the trunks, and three at least, are not registered",
        "trunks-failed", "trunks", "failed", 50, statistic="Maximum", periods=3,
    ),
    Alarm(
        "sip-late", "The gateway sends its calls' audio late: callers hear gaps", "sip-late",
        "log", "SipLag", SIP_LATE_MS, statistic="Maximum", periods=3,
    ),
    Alarm(
        "voice-down", "Fewer voice hosts are healthy than the operator wants at least",
        "voice-down", "voice", "HealthyHostCount", 1, statistic="Minimum", below=True, period_s=60,
        periods=3, silence_is_bad=True,
    ),
    Alarm(
        "voice-5xx", "Voice hosts answer with 5xx: they fail, or have no place for calls",
        "voice-5xx", "voice", "HTTPCode_Target_5XX_Count", 10,
    ),
    Alarm(
        "voice-failed", "Voice hosts cannot speak or hear: Polly or Transcribe refuse, or are slow",
        "voice-failed", "voice failures", "failed", 5,
    ),
    Alarm(
        "firewall-blocks", "The firewalls block a flood of requests", "costs", "firewall",
        "BlockedRequests", FIREWALL_BLOCKS,
    ),
    Alarm(
        "requests-surge", "Far more requests reach the API than usual, and each is paid for",
        "costs", "api", "Count", REQUESTS_SURGE,
    ),
    Alarm(
        "deliveries-surge", "Far more webhooks are delivered than usual: each is an execution",
        "costs", "delivery", "ExecutionsStarted", DELIVERIES_SURGE, period_s=3600,
    ),
    Alarm(
        "log-volume", "The account writes more than 5 GB of logs an hour", "costs", "account",
        "IncomingBytes", LOG_BYTES, period_s=3600,
    ),
)  # fmt: skip
"""All alarms, the most important first. Thresholds other than zero are first guesses: set them by
what the dashboard shows on an ordinary day."""

OF_SIP = {"gateway-down", "gateway-machine", "trunks-failed", "sip-late"}
"""Alarms that exist only with a gateway."""
OF_EACH_GATEWAY = {"gateway-down", "gateway-machine"}
"""Alarms that exist for each gateway."""
OF_VOICE = {"voice-down", "voice-5xx", "voice-failed"}
"""Alarms that exist only with voice hosts."""
OF_RESERVED = {"executions-used"}
"""Alarms that exist only if executions are reserved."""


def of_installation(*, gateways: int, hosted_voice: bool, reserved: bool) -> list[Alarm]:
    """Return the alarms of the parts that are installed."""
    absent = {
        *(() if gateways else OF_SIP),
        *(() if hosted_voice else OF_VOICE),
        *(() if reserved else OF_RESERVED),
    }
    there = [alarm for alarm in ALARMS if alarm.name not in absent]
    more = [
        _of_gateway(alarm, number)
        for number in range(2, gateways + 1)
        for alarm in there
        if alarm.name in OF_EACH_GATEWAY
    ]
    return [*there, *more]


def _of_gateway(alarm: Alarm, number: int) -> Alarm:
    """Return the alarm for a further gateway: `gateway-down` is `gateway-2-down` there."""
    part = f"gateway-{number}"
    name = alarm.name.replace("gateway", part)
    return replace(alarm, name=name, says=f"{alarm.says} ({part})", gateway=number)
