"""`python -m tools.cost`: what calls cost in AWS, as the tables of docs/cost.md; `--write` puts them
there.

Requests are those that tests/counts has counted (expected.json), prices those of prices.json.
Everything else that the sums need is said in `Assumed`, and in the doc.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOC = ROOT / "docs" / "cost.md"
BEGIN, END = "<!-- python -m tools.cost -->", "<!-- end -->"

Counts = dict[str, float]
"""Of one scenario, by the names of tests/counts."""
Terms = dict[str, float]
"""What is paid for -> USD."""

COUNTED: dict[str, Counts] = json.loads((ROOT / "tests/counts/expected.json").read_text())
PRICES: dict[str, Any] = json.loads((ROOT / "tools/prices.json").read_text())["prices"]


@dataclass(frozen=True)
class Assumed:
    """What is neither counted nor a price. Measured ones are in docs/cost.md with date and machine."""

    api_gb: float = 1.0
    task_gb: float = 0.5
    one_processor_mb: float = 1769
    """Memory with which a function has one whole processor; with less it has its share."""
    table_ms: float = 5.0
    """DynamoDB's answer to one request."""
    rest_ms: float = 150.0
    """A provider's or a webhook endpoint's answer."""
    log_bytes: float = 700.0
    """Of an invocation: our lines, Lambda's own, API Gateway's."""
    item_bytes: float = 1200.0
    """Of a call that is kept for a year; its events are gone after a week."""
    calls_a_relay: float = 120.0
    """infra's `calls_per_relay`: with 16 kHz audio, on one processor with 2 GB."""
    relay_use: float = 0.6
    """How full relays are on average, as they scale and calls come and go."""
    out_bytes_s: float = 49_000.0
    """Leaves AWS in a second of a call: 50 frames to the agent (PCM16, 16 kHz: 640 bytes and a
    header) and 50 to the provider (JSON with 160 bytes in Base64)."""
    calls_a_gateway: float = 50.0
    """docs/benchmarks.md, on two processors."""
    busy_hour: float = 0.1
    """Share of a day's calls in its busiest hour."""


ASSUMED = Assumed()
CPU_MS = {
    "webhook": 6, "relay": 9, "agent": 50, "expire_ring": 6, "fan_out_events": 15,
    "deliver_event": 28, "sweep": 20,
}  # fmt: skip
"""Of an invocation on one whole processor, without what it waits for: measured by tests/counts."""
MIX = {"answered_2_min_webhook": 0.6, "missed_webhook": 0.2, "dialled_2_min_webhook": 0.2}
"""Calls of a month, by scenario."""
MINUTES = {"answered_2_min_webhook": 2.0, "dialled_2_min_webhook": 2.0}
"""Of media, by scenario."""
DAYS, HOURS = 30, 720


def stepped(amount: float, price: float | list[list[float | None]]) -> float:
    """USD of an amount; a price in steps is a list of (how much at this price, price)."""
    if isinstance(price, int | float):
        return amount * price
    total = 0.0
    for most, each in price:
        taken = amount if most is None else min(amount, most)
        total += taken * (each or 0)
        amount -= taken
    return total


def http_requests(counts: Counts) -> float:
    """Those that come in through API Gateway."""
    return sum(counts.get(f"lambda {who}", 0) for who in ("webhook", "relay", "agent"))


def invocations(counts: Counts) -> float:
    """All of Lambda's."""
    return sum(n for name, n in counts.items() if name.startswith("lambda "))


