"""What benches draw and judge: the plot of a call's cost, the verdict on a long run."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from tests.load import cost_plot
from tests.load.relay_long import verdict

SVG = "{http://www.w3.org/2000/svg}"


def row(relay: str, calls: int, cpu: float, kb: float) -> dict[str, Any]:
    return {"relay": relay, "calls": calls, "cpu_ms_a_call_s": cpu, "kb_a_call": kb}


ROWS = [row(name, calls, 2.0, 80.0) for calls in (10, 300) for name in ("ours", "a < b")]


def places(plot: str) -> list[list[tuple[float, float]]]:
    """Return the points of each line."""
    lines = ElementTree.fromstring(plot).findall(f"{SVG}polyline")
    texts = [line.attrib["points"].split() for line in lines]
    return [[(float(x), float(y)) for x, y in (p.split(",") for p in text)] for text in texts]


def test_the_plot_has_a_line_of_each_relay_in_both_panels_and_a_key() -> None:
    plot = cost_plot.svg(ROWS)
    lines = places(plot)
    assert len(lines) == 2 * 3
    texts = [text.text for text in ElementTree.fromstring(plot).findall(f"{SVG}text")]
    assert {"ours", "a < b", "10", "300"} <= set(texts)


def test_twice_the_cost_is_drawn_twice_as_high() -> None:
    rows = [row("ours", 100, 1.0, 10.0), row("ours", 200, 2.0, 20.0), row("ours", 300, 4.0, 40.0)]
    (_, first), (_, second), (_, third) = places(cost_plot.svg(rows))[0]
    bottom = cost_plot.TOP + cost_plot.TALL
    assert bottom - second == pytest.approx(2 * (bottom - first))
    assert third == pytest.approx(cost_plot.TOP)


@pytest.mark.parametrize("most", [0.3, 1, 3, 7, 9.5, 10, 83, 250, 2100])
def test_the_grid_reaches_beyond_the_greatest_value(most: float) -> None:
    drawn = places(cost_plot.svg([row("ours", 10, most, most)]))
    assert all(y >= cost_plot.TOP for line in drawn for _, y in line)


FLAT, SLOW = [2.0] * 30, [2.0] * 15 + [9.0] * 15


@pytest.mark.parametrize(
    ("rss_mb", "p99_ms", "met"),
    [
        ([60.0] * 18 + [70.0] * 162, FLAT, [True, True]),
        ([70 + minute * 0.1 for minute in range(180)], FLAT, [False, True]),
        ([70.0] * 180, SLOW, [True, False]),
        ([70.0] * 180, [2.0, 9.0], [True, None]),
    ],
)
def test_a_run_is_flat_once_it_has_settled_and_not_if_it_grows_or_slows(
    rss_mb: list[float], p99_ms: list[float], met: list[bool | None]
) -> None:
    assert [figure.met for figure in verdict(rss_mb, p99_ms, calls=150)] == met
