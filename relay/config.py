"""The relay's settings, read once from the environment; nothing else looks at `os.environ`."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from wire.rotation import well_formed


@dataclass(frozen=True, slots=True)
class Graces:
    """How long the relay waits for what is missing, in seconds."""

    agent_back: float = 10.0
    """An agent's socket went: until `agent_lost`."""
    agent_first: float = 30.0
    """The provider's stream is up and no agent ever came: until `no_agent`."""
    provider_back: float = 10.0
    """The provider's stream went: until `media_lost`."""
    provider_start: float = 5.0
    """A provider's socket opened: until its `start` must have come."""
    unreachable: float = 60.0
    """The application does not answer and no stream is up: until the call is let go."""
    watch: float = 10.0
    """A stream is up: until the application is asked how the call is, and half as much more."""


@dataclass(frozen=True, slots=True)
class Config:
    """One relay process."""

    control_url: str
    control_secret: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8702
    relay_id: str = "relay-1"
    relay_url: str = "ws://127.0.0.1:8702"
    """Base URL at which other relays reach this one."""
    public_url: str = "ws://127.0.0.1:8702"
    """Base URL that providers dial: what their handshake signature covers."""
    drain_s: float = 100.0
    max_waiting: int = 200
    """Sockets that are open and not let in (yet), beyond which upgrades are answered 503."""
    allow_private_agents: bool = False
    """Whether an agent may be dialled at an address of our own network."""
    graces: Graces = Graces()
    counts_s: float = 0.0
    """How often a line of counts is logged; 0: never."""
    ecs_agent_uri: str = ""
    """Amazon ECS's agent, which is asked to spare a relay with calls; blank: there is none."""


def from_env(env: Mapping[str, str]) -> Config:
    """Settings from environment variables. ValueError names one that is missing or wrong."""
    host = env.get("RELAY_HOST") or "127.0.0.1"
    port = int(_number(env, "RELAY_PORT", 8702))
    # Every container has the same port and may have the same settings: what tells them apart is
    # the host's name, and what tells a process from the one it replaces is chance.
    name = socket.gethostname()
    base = f"ws://{_authority(host) if _loopback(host) else name}:{port}"
    graces = Graces()
    return Config(
        control_url=_needed(env, "CHAMADE_CONTROL_URL").rstrip("/"),
        control_secret=_secret(env, "CHAMADE_CONTROL_SECRET"),
        host=host,
        port=port,
        relay_id=env.get("RELAY_ID") or f"{name}-{port}-{secrets.token_hex(3)}",
        relay_url=(env.get("RELAY_URL") or base).rstrip("/"),
        public_url=(env.get("RELAY_PUBLIC_URL") or base).rstrip("/"),
        drain_s=_number(env, "RELAY_DRAIN_S", 100.0),
        max_waiting=int(_number(env, "RELAY_MAX_WAITING", 200, least=1)),
        allow_private_agents=env.get("RELAY_ALLOW_PRIVATE_AGENTS") == "1",
        graces=Graces(
            agent_back=_number(env, "RELAY_AGENT_BACK_S", graces.agent_back),
            agent_first=_number(env, "RELAY_AGENT_FIRST_S", graces.agent_first),
            provider_back=_number(env, "RELAY_PROVIDER_BACK_S", graces.provider_back),
            provider_start=_number(env, "RELAY_PROVIDER_START_S", graces.provider_start),
            unreachable=_number(env, "RELAY_UNREACHABLE_S", graces.unreachable),
            watch=_number(env, "RELAY_WATCH_S", graces.watch, least=1),
        ),
        counts_s=_number(env, "RELAY_COUNTS_S", 0.0),
        ecs_agent_uri=env.get("ECS_AGENT_URI", ""),
    )


def _needed(env: Mapping[str, str], name: str) -> str:
    value = env.get(name)
    if not value:
        raise ValueError(f"{name} is not set")
    return value


def _secret(env: Mapping[str, str], name: str) -> str:
    value = _needed(env, name)
    if not well_formed(value):
        raise ValueError(f"{name} has a comma too many: a value is blank")
    return value


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _authority(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _number(env: Mapping[str, str], name: str, default: float, *, least: float = 0) -> float:
    try:
        value = float(env.get(name) or default)
    except ValueError:
        raise ValueError(f"{name} is not a number") from None
    if not least <= value < float("inf"):
        raise ValueError(f"{name} is not a sensible number")
    return value
