"""Draws what one call costs, as SVG: `python -m tests.load.cost_plot REPORT.json > PLOT.svg`.

One panel shows CPU time, one memory, by the number of calls. Text is text, so that a page can be
searched; the lines differ in their dashes, too, for readers who do not tell the colours apart.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from tests.load.report import Row

WIDTH, HEIGHT = 860, 400
LEFT, TOP, PANEL, TALL = 60, 50, 340, 280
GAP = 420
"""From the left of one panel to that of the next."""
LINES = (
    ("#1b6ca8", ""), ("#c0392b", "7 3"), ("#1e8449", "2 3"), ("#7d3c98", "9 3 2 3"),
    ("#b9770e", "4 4"), ("#555555", "1 2"),
)  # fmt: skip
"""Colour and dashes of each line."""
PANELS = (
    ("CPU time of a call, ms each second", "cpu_ms_a_call_s"),
    ("memory of a call, kB", "kb_a_call"),
)
Point = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """A panel's place, and the greatest values that it shows."""

    left: float
    most_x: float
    most_y: float

    def at(self, point: Point) -> str:
        """Return the place of a point of data, as SVG has it."""
        x = self.left + point[0] / self.most_x * PANEL
        y = TOP + TALL - max(0.0, point[1]) / self.most_y * TALL
        return f"{x:.1f},{y:.1f}"


def svg(rows: Sequence[Row]) -> str:
    """Return the plot of a report's rows as a document."""
    names = list(dict.fromkeys(str(row["relay"]) for row in rows))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12" role="img">',
        "<title>What one call costs a relay, by the number of calls</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for number, (title, key) in enumerate(PANELS):
        parts.extend(_panel(rows, names, title, key, LEFT + number * GAP))
    for number, name in enumerate(names):
        parts.extend(_key(number, name))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    rows: Sequence[Row], names: list[str], title: str, key: str, left: float
) -> Iterator[str]:
    scale = Scale(
        left,
        max((float(row["calls"]) for row in rows), default=1),
        _round_up(max((float(row[key]) for row in rows), default=1)),
    )
    yield f'<text x="{left}" y="{TOP - 18}" font-size="14">{escape(title)}</text>'
    for step in range(5):
        value = scale.most_y * step / 4
        _, y = scale.at((0, value)).split(",")
        yield f'<path d="M{left} {y}h{PANEL}" stroke="#dddddd"/>'
        yield f'<text x="{left - 6}" y="{y}" dy="4" text-anchor="end">{value:g}</text>'
    for calls in dict.fromkeys(row["calls"] for row in rows):
        x, _ = scale.at((calls, 0)).split(",")
        yield f'<text x="{x}" y="{TOP + TALL + 18}" text-anchor="middle">{calls}</text>'
    for number, name in enumerate(names):
        points = [(row["calls"], row[key]) for row in rows if row["relay"] == name]
        yield _line(number, " ".join(scale.at(point) for point in points))


def _line(number: int, points: str) -> str:
    colour, dashes = LINES[number % len(LINES)]
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" '
        f'stroke-dasharray="{dashes}"/>'
    )


def _key(number: int, name: str) -> Iterator[str]:
    """One entry below the panels."""
    x, y = LEFT + number * 130, HEIGHT - 18
    yield _line(number, f"{x},{y} {x + 28},{y}")
    yield f'<text x="{x + 34}" y="{y}" dy="4">{escape(name)}</text>'


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 4, 6, 8, 10 and so on, so that the lines of the grid are round."""
    size = 10.0 ** (len(str(int(max(value, 1)))) - 1)
    return next(size * each for each in (1, 2, 4, 6, 8, 10) if size * each >= value)


if __name__ == "__main__":
    sys.stdout.write(svg(json.loads(Path(sys.argv[1]).read_text())["rows"]))
