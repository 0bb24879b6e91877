"""The settings of a SIP child, given at its start. No I/O; both sides use it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSettings:
    """A child's share of the gateway's configuration. Times are seconds."""

    host: str
    port: int
    rtp_ports: tuple[int, int]
    register_interval: int
    rtp_timeout: int
    edge: str | None = None
    ca_file: str | None = None
    log_level: str = "INFO"

    def as_json(self) -> str:
        """Return the settings as JSON for the child's command line: nothing in them is secret."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ChildSettings:
        """Return the settings from the JSON of `as_json`."""
        given = json.loads(text)
        return cls(**{**given, "rtp_ports": tuple(given["rtp_ports"])})
