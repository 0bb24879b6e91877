"""The cost of calls in AWS. `python -m tools.cost` prints the tables (`tools/cost/__main__.py`).

Requests are those that tests/counts counted (expected.json), prices those of prices.json. All other
assumptions of the sums are in `Assumed`, and in docs/cost.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.cost import idle

ROOT = Path(__file__).resolve().parents[2]

Counts = dict[str, float]
"""The counts of one scenario, by the names of tests/counts."""
Terms = dict[str, float]
"""Item that is paid for -> USD."""

COUNTED: dict[str, Counts] = json.loads((ROOT / "tests/counts/expected.json").read_text())
PRICES: dict[str, Any] = json.loads((ROOT / "tools/cost/prices.json").read_text())["prices"]


@dataclass(frozen=True)
class Assumed:
    """Assumptions: values that are neither counts nor prices."""

    api_gb: float = 1.0
    task_gb: float = 0.5
    one_processor_mb: float = 1769
    """Memory with which a function has one whole processor; with less it has a proportional
    share."""
    table_ms: float = 5.0
    """Time that DynamoDB takes to answer one request."""
    rest_ms: float = 150.0
    """Time that a provider or a webhook endpoint takes to answer."""
    log_bytes: float = 700.0
    """Bytes that an invocation logs: our lines, Lambda's own, API Gateway's."""
    item_bytes: float = 1200.0
    """Bytes of a call, which is kept for a year; its events are deleted after a week."""
    calls_a_relay: float = 120.0
    """infra's `calls_per_relay`: with 16 kHz audio, on one processor with 2 GB."""
    relay_use: float = 0.6
    """Average share of the relays' capacity that is used, as they scale and calls come and go."""
    out_bytes_s: float = 49_000.0
    """Bytes that leave AWS in a second of a call: 50 frames to the agent (PCM16, 16 kHz: 640 bytes
    and a header) and 50 to the provider (JSON with 160 bytes in Base64)."""
    calls_a_gateway: float = 50.0
    """Calls of a gateway on two processors (docs/benchmarks.md)."""
    calls_a_voice_host: float = 30.0
    """infra's `calls_per_voice_host`, on one processor with 2 GB."""
    voice_host_use: float = 0.5
    """Average share of the voice hosts' places that is used; another host is started at 0.6."""
    agent_talks: float = 0.5
    """Share of a hosted call in which the agent speaks."""
    characters_s: float = 15.0
    """Characters that a voice speaks in a second."""
    segment_s: float = 4.0
    """Seconds of a segment of a recording."""
    segments_asked: float = 12.0
    """Segments for which a relay asks at a time."""
    composed_gb_s: float = 0.25
    """Lambda's GB-seconds for a minute of a recording: half a second of 0.5 GB."""
    busy_hour: float = 0.1
    """Share of a day's calls in its busiest hour."""


ASSUMED = Assumed()
CPU_MS = {
    "webhook": 6, "relay": 9, "agent": 50, "expire_ring": 6, "fan_out_events": 15,
    "deliver_event": 28, "sweep": 20,
}  # fmt: skip
"""Processor time of an invocation on one whole processor, without waits: measured by
tests/counts."""
MIX = {"answered_2_min_webhook": 0.6, "missed_webhook": 0.2, "dialled_2_min_webhook": 0.2}
"""Share of a month's calls, by scenario."""
MINUTES = {"answered_2_min_webhook": 2.0, "dialled_2_min_webhook": 2.0}
"""Minutes of media, by scenario."""
DAYS, HOURS = 30, 720


def stepped(amount: float, price: float | list[list[float | None]]) -> float:
    """Return USD of an amount; a price in steps is a list of (amount at this price, price)."""
    if isinstance(price, int | float):
        return amount * price
    total = 0.0
    for most, each in price:
        taken = amount if most is None else min(amount, most)
        total += taken * (each or 0)
        amount -= taken
    return total


def http_requests(counts: Counts) -> float:
    """Return the number of requests that come in through API Gateway."""
    return sum(counts.get(f"lambda {who}", 0) for who in ("webhook", "relay", "agent"))


def invocations(counts: Counts) -> float:
    """Return the number of all invocations of Lambda functions."""
    return sum(n for name, n in counts.items() if name.startswith("lambda "))


def gb_s(counts: Counts) -> float:
    """Return Lambda's GB-seconds: own work at its share of a processor, and waits."""
    requests = http_requests(counts)
    table = sum(n for name, n in counts.items() if name.startswith("dynamodb "))
    waited_ms = table * ASSUMED.table_ms + counts.get("provider REST", 0) * ASSUMED.rest_ms
    # GB times the inverse of the processor's share: the same for any memory below one processor.
    whole_gb = ASSUMED.one_processor_mb / 1024
    own = sum(counts.get(f"lambda {who}", 0) * ms for who, ms in CPU_MS.items()) / 1000 * whole_gb
    posts = counts.get("webhooks out", 0) * ASSUMED.rest_ms / 1000 * ASSUMED.task_gb
    waiting = waited_ms / 1000 * (ASSUMED.api_gb if requests else ASSUMED.task_gb)
    return own + waiting + posts


