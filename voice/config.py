"""The voice host's settings, read once from the environment; nothing else looks at `os.environ`."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from common.rotation import well_formed
from voice.engines.base import EngineSettings

_ENGINES = ("local", "aws", "openai")


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one voice host."""

    control_url: str
    secret: str = field(repr=False)
    engines: EngineSettings
    host: str = "127.0.0.1"
    port: int = 8705
    url: str = "ws://127.0.0.1:8705"
    """Base URL at which relays reach this host."""
    voice_id: str = "voice-1"
    max_calls: int = 8
    """Calls at the same time, with those that have a place reserved."""
    max_calls_per_account: int = 4
    """Those of one account: it must not take every place."""
    counts_s: float = 0.0
    """Seconds between two log lines of counts; 0: none."""
    drain_s: float = 60.0
    """Seconds for calls to end by themselves; the others go on at another host."""


def from_env(env: Mapping[str, str]) -> Config:
    """Read the settings from the environment. ValueError names one that is missing or wrong."""
    host = env.get("VOICE_HOST") or "127.0.0.1"
    port = int(_number(env, "VOICE_PORT", 8705))
    name = socket.gethostname()
    base = f"ws://{_authority(host) if _loopback(host) else name}:{port}"
    max_calls = int(_number(env, "VOICE_MAX_CALLS", 8, least=1))
    return Config(
        control_url=_needed(env, "CHAMADE_CONTROL_URL").rstrip("/"),
        secret=_secret(env, "CHAMADE_VOICE_SECRET"),
        engines=_engines(env, max_calls),
        host=host,
        port=port,
        url=(env.get("VOICE_URL") or base).rstrip("/"),
        voice_id=env.get("VOICE_ID") or f"{name}-{port}-{secrets.token_hex(3)}",
        max_calls=max_calls,
        max_calls_per_account=int(
            _number(env, "VOICE_MAX_CALLS_PER_ACCOUNT", (max_calls + 1) // 2, least=1)
        ),
        counts_s=_number(env, "VOICE_COUNTS_S", 0.0),
        drain_s=_number(env, "VOICE_DRAIN_S", 60.0),
    )


def _engines(env: Mapping[str, str], max_calls: int) -> EngineSettings:
    engine = env.get("VOICE_ENGINE") or "local"
    if engine not in _ENGINES:
        raise ValueError(f"VOICE_ENGINE is none of {', '.join(_ENGINES)}")
    if engine == "openai":
        _needed(env, "VOICE_OPENAI_URL")
    return EngineSettings(
        engine=engine,
        language=env.get("VOICE_LANGUAGE", ""),
        voice=env.get("VOICE_NAME", ""),
        openai_url=env.get("VOICE_OPENAI_URL", "").rstrip("/"),
        openai_key=env.get("VOICE_OPENAI_KEY", ""),
        openai_models=env.get("VOICE_OPENAI_MODELS", ""),
        max_calls=max_calls,
        python=env.get("VOICE_PYTHON", ""),
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
