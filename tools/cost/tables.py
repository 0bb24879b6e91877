"""The sums as the tables of docs/cost.md."""

from __future__ import annotations

from collections.abc import Iterable

from tools.cost.sums import (
    ASSUMED,
    COUNTED,
    CPU_MS,
    DAYS,
    HOURS,
    MINUTES,
    MIX,
    ROOT,
    amounts,
    hosted,
    month,
    recorded,
    terms,
    times,
)

DOC = ROOT / "docs" / "cost.md"
BEGIN, END = "<!-- python -m tools.cost -->", "<!-- end -->"
SIZES = (1_000, 100_000, 10_000_000)
"""Calls a day."""
HOSTED_MINUTES = (1_000, 100_000, 1_000_000)
"""Minutes of hosted calls a month."""


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a Markdown table, numbers aligned to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def usd(value: float) -> str:
    """Format USD with two digits after the point, or with as many as a small value needs."""
    return f"{value:,.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


def number(value: float) -> str:
    """Format a number without decimals, or with one."""
    return f"{value:,.1f}".removesuffix(".0")


_KINDS = ("read units", "write units", "stream records", "executions", "transitions")


def counts_table() -> str:
    """Return the table of the requests of each scenario."""
    who_asks = [f"`{who}`" for who in CPU_MS]
    head = ["scenario", "DynamoDB requests", *_KINDS, *who_asks, "provider REST"]
    rows = []
    for name, counts in COUNTED.items():
        requests = sum(n for key, n in counts.items() if key.startswith("dynamodb "))
        cells = [requests, *(counts.get(kind, 0) for kind in _KINDS)]
        cells += [counts.get(f"lambda {who}", 0) for who in CPU_MS]
        rows.append([f"`{name}`", *map(number, [*cells, counts.get("provider REST", 0)])])
    return table(head, rows)


def thousand_table() -> str:
    """Return the table of USD of a thousand calls of each scenario of the mix, and of hours of
    waiting."""
    columns = {name: times(amounts(COUNTED[name], MINUTES.get(name, 0)), 1000) for name in MIX}
    priced = {name: terms(amount) for name, amount in columns.items()}
    first = next(iter(priced.values()))
    rows = [[term, *(usd(each[term]) for each in priced.values())] for term in first]
    rows.append(["**all of AWS**", *(f"**{usd(sum(each.values()))}**" for each in priced.values())])
    rows.append(["provider's minutes", *(number(each["minutes"]) for each in columns.values())])
    return table(["USD per 1,000 calls", *(f"`{name}`" for name in priced)], rows)


def waiting_table() -> str:
    """Return the table of an hour's cost of one reader of the inbox, while nothing happens."""
    rows = []
    for name in ("inbox_poll", "dashboard_poll"):
        amount = amounts(COUNTED[name], 0)
        amount["gb_s"] = 20 * ASSUMED.api_gb
        hour = terms(times(amount, 180))
        dynamodb = hour["DynamoDB, reads"]
        whole = sum(hour.values())
        cells = [dynamodb, hour["Lambda, GB-s"], whole - dynamodb - hour["Lambda, GB-s"]]
        rows.append([f"`{name}`", *map(usd, [*cells, whole, whole * HOURS])])
    head = ["reader", "DynamoDB", "Lambda, GB-s", "rest", "USD an hour", "USD a month"]
    return table(head, rows)


def month_table() -> str:
    """Return the table of USD a month at three sizes."""
    months = [month(size) for size in SIZES]
    priced = [each for each, _ in months]
    rows = [[term, *(usd(each[term]) for each in priced)] for term in priced[0]]
    rows.append(["**all of AWS**", *(f"**{usd(sum(each.values()))}**" for each in priced)])
    calls = [size * DAYS for size in SIZES]
    per = (1000 * sum(each.values()) / n for each, n in zip(priced, calls, strict=True))
    rows.append(["USD per 1,000 calls", *map(usd, per)])
    rows.append(["provider's minutes", *(number(used["minutes"]) for _, used in months)])
    return table(["USD a month", *(f"{size:,} calls a day" for size in SIZES)], rows)


def busy_table() -> str:
    """Return the table of rates in the busiest hour at three sizes, for the quotas."""
    rows = []
    for size in SIZES:
        second = ASSUMED.busy_hour / 3600
        used = times(month(size)[1], second / DAYS)
        calls = size * second
        starts = calls * sum(COUNTED[n].get("executions", 0) * share for n, share in MIX.items())
        talking = used["minutes"] * 60
        gateways = -(-talking // ASSUMED.calls_a_gateway)
        cells = [calls, used["requests"], starts, used["transitions"], used["write units"]]
        cells += [used["read units"], talking, -(-talking // ASSUMED.calls_a_relay), gateways]
        rows.append([f"{size:,}", *(usd(n) if n < 10 else number(round(n)) for n in cells)])
    head = ["calls a day", "calls/s", "HTTP requests/s", "executions started/s", "transitions/s"]
    head += ["write units/s", "read units/s", "calls up", "relays", "gateways, if all is SIP"]
    return table(head, rows)


def hosted_table() -> str:
    """Return the table of what a month's hosted calls cost more than others, at three sizes."""
    priced = [hosted(minutes) for minutes in HOSTED_MINUTES]
    rows = [[term, *(usd(each[term]) for each in priced)] for term in priced[0]]
    whole = [sum(each.values()) for each in priced]
    rows.append(["**all**", *(f"**{usd(each)}**" for each in whole)])
    a_minute = (each / minutes for each, minutes in zip(whole, HOSTED_MINUTES, strict=True))
    rows.append(["USD a minute", *map(usd, a_minute)])
    return table(["USD a month", *(f"{each:,} hosted minutes" for each in HOSTED_MINUTES)], rows)


def recorded_table() -> str:
    """Return the table of what a month's recorded calls cost more than others, at three sizes."""
    priced = [recorded(minutes) for minutes in HOSTED_MINUTES]
    rows = [[term, *(usd(each[term]) for each in priced)] for term in priced[0]]
    rows.append(["**all**", *(f"**{usd(sum(each.values()))}**" for each in priced)])
    return table(["USD a month", *(f"{each:,} recorded minutes" for each in HOSTED_MINUTES)], rows)


def sections() -> str:
    """Return all tables, with their headings."""
    parts = (
        ("Counted", counts_table()),
        ("A thousand calls", thousand_table()),
        ("Waiting for events", waiting_table()),
        ("A month", month_table()),
        ("The busiest hour", busy_table()),
        ("Hosted voices", hosted_table()),
        ("Recordings", recorded_table()),
    )
    return "\n\n".join(f"### {title}\n\n{body}" for title, body in parts)
