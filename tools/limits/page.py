"""The text of docs/limits.md."""

from __future__ import annotations

from pathlib import Path

from tools.limits import application, aws, edge, gateway, local, quality, relay, voice
from tools.limits.limit import Limit

DOC = Path(__file__).resolve().parents[2] / "docs/limits.md"

PARTS: dict[str, tuple[Limit, ...]] = {
    "Application (Lambda, DynamoDB)": (*application.LIMITS, *quality.APPLICATION),
    "AWS": aws.LIMITS,
    "Relay": (*relay.LIMITS, *quality.RELAY),
    "Voice host": voice.LIMITS,
    "Gateway": gateway.LIMITS,
    "SIP edge": edge.LIMITS,
    "One machine (`make run`)": local.LIMITS,
}

INTRO = """\
# Limits

For operators, and for whoever adds something that can be held.

Everything that a stranger, a tenant or a peer can make the system hold has a bound. Each row says
what is bounded, whose the bound is (one source address, one call, one account …), what happens
beyond it, and the test that goes beyond it. The figures are read from the code: `make limits`
writes this page, and a test fails if it is out of date. A resource without a row is a defect.
"""


def page() -> str:
    """Return the whole page."""
    return INTRO + "".join(_section(name, limits) for name, limits in PARTS.items())


def _section(name: str, limits: tuple[Limit, ...]) -> str:
    rows = "".join(_row(each) for each in limits)
    return (
        f"\n## {name}\n\n"
        "| what | bound | for each | beyond it | setting | test |\n|---|---|---|---|---|---|\n"
        + rows
    )


def _row(limit: Limit) -> str:
    path, _, name = limit.test.partition("::")
    test = f"[{name}](../{path})"
    setting = f"`{limit.setting}`" if limit.setting else ""
    cells = (limit.resource, limit.bound, limit.owner, limit.beyond, setting, test)
    return f"| {' | '.join(cells)} |\n"
