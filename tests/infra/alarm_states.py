"""Alarms, evaluated as CloudWatch does: metric math, the threshold, and how missing data counts.

Sources: CloudWatch user guide, "Using math expressions with CloudWatch metrics" (FILL, IF, MIN,
MAX; an expression over a metric without data has none) and "Configuring how CloudWatch alarms treat
missing data". Data are the same in every period, so the number of periods does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Data = Mapping[str, float]
"""Name of a metric, or `Name of PART`, where a dimension names the part -> its value. A metric that
is not here has no data."""


class _Missing(Exception):
    """A metric without data, outside FILL."""


def in_alarm(alarm: Mapping[str, Any], data: Data) -> bool:
    """Return whether an alarm of the template is raised by these data."""
    value = _value(alarm, data)
    if value is None:
        return bool(alarm["TreatMissingData"] == "breaching")
    if alarm["ComparisonOperator"] == "LessThanThreshold":
        return bool(value < alarm["Threshold"])
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    return bool(value > alarm["Threshold"])


def _value(alarm: Mapping[str, Any], data: Data) -> float | None:
    if "MetricName" in alarm:
        return _of(alarm, data)
    given = {
        each["Id"]: _of(each["MetricStat"]["Metric"], data)
        for each in alarm["Metrics"]
        if "MetricStat" in each
    }
    (expression,) = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
    return _calculated(expression, given)


def _of(metric: Mapping[str, Any], data: Data) -> float | None:
    name = metric["MetricName"]
    where = str(metric.get("Dimensions", ""))
    for key, value in data.items():
        metric_name, _, part = key.partition(" of ")
        if metric_name == name and (not part or part in where):
            return value
    return None


def _calculated(expression: str, given: Mapping[str, float | None]) -> float | None:
    python = re.sub(r"FILL\((\w+), 0\)", r"fill('\1')", expression)
    python = re.sub(r"\bIF\(", "choose(", python)

    class Names(dict[str, Any]):
        def __missing__(self, id_: str) -> float:
            value = given[id_]
            if value is None:
                raise _Missing
            return value

    names = Names(
        fill=lambda id_: given[id_] if given[id_] is not None else 0.0,
        choose=lambda condition, one, other: one if condition else other,
        MIN=min,
        MAX=max,
        __builtins__={},
    )
    try:
        return float(eval(python, names))
    except _Missing:
        return None
