"""The configuration of a child's SIP stack, made from the child's settings."""

from __future__ import annotations

import ssl

from baresip import Config

from gateway.legs.sip.bounds import CALLS_PER_CHILD
from gateway.legs.sip.child_settings import ChildSettings
from gateway.legs.sip.headers import EXPOSED


def stack_config(settings: ChildSettings) -> Config:
    """Return the stack's configuration."""
    low, high = settings.rtp_ports
    lines = [
        f"sip_listen {settings.host}:{settings.port}",
        f"rtp_ports {low}-{high}",
        # EF for audio, CS3 for signalling (RFC 4594), for networks that prioritise traffic.
        "rtp_tos 184",
        "sip_tos 96",
        # Only the gateway's audio is sent, so a call needs no sound card and no camera.
        "audio_level no",
        # Resolve names as the machine does, including /etc/hosts.
        "dns_getaddrinfo yes",
        # Somebody who knows a user name must not be able to find the contact.
        "sip_cuser_random yes",
    ]
    if authorities := settings.ca_file or _system_authorities():
        lines += [f"sip_cafile {authorities}", "sip_verify_server yes"]
    return Config(
        net_interface=settings.host,
        # The gateway limits the calls that it dials. If INVITEs come faster than it refuses
        # them, the stack itself answers 486.
        max_concurrent_calls=CALLS_PER_CHILD,
        rtp_timeout=settings.rtp_timeout,
        expose_headers=EXPOSED,
        native_log_level="warning",
        extra_config_text="\n".join(lines) + "\n",
    )


def _system_authorities() -> str | None:
    return ssl.get_default_verify_paths().cafile
