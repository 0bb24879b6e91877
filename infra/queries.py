"""Saved queries of Logs Insights: replace the words in capitals before running one."""

from __future__ import annotations

from dataclasses import dataclass

from infra.settings import FUNCTIONS, Settings

_NO_MEDIA = [
    "leg refused",
    "agent not reached",
    "no answer to attach",
    "unsigned media stream refused",
    "no stream of the call lasts",
]


QUALITY = (
    "call_id", "account_id", "provider", "trunk_id", "end_reason", "talked_ms", "mos", "loss_pct",
    "jitter_ms", "round_trip_ms", "gaps", "gap_ms", "late", "underruns", "underrun_ms",
    "added_latency_p95_ms", "clear_to_silence_p95_ms",
)  # fmt: skip
"""Fields of the line "call quality", which is written at the end of each call."""


@dataclass(frozen=True)
class Query:
    """A query over the logs of some parts."""

    id: str
    name: str
    text: str
    groups: list[str]


def of_installation(settings: Settings) -> list[Query]:
    """Return all queries."""
    functions = [settings.log_group(part) for part in FUNCTIONS]
    machines = [settings.log_group(f"{name}-machine") for name in ("ring", "delivery")]
    relay = [settings.log_group("relay")]
    gateway = [settings.log_group("gateway")] if settings.sip else []
    voice = [settings.log_group("voice")] if settings.hosted_voice else []
    access = [settings.log_group("access")]
    everything = [*functions, *machines, *relay, *gateway, *voice]
    return [
        # The line "call rings" has both call_id and call_sid: a second query with the call_sid
        # finds the gateway's lines, too.
        Query(
            "OneCall", "everything about a call",
            _lines("@message like /CALL_ID/"), everything,
        ),
        Query(
            "OneDelivery", "a webhook's delivery",
            _lines("@message like /DELIVERY_ID/"), everything,
        ),
        Query(
            "Errors", "errors",
            _lines('level = "error"', "desc"), [*functions, *relay, *gateway, *voice],
        ),
        Query(
            "NotSteered", "what providers refused",
            _lines("message like /^provider /", "desc"), functions,
        ),
        Query(
            "NoMedia", "streams and agents that did not come in",
            _lines(f"message in {_NO_MEDIA}", "desc"), [*functions, *relay],
        ),
        Query(
            "Slow", "slowest routes",
            "stats count() as requests, pct(latency_ms, 50) as p50, pct(latency_ms, 95) as p95, "
            "max(latency_ms) as slowest by route, method | sort p95 desc",
            access,
        ),
        Query(
            "Refused", "who is refused",
            "filter status >= 400 | stats count() as requests by status, route, source_ip "
            "| sort requests desc | limit 100",
            access,
        ),
        Query(
            "Ends", "how calls ended",
            'filter logger = "chalicelib.services.call.call_writes" and ispresent(end_reason) '
            "| stats count() as calls by state, end_reason | sort calls desc",
            functions,
        ),
        Query(
            "WorstCalls", "worst calls of the hour",
            'filter message = "call quality" | fields coalesce(mos, 5) as rated '
            "| sort rated asc, gap_ms desc, underrun_ms desc | limit 50 "
            f"| display @timestamp, {', '.join(QUALITY)}",
            functions,
        ),
    ]  # fmt: skip


def _lines(condition: str, order: str = "asc") -> str:
    return (
        f"fields @timestamp, level, logger, message, call_id, @message | filter {condition} "
        f"| sort @timestamp {order} | limit 500"
    )
