"""Join the answers of several processes into one. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_WORST = "_ms"
"""End of the names of gauges whose worst value counts; of all others the sum does."""

_FAILED = "trunks_failed"
_TRUNKS = ("trunks_registered", _FAILED)

Sample = tuple[Mapping[str, float], Mapping[str, int]]
"""Gauges, and counters since the process started."""


def trunks(documents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Join the lists of `GET /trunks`, in the order of the ids."""
    found = [trunk for document in documents for trunk in document["trunks"]]
    return {"trunks": sorted(found, key=lambda trunk: str(trunk["trunk_id"]))}


def totals(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Join what `GET /status` counts: calls and trunks by status, and whether the application
    answers all processes."""
    applications = [document["application"] for document in documents if document["application"]]
    silent = next((each for each in applications if not each["answers"]), None)
    return {
        "calls": _sum(document["calls"] for document in documents),
        "trunks": _sum(document["trunks"] for document in documents),
        "application": silent or next(iter(applications), None),
    }


class Totals:
    """The counts of all processes.

    Counters never go back: a process that was started again begins at 0, and what its former life
    counted stays. The trunks of a process that does not answer count as failed.
    """

    def __init__(self) -> None:
        self._lives: dict[int, tuple[int, Mapping[str, int]]] = {}
        self._counters: Counter[str] = Counter()
        self._trunks: dict[int, float] = {}

    def add(self, samples: Mapping[int, tuple[int, Sample]]) -> Sample:
        """Take a sample of each process that answers, with the number of its life.

        Return the sample of all processes.
        """
        for process, (life, (gauges, counters)) in samples.items():
            self._count(process, life, counters)
            self._trunks[process] = sum(gauges.get(name, 0) for name in _TRUNKS)
        lost = sum(trunks for process, trunks in self._trunks.items() if process not in samples)
        joined = _joined(gauges for _, (gauges, _) in samples.values())
        joined[_FAILED] = joined.get(_FAILED, 0) + lost
        return joined, dict(self._counters)

    def _count(self, process: int, life: int, counters: Mapping[str, int]) -> None:
        known_life, known = self._lives.get(process, (life, {}))
        before = known if known_life == life else {}
        for name, value in counters.items():
            self._counters[name] += value - before.get(name, 0)
        self._lives[process] = (life, counters)


def _joined(values: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Join gauges: the worst of a lag, the sum of anything else."""
    joined: dict[str, float] = {}
    for each in values:
        for name, value in each.items():
            known = joined.get(name, 0)
            joined[name] = max(known, value) if name.endswith(_WORST) else known + value
    return joined


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)
