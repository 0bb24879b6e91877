"""The counts of the gateway, for `/metrics` and for the line of counts. No call is named here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import Metric

from runtime.metrics import counter, gauge, page


@dataclass(slots=True)
class Metrics:
    """Counters since the process started."""

    ended: Counter[str] = field(default_factory=Counter)
    webhooks: Counter[str] = field(default_factory=Counter)
    webhook_errors: Counter[str] = field(default_factory=Counter)
    streams: int = 0
    streams_failed: int = 0
    streams_hung: int = 0
    """Streams that were given up because their server went silent."""
    streams_open: int = 0
    bytes_dropped: int = 0
    refused: int = 0
    shed: int = 0
    """Of the refused calls: those that came while the application was behind."""
    sip_lag_ms: float = 0.0
    """Lateness of the clock of the calls' audio: the worst of its last ten seconds."""

    def render(self, live: Mapping[str, int], trunks: Mapping[str, int]) -> bytes:
        """Return the page for Prometheus.

        `live` counts the calls that are not over, `trunks` all trunks, each by status.
        """
        return page(self._families(live, trunks))

    def sample(
        self, live: Mapping[str, int], trunks: Mapping[str, int]
    ) -> tuple[dict[str, float], dict[str, int]]:
        """Return the gauges and the counters of the line of counts."""
        gauges = {
            "calls": sum(live.values()),
            "trunks_registered": trunks.get("registered", 0) + trunks.get("ready", 0),
            "trunks_failed": trunks.get("failed", 0),
            "sip_lag_ms": round(self.sip_lag_ms, 1),
        }
        counters = {
            "refused": self.refused,
            "webhook_errors": self.webhook_errors.total(),
            "streams_failed": self.streams_failed,
        }
        return gauges, counters

    def _families(self, live: Mapping[str, int], trunks: Mapping[str, int]) -> Iterator[Metric]:
        yield gauge("gateway_calls", "Calls that are not over.", live, "status")
        yield gauge("gateway_trunks", "Trunks.", trunks, "status")
        yield gauge("gateway_streams_open", "Media streams that are open.", self.streams_open)
        yield gauge("gateway_sip_lag_ms", "Lag of the audio clock, ms.", self.sip_lag_ms)
        yield counter("gateway_calls_ended", "Calls that ended.", self.ended, "status")
        yield counter("gateway_webhooks", "Webhooks posted.", self.webhooks, "kind")
        yield counter("gateway_webhook_errors", "Webhooks failed.", self.webhook_errors, "kind")
        yield counter("gateway_calls_refused", "Calls refused at the limit.", self.refused)
        yield counter("gateway_calls_shed", "Calls refused with 503.", self.shed)
        yield counter("gateway_streams", "Media streams opened.", self.streams)
        yield counter("gateway_streams_failed", "Media streams that failed.", self.streams_failed)
        yield counter("gateway_streams_hung", "Media streams given up.", self.streams_hung)
        yield counter("gateway_stream_bytes_dropped", "Bytes of audio dropped.", self.bytes_dropped)