def gb_s(counts: Counts) -> float:
    """Lambda's GB-seconds: own work at the share of a processor, then what is waited for."""
    requests = http_requests(counts)
    table = sum(n for name, n in counts.items() if name.startswith("dynamodb "))
    waited_ms = table * ASSUMED.table_ms + counts.get("provider REST", 0) * ASSUMED.rest_ms
    # GB times the inverse of the processor's share: the same for every memory below a processor.
    whole_gb = ASSUMED.one_processor_mb / 1024
    own = sum(counts.get(f"lambda {who}", 0) * ms for who, ms in CPU_MS.items()) / 1000 * whole_gb
    posts = counts.get("webhooks out", 0) * ASSUMED.rest_ms / 1000 * ASSUMED.task_gb
    waiting = waited_ms / 1000 * (ASSUMED.api_gb if requests else ASSUMED.task_gb)
    return own + waiting + posts


def amounts(counts: Counts, minutes: float) -> Counts:
    """What one call uses of what is paid by use."""
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
    """So many of it."""
    return {name: n * factor for name, n in amount.items()}


def plus(all_: Iterable[Counts]) -> Counts:
    """The sum of several."""
    total: Counts = {}
    for each in all_:
        for name, n in each.items():
            total[name] = total.get(name, 0) + n
    return total


def terms(amount: Counts) -> Terms:
    """USD of what is paid by use."""
    relay_hour = PRICES["fargate_vcpu_hour"] + 2 * PRICES["fargate_gb_hour"]
    # A unit of the balancer carries 1 GB an hour; what goes out has come in by the same way.
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


def standing(calls_a_month: float) -> Terms:
    """USD a month of what costs whether or not there are calls: two relays, a balancer, two
    firewalls with three rules, four addresses, the sweep; and of what is kept.
    """
    relay_hour = PRICES["fargate_vcpu_hour"] + 2 * PRICES["fargate_gb_hour"]
    sweep = terms(times(amounts(COUNTED["sweep"], 0), HOURS * 12))
    firewalls = 2 * PRICES["firewall_acl_month"] + 3 * PRICES["firewall_rule_month"]
    kept_gb = calls_a_month * 12 * ASSUMED.item_bytes * 2 / 1e9  # and its copy in an index
    return {
        "two relays": 2 * HOURS * relay_hour,
        "balancer": HOURS * PRICES["balancer_hour"],
        "firewalls": firewalls,
        "addresses": 4 * HOURS * PRICES["public_ipv4_hour"],
        "sweep": sum(sweep.values()),
        "table, kept for a year": kept_gb * PRICES["dynamodb_gb_month"],
    }


def month(calls_a_day: float) -> tuple[Terms, Counts]:
    """USD by term, and what was used, of a month of so many calls of the mix a day."""
    calls = calls_a_day * DAYS
    used = plus(
        times(amounts(COUNTED[name], MINUTES.get(name, 0)), calls * share)
        for name, share in MIX.items()
    )
    fixed = standing(calls)
    by_use = terms(used)
    # The two that always run are the first of those that calls need.
    fixed["two relays"] = max(0.0, fixed["two relays"] - by_use["relays (Fargate)"])
    return {**by_use, **fixed}, used


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table, numbers to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def usd(value: float) -> str:
    """Two digits after the point, or as many as it takes to see something."""
    return f"{value:,.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


def number(value: float) -> str:
    """Whole, or with one digit."""
    return f"{value:,.1f}".removesuffix(".0")


_KINDS = ("read units", "write units", "stream records", "executions", "transitions")


def counts_table() -> str:
    """What each scenario asks for."""
    head = ["scenario", "DynamoDB requests", *_KINDS, *(f"`{who}`" for who in CPU_MS), "provider REST"]
    rows = []
    for name, counts in COUNTED.items():
        asked = sum(n for key, n in counts.items() if key.startswith("dynamodb "))
        cells = [asked, *(counts.get(kind, 0) for kind in _KINDS)]
        cells += [counts.get(f"lambda {who}", 0) for who in CPU_MS]
        rows.append([f"`{name}`", *map(number, [*cells, counts.get("provider REST", 0)])])
    return table(head, rows)


