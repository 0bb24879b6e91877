"""The voice host's settings, read once from the environment; nothing else looks at `os.environ`."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.settings import authority, loopback, needed, number, secret
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
    port = int(number(env, "VOICE_PORT", 8705))
    name = socket.gethostname()
    base = f"ws://{authority(host) if loopback(host) else name}:{port}"
    max_calls = int(number(env, "VOICE_MAX_CALLS", 8, least=1))
    return Config(
        control_url=needed(env, "CHAMADE_CONTROL_URL").rstrip("/"),
        secret=secret(env, "CHAMADE_VOICE_SECRET"),
        engines=_engines(env, max_calls),
        host=host,
        port=port,
        url=(env.get("VOICE_URL") or base).rstrip("/"),
        voice_id=env.get("VOICE_ID") or f"{name}-{port}-{secrets.token_hex(3)}",
        max_calls=max_calls,
        max_calls_per_account=int(
            number(env, "VOICE_MAX_CALLS_PER_ACCOUNT", (max_calls + 1) // 2, least=1)
        ),
        counts_s=number(env, "VOICE_COUNTS_S", 0.0),
        drain_s=number(env, "VOICE_DRAIN_S", 60.0),
    )


def _engines(env: Mapping[str, str], max_calls: int) -> EngineSettings:
    engine = env.get("VOICE_ENGINE") or "local"
    if engine not in _ENGINES:
        raise ValueError(f"VOICE_ENGINE is none of {', '.join(_ENGINES)}")
    if engine == "openai":
        needed(env, "VOICE_OPENAI_URL")
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
