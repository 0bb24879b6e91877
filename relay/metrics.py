"""The counts of the relay, for `/metrics` and for the line of counts."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from relay.core.counters import Counters
from relay.core.histogram import Histogram
from runtime.metrics import counter, gauge, histogram, page


def render(counters: Counters) -> bytes:
    """Return the page for Prometheus."""
    return page(_families(counters))


def sample(counters: Counters) -> tuple[dict[str, float], dict[str, int]]:
    """Return the gauges and the counters of the line of counts."""
    return {"calls": counters.calls}, {
        "dropped": counters.dropped.total(),
        "refused": counters.refused.total(),
        "unreached": counters.unreached.total(),
        "unanswered": counters.unanswered,
    }


def _families(counters: Counters) -> Iterator[Metric]:
    frames = {"to_agent": counters.to_agent, "to_caller": counters.to_caller}
    dropped, refused = counters.dropped, counters.refused
    legs = {leg: counters.legs[leg] for leg in ("agent", "provider", "peer")}
    of = "chamade_relay_"
    yield gauge(of + "calls", "Calls that are carried.", counters.calls)
    yield gauge(of + "legs", "Sockets that are open.", legs, "leg")
    yield gauge(of + "draining", "1 while the relay drains.", int(counters.draining))
    yield counter(of + "frames", "Audio messages sent.", frames, "direction")
    yield counter(
        of + "dropped_frames", "Audio messages and keys dropped.", dropped, "direction", "why"
    )
    yield counter(of + "attach_failures", "Sockets refused.", refused, "leg", "code")
    yield counter(of + "dial_failures", "Dials to agents that failed.", counters.unreached, "why")
    yield counter(
        of + "door_commands", "Commands through the door.", counters.door, "method", "answer"
    )
    yield counter(of + "segments", "Segments of recordings.", counters.segments, "outcome")
    yield counter(of + "control_unanswered", "Reports given up.", counters.unanswered)
    yield _seconds(
        "added_latency", "From reading a message of audio to writing it.", counters.added_latency
    )
    yield _seconds(
        "clear_to_silence", "From a barge-in to the provider's echo.", counters.clear_to_silence
    )
    yield _seconds("gap", "Pauses in which nothing came from a caller.", counters.gaps)


def _seconds(name: str, text: str, of: Histogram) -> Metric:
    """Return a histogram of ms in seconds, which Prometheus wants."""
    bounds = [bound / 1000 for bound in of.bounds]
    name = f"chamade_relay_{name}_seconds"
    return histogram(name, text, bounds, of.counts, of.total / 1000)
