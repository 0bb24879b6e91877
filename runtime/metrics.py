"""Write counts as Prometheus reads them, by prometheus_client.

The parts keep their counts as plain integers, since the hot path adds one and does nothing else;
they become metrics when the page is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector, CollectorRegistry

CONTENT_TYPE = CONTENT_TYPE_LATEST

Values = float | Mapping[Any, float]
"""One value; or one for each value of the label, of several labels for each tuple of values."""


def counter(name: str, text: str, values: Values, *labels: str) -> Metric:
    """Return a counter; the page shows it as `<name>_total`."""
    return _filled(CounterMetricFamily(name, text, labels=labels), values)


def gauge(name: str, text: str, values: Values, *labels: str) -> Metric:
    """Return a gauge."""
    return _filled(GaugeMetricFamily(name, text, labels=labels), values)


def histogram(
    name: str, text: str, bounds: Sequence[float], counts: Sequence[int], total: float
) -> Metric:
    """Return a histogram. `counts`: how many values were up to each bound, and above all; `total`:
    the sum of the values.
    """
    names = [*map(str, map(float, bounds)), "+Inf"]
    buckets = list(zip(names, accumulate(counts), strict=True))
    family = HistogramMetricFamily(name, text)
    family.add_metric((), buckets, sum_value=total)
    return family


def page(families: Iterable[Metric]) -> bytes:
    """Return the page in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(families))
    return generate_latest(registry)


def merged(pages: Mapping[str, str]) -> list[Metric]:
    """Join the pages of `GET /metrics` by process. Each value gets the label `process`.

    They are not summed: a counter of a process that was started again begins at 0, which Prometheus
    sees only if the process has a series of its own.
    """
    joined: dict[str, Metric] = {}
    for process, page in pages.items():
        for family in text_string_to_metric_families(page):
            known = joined.setdefault(
                family.name, Metric(family.name, family.documentation, family.type)
            )
            for sample in family.samples:
                known.add_sample(sample.name, {**sample.labels, "process": process}, sample.value)
    return list(joined.values())


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        """Return the families."""
        return iter(self._families)

    def describe(self) -> Iterator[Metric]:
        """Return nothing: names are known only when they are collected."""
        return iter(())


def _filled(family: CounterMetricFamily | GaugeMetricFamily, values: Values) -> Metric:
    if not isinstance(values, Mapping):
        family.add_metric((), values)
        return family
    for labels, value in sorted(values.items()):
        family.add_metric((labels,) if isinstance(labels, str) else labels, value)
    return family
