"""What the operator decides, read once from the environment. Not what a call decides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_ACCOUNT_SID = re.compile(r"AC[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The gateway's settings; times are seconds."""

    account_sid: str
    auth_token: str = field(repr=False)
    voice_url: str
    """Where every inbound call asks for its TwiML."""
    status_url: str | None = None
    """Where the terminal status of every inbound call goes."""
    host: str = "127.0.0.1"
    port: int = 8703
    redirect_ringing_works: bool = True
    """Whether a REST redirect reaches an inbound call that still rings, or answers 21220.

    Twilio documents redirects for calls in progress only, so applications must live with both.
    """
    webhook_timeout: float = 15.0
    status_retries: tuple[float, ...] = (0.5, 2.0, 8.0)
    """Pauses before a status callback is tried again."""
    max_calls: int = 500
    max_redirects: int = 1000
    """Consecutive redirects before a call is taken for a loop; a connected stream resets it."""
    time_limit: float = 4 * 3600
    """Longest answered call, unless the REST request says otherwise."""
    ended_kept: float = 900.0
    """How long an ended call can still be fetched."""
    ended_kept_max: int = 5000
    drain: float = 3.0
    """How long a stopping gateway waits for its last status callbacks."""
    log_level: str = "INFO"


def from_env(environ: Mapping[str, str]) -> Config:
    """The settings in `GATEWAY_*`. ValueError names the variable that is missing or wrong."""
    account_sid = _required(environ, "GATEWAY_ACCOUNT_SID")
    if not _ACCOUNT_SID.fullmatch(account_sid):
        raise ValueError("GATEWAY_ACCOUNT_SID must be AC and 32 lower-case hexadecimal digits")
    mode = environ.get("GATEWAY_REDIRECT_RINGING", "work")
    if mode not in ("work", "21220"):
        raise ValueError("GATEWAY_REDIRECT_RINGING must be 'work' or '21220'")
    port = int(_number(environ, "GATEWAY_PORT", 8703))
    if port > 65535:
        raise ValueError("GATEWAY_PORT must be at most 65535")
    status_url = environ.get("GATEWAY_STATUS_URL") or None
    return Config(
        account_sid=account_sid,
        auth_token=_required(environ, "GATEWAY_AUTH_TOKEN"),
        voice_url=_url("GATEWAY_VOICE_URL", _required(environ, "GATEWAY_VOICE_URL")),
        status_url=_url("GATEWAY_STATUS_URL", status_url) if status_url else None,
        host=environ.get("GATEWAY_HOST", "127.0.0.1"),
        port=port,
        redirect_ringing_works=mode == "work",
        webhook_timeout=_number(environ, "GATEWAY_WEBHOOK_TIMEOUT", 15.0),
        max_calls=int(_number(environ, "GATEWAY_MAX_CALLS", 500)),
        max_redirects=int(_number(environ, "GATEWAY_MAX_REDIRECTS", 1000)),
        time_limit=_number(environ, "GATEWAY_TIME_LIMIT", 4 * 3600),
        log_level=environ.get("GATEWAY_LOG_LEVEL", "INFO").upper(),
    )


def _required(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name):
        return value
    raise ValueError(f"{name} is not set")


def _url(name: str, value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name} must be an http or https URL, not {value!r}")
    return value


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, not {text!r}") from None
    if value < 0:
        raise ValueError(f"{name} must not be negative")
    return value