def amounts(counts: Counts, minutes: float) -> Counts:
    """Return the amounts that one call uses of everything that is paid by use."""
    return {
        "write units": counts.get("write units", 0),
        "read units": counts.get("read units", 0),
        "requests": http_requests(counts),
        "invocations": invocations(counts),
        "gb_s": gb_s(counts),
        "transitions": counts.get("transitions", 0),
        "log_gb": invocations(counts) * ASSUMED.log_bytes / 1e9,
        "out_gb": minutes * 60 * ASSUMED.out_bytes_s / 1e9,
        "relay_hours": minutes / 60 / (ASSUMED.calls_a_relay * ASSUMED.relay_use),
        "minutes": minutes,
    }


def times(amount: Counts, factor: float) -> Counts:
    """Return `amount` times `factor`."""
    return {name: n * factor for name, n in amount.items()}


def plus(all_: Iterable[Counts]) -> Counts:
    """Return the sum of several amounts."""
    total: Counts = {}
    for each in all_:
        for name, n in each.items():
            total[name] = total.get(name, 0) + n
    return total


def terms(amount: Counts) -> Terms:
    """Return USD of everything that is paid by use."""
    relay_hour = PRICES["fargate_vcpu_hour"] + 2 * PRICES["fargate_gb_hour"]
    # A unit of the balancer carries 1 GB an hour; as much comes in through it as goes out.
    units = 2 * amount["out_gb"]
    return {
        "DynamoDB, writes": amount["write units"] * PRICES["dynamodb_write_unit"],
        "DynamoDB, reads": amount["read units"] * PRICES["dynamodb_read_unit"],
        "API Gateway": stepped(amount["requests"], PRICES["api_gateway_request"]),
        "firewall": amount["requests"] * PRICES["firewall_request"],
        "Lambda, requests": amount["invocations"] * PRICES["lambda_request"],
        "Lambda, GB-s": stepped(amount["gb_s"], PRICES["lambda_gb_s"]),
        "Step Functions": amount["transitions"] * PRICES["step_functions_transition"],
        "logs": amount["log_gb"] * PRICES["logs_gb"],
        "relays (Fargate)": amount["relay_hours"] * relay_hour,
        "balancer, by use": units * PRICES["balancer_unit_hour"],
        "data to the Internet": stepped(amount["out_gb"], PRICES["data_out_gb"]),
    }


def hosted(minutes_a_month: float) -> Terms:
    """Return USD of so many minutes of hosted calls in a month, beyond what the calls cost. One
    stream to Transcribe is open for all of a call.
    """
    host_hour = PRICES["fargate_vcpu_hour"] + 2 * PRICES["fargate_gb_hour"]
    host_hour += PRICES["public_ipv4_hour"]
    hours = minutes_a_month / 60 / (ASSUMED.calls_a_voice_host * ASSUMED.voice_host_use)
    characters = minutes_a_month * 60 * ASSUMED.agent_talks * ASSUMED.characters_s
    return {
        "Transcribe": stepped(minutes_a_month, PRICES["transcribe_stream_minute"]),
        "Polly, neural": characters * PRICES["polly_neural_character"],
        "voice hosts (Fargate)": max(2 * HOURS, hours) * host_hour,
    }


def recorded(minutes_a_month: float) -> Terms:
    """Return USD of so many minutes of recorded calls in a month, beyond what the calls cost."""
    segments = minutes_a_month * 60 / ASSUMED.segment_s
    asked = segments / ASSUMED.segments_asked
    asks = terms(
        times(amounts({"lambda relay": 1, "dynamodb GetItem": 1, "read units": 1}, 0), asked)
    )
    return {
        "segments put and read": segments * (PRICES["s3_put"] + PRICES["s3_get"]),
        "URLs asked for": sum(asks.values()),
        "composed": minutes_a_month * ASSUMED.composed_gb_s * stepped(1, PRICES["lambda_gb_s"]),
        "kept": minutes_a_month * 60 * 16_000 / 1e9 * PRICES["s3_gb_month"],
    }


def fixed_costs(calls_a_month: float) -> Terms:
    """Return USD a month of fixed costs, which do not depend on calls: what the templates hold
    (tools/cost/idle.py), the sweep; and of stored data.
    """
    sweep = terms(times(amounts(COUNTED["sweep"], 0), HOURS * 12))
    kept_gb = calls_a_month * 12 * ASSUMED.item_bytes * 2 / 1e9  # and its copy in an index
    return {
        **idle.terms(idle.COUNTS, PRICES, HOURS),
        "sweep": sum(sweep.values()),
        "table, kept for a year": kept_gb * PRICES["dynamodb_gb_month"],
    }


def month(calls_a_day: float) -> tuple[Terms, Counts]:
    """Return USD by term, and the amounts used, of a month with so many calls of the mix a day."""
    calls = calls_a_day * DAYS
    used = plus(
        times(amounts(COUNTED[name], MINUTES.get(name, 0)), calls * share)
        for name, share in MIX.items()
    )
    fixed = fixed_costs(calls)
    by_use = terms(used)
    # The two relays that always run are part of those that calls need.
    fixed["two relays"] = max(0.0, fixed["two relays"] - by_use["relays (Fargate)"])
    return {**by_use, **fixed}, used
