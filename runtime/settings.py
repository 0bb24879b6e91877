"""Readers of one setting from the environment. Their errors name the setting."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from common.rotation import well_formed


def needed(env: Mapping[str, str], name: str) -> str:
    """Return a setting. ValueError if it is not there."""
    value = env.get(name)
    if not value:
        raise ValueError(f"{name} is not set")
    return value


def secret(env: Mapping[str, str], name: str) -> str:
    """Return a secret, with former values behind commas if there are any. ValueError if it is not
    there, or a value is blank.
    """
    value = needed(env, name)
    if not well_formed(value):
        raise ValueError(f"{name} has a comma too many: a value is blank")
    return value


def loopback(host: str) -> bool:
    """Return whether the host is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def authority(host: str) -> str:
    """Return the host as it stands in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def number(env: Mapping[str, str], name: str, default: float, *, least: float = 0) -> float:
    """Return a number of at least `least`; `default` if it is not set. ValueError."""
    try:
        value = float(env.get(name) or default)
    except ValueError:
        raise ValueError(f"{name} is not a number") from None
    if not least <= value < float("inf"):
        raise ValueError(f"{name} is not a sensible number")
    return value
