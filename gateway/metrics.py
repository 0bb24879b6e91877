"""Counts for `/metrics`, in Prometheus' text format. Not a log: no call is named here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Metrics:
    """What has happened since the process started."""

    ended: Counter[str] = field(default_factory=Counter)
    webhooks: Counter[str] = field(default_factory=Counter)
    webhook_errors: Counter[str] = field(default_factory=Counter)
    streams: int = 0
    streams_failed: int = 0
    streams_open: int = 0
    bytes_dropped: int = 0
    refused: int = 0
    sip_restarts: int = 0
    sip_lag_ms: float = 0.0

    def render(self, live: Mapping[str, int], trunks: Mapping[str, int]) -> str:
        """The page; `live` are the calls that are not over, `trunks` all trunks, both by status."""
        lines: list[str] = []
        _add(lines, "gateway_calls", "gauge", "status", live)
        _add(lines, "gateway_trunks", "gauge", "status", trunks)
        _add(lines, "gateway_calls_ended_total", "counter", "status", self.ended)
        _add(lines, "gateway_webhooks_total", "counter", "kind", self.webhooks)
        _add(lines, "gateway_webhook_errors_total", "counter", "kind", self.webhook_errors)
        for name, kind, value in (
            ("gateway_calls_refused_total", "counter", self.refused),
            ("gateway_sip_restarts_total", "counter", self.sip_restarts),
            ("gateway_sip_lag_ms", "gauge", self.sip_lag_ms),
            ("gateway_streams_open", "gauge", self.streams_open),
            ("gateway_streams_total", "counter", self.streams),
            ("gateway_streams_failed_total", "counter", self.streams_failed),
            ("gateway_stream_bytes_dropped_total", "counter", self.bytes_dropped),
        ):
            lines += [f"# TYPE {name} {kind}", f"{name} {value}"]
        return "\n".join(lines) + "\n"


def _add(lines: list[str], name: str, kind: str, label: str, values: Mapping[str, int]) -> None:
    lines.append(f"# TYPE {name} {kind}")
    lines += [f'{name}{{{label}="{key}"}} {value}' for key, value in sorted(values.items())]