def thousand_table() -> str:
    """USD of a thousand calls of each scenario of the mix, and of hours of waiting."""
    columns = {name: times(amounts(COUNTED[name], MINUTES.get(name, 0)), 1000) for name in MIX}
    priced = {name: terms(amount) for name, amount in columns.items()}
    first = next(iter(priced.values()))
    rows = [[term, *(usd(each[term]) for each in priced.values())] for term in first]
    rows.append(["**all of AWS**", *(f"**{usd(sum(each.values()))}**" for each in priced.values())])
    rows.append(["provider's minutes", *(number(each["minutes"]) for each in columns.values())])
    return table(["USD per 1,000 calls", *(f"`{name}`" for name in priced)], rows)


def waiting_table() -> str:
    """What an hour of one reader of the inbox costs in which nothing happens."""
    rows = []
    for name in ("inbox_poll", "dashboard_poll"):
        amount = amounts(COUNTED[name], 0)
        amount["gb_s"] = 20 * ASSUMED.api_gb
        hour = terms(times(amount, 180))
        dynamodb = hour["DynamoDB, reads"]
        whole = sum(hour.values())
        cells = [dynamodb, hour["Lambda, GB-s"], whole - dynamodb - hour["Lambda, GB-s"]]
        rows.append([f"`{name}`", *map(usd, [*cells, whole, whole * HOURS])])
    head = ["reader", "DynamoDB", "Lambda, GB-s", "rest", "USD an hour", "USD a month, day and night"]
    return table(head, rows)


def month_table() -> str:
    """USD a month at three sizes."""
    sizes = (1_000, 100_000, 10_000_000)
    months = [month(size) for size in sizes]
    priced = [each for each, _ in months]
    rows = [[term, *(usd(each[term]) for each in priced)] for term in priced[0]]
    rows.append(["**all of AWS**", *(f"**{usd(sum(each.values()))}**" for each in priced)])
    calls = [size * DAYS for size in sizes]
    per = (1000 * sum(each.values()) / n for each, n in zip(priced, calls, strict=True))
    rows.append(["USD per 1,000 calls", *map(usd, per)])
    rows.append(["provider's minutes", *(number(used["minutes"]) for _, used in months)])
    return table(["USD a month", *(f"{size:,} calls a day" for size in sizes)], rows)


def busy_table() -> str:
    """Rates in the busiest hour at three sizes, for the quotas."""
    sizes = (1_000, 100_000, 10_000_000)
    rows = []
    for size in sizes:
        second = ASSUMED.busy_hour / 3600
        used = times(month(size)[1], second / DAYS)
        calls = size * second
        starts = calls * sum(COUNTED[n].get("executions", 0) * share for n, share in MIX.items())
        talking = used["minutes"] * 60
        gateways = -(-talking // ASSUMED.calls_a_gateway)
        cells = [calls, used["requests"], starts, used["transitions"], used["write units"]]
        cells += [used["read units"], talking, -(-talking // ASSUMED.calls_a_relay), gateways]
        rows.append([f"{size:,}", *(usd(cell) if cell < 10 else number(round(cell)) for cell in cells)])
    head = ["calls a day", "calls/s", "HTTP requests/s", "executions started/s", "transitions/s"]
    head += ["write units/s", "read units/s", "calls up", "relays", "gateways, if all is SIP"]
    return table(head, rows)


def sections() -> str:
    """All tables, with their headings."""
    parts = (
        ("Counted", counts_table()),
        ("A thousand calls", thousand_table()),
        ("Waiting for events", waiting_table()),
        ("A month", month_table()),
        ("The busiest hour", busy_table()),
    )
    return "\n\n".join(f"### {title}\n\n{body}" for title, body in parts)


def main() -> None:
    """Print the tables, or put them where docs/cost.md has them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--write", action="store_true", help="into docs/cost.md")
    if not parser.parse_args().write:
        print(sections())
        return
    before, _, rest = DOC.read_text().partition(BEGIN)
    DOC.write_text(f"{before}{BEGIN}\n\n{sections()}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
