"""The counts of the voice host, for `/metrics` and for the line of counts."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from runtime.metrics import counter, gauge, page
from voice.core.counters import Counters
from voice.core.places import Places


def render(counters: Counters, places: Places, now: float) -> bytes:
    """Return the page for Prometheus."""
    return page(_families(counters, places, now))


def sample(counters: Counters, places: Places) -> tuple[dict[str, float], dict[str, int]]:
    """Return the gauges and the counters of the line of counts."""
    happened = counters.happened
    return {"calls": places.calls}, {
        "refused": happened["busy"],
        "unspoken": happened["synthesis_failures"],
        "unheard": happened["recognition_failures"],
        "dropped": happened["items_dropped"],
    }


def _families(counters: Counters, places: Places, now: float) -> Iterator[Metric]:
    of = "chamade_voice_"
    yield gauge(of + "calls", "Calls that are hosted.", places.calls)
    yield gauge(of + "free", "Places that are free.", places.free(now))
    yield gauge(of + "draining", "1 while the host drains.", int(counters.draining))
    yield counter(of + "happened", "What happened in calls.", counters.happened, "what")
    yield counter(of + "took_ms", "How long it took, in ms.", counters.took_ms, "what")
