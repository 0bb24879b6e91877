"""What a child is told when it is started, and the stack's configuration that follows from it."""

from __future__ import annotations

import json
import ssl
from dataclasses import asdict, dataclass

from baresip import Config

from gateway.legs.sip.headers import EXPOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One child's share of the gateway's configuration. Times are seconds."""

    host: str
    port: int
    rtp_ports: tuple[int, int]
    register_interval: int
    rtp_timeout: int
    edge: str | None = None
    ca_file: str | None = None
    log_level: str = "INFO"

    def as_json(self) -> str:
        """For the child's command line: nothing in it is secret."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The inverse."""
        given = json.loads(text)
        return cls(**{**given, "rtp_ports": tuple(given["rtp_ports"])})

    def stack(self) -> Config:
        """As the stack wants it."""
        low, high = self.rtp_ports
        lines = [
            f"sip_listen {self.host}:{self.port}",
            f"rtp_ports {low}-{high}",
            # EF for audio, CS3 for signalling (RFC 4594): networks that care should know.
            "rtp_tos 184",
            "sip_tos 96",
            # Only what we play is recorded or sent; a call costs no sound card and no camera.
            "audio_level no",
            # Names as the machine knows them: /etc/hosts, too.
            "dns_getaddrinfo yes",
        ]
        if authorities := self.ca_file or _system_authorities():
            lines += [f"sip_cafile {authorities}", "sip_verify_server yes"]
        return Config(
            net_interface=self.host,
            max_concurrent_calls=None,  # the gateway counts; the library's default is two
            rtp_timeout=self.rtp_timeout,
            expose_headers=EXPOSED,
            native_log_level="warning",
            extra_config_text="\n".join(lines) + "\n",
        )


def _system_authorities() -> str | None:
    return ssl.get_default_verify_paths().cafile
