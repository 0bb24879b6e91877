"""Writes a bench's figures, as JSON for machines and as a table for people."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]
"""One line of a table; its keys say the unit (`…_ms`, `…_us`, `…_s`) and are the headings."""


@dataclass(frozen=True)
class Options:
    """The command line's options for every bench."""

    quick: bool
    work: Path
    """The folder in which a bench may leave files."""
    relay_calls: list[int]
    ringing_calls: int
    ringing_over_s: float = 0
    """In which time the calls come in; 0: as fast as they can."""
    ringing_carried: int | None = None
    """The gateway's limit of calls; None: more than come in."""
    sip_calls: tuple[int, ...] = ()
    """Loads of the SIP bench; none: its own."""
    subjects: tuple[str, ...] = ()
    """Subjects of the SIP and the relay bench, or kinds of death; none: all."""
    former: str = ""
    """The relay bench: a commit whose relay is measured, too."""
    minutes: float = 0
    """The long run of the relay; 0: its own time."""
    kills: int | None = None
    """Deaths of each kind; None: as many as the bench thinks right."""


@dataclass(frozen=True)
class Figure:
    """One figure that somebody is waiting for. `met` is None where there is no target."""

    what: str
    measured: Any
    target: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Result:
    """A bench's outcome. `raw` holds what `rows` were made of."""

    title: str
    parameters: dict[str, Any]
    rows: list[Row]
    figures: list[Figure]
    notes: list[str] = field(default_factory=list)
    raw: list[Row] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)


def write(path: Path, document: dict[str, Any]) -> None:
    """A document as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def markdown(report: dict[str, Any]) -> str:
    """A report, combined or of one bench: what was measured where, and each bench's tables."""
    machine = report["machine"]
    benches = report["benches"] if "benches" in report else {report["bench"]: report}
    blocks = [
        f"{report['date']}, commit {report['commit']}: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['kernel']}, Python {machine['python']}."
    ]
    for name, bench in benches.items():
        blocks.append(f"### {name}: {bench['title']}")
        blocks.append(", ".join(f"{k} {_text(v)}" for k, v in bench["parameters"].items()) + ".")
        blocks.append(table(bench["rows"]))
        blocks.append(table([_figure_row(figure) for figure in bench["figures"]]))
        blocks.extend(bench["notes"])
    return "\n\n".join(block for block in blocks if block)


def table(rows: list[Row]) -> str:
    """Rows as a markdown table that also reads well as it is."""
    if not rows:
        return ""
    headings = list(rows[0])
    lines = [headings, *([_text(row.get(key)) for key in headings] for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(headings))]
    padded = [
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    ]
    padded.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(line) + " |" for line in padded)


def _figure_row(figure: Row) -> Row:
    met = {True: "yes", False: "**no**", None: ""}[figure["met"]]
    return {
        "figure": figure["what"],
        "measured": figure["measured"],
        "target": figure["target"],
        "met": met,
    }


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if isinstance(value, list):
        return " ".join(_text(each) for each in value)
    return str(value)
