"""The settings of the gateway, read once from the environment.

Settings of a single call are not here.
"""

from __future__ import annotations

import ipaddress
import math
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from common.gateway_tag import tag_of
from common.rotation import well_formed
from gateway.share import Share
from runtime.processors import count_of

T = TypeVar("T")

_ACCOUNT_SID = re.compile(r"AC[0-9a-f]{32}")
_GATEWAY_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_PORT_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]")

MIN_RTP_PORTS = 100
"""Ports that one process needs at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The gateway's settings; times are seconds."""

    account_sid: str
    auth_token: str = field(repr=False)
    voice_url: str
    """The URL that every inbound call asks for its TwiML."""
    status_url: str | None = None
    """The URL that gets the final status of every inbound call."""
    host: str = "127.0.0.1"
    port: int = 8703
    socket: str | None = None
    """Path of the UNIX socket to listen on in place of `host` and `port`: that of a process behind
    a front."""
    processes: int = 1
    """Gateway processes; beyond 1 this process is the front of that many others."""
    share: Share | None = None
    """The part of the trunks that this process registers; None: all of them."""
    redirect_ringing_works: bool = True
    """True if a REST redirect works on an inbound call that still rings; else the answer is 21220.

    Twilio documents redirects for calls in progress only, so applications must handle both.
    """
    webhook_timeout: float = 15.0
    webhook_patience: float = 60.0
    """Time for which a call asks an application again that fails or does not answer. It rings on
    meanwhile, or waits in silence if it was answered."""
    status_retries: tuple[float, ...] = (0.5, 2.0, 8.0)
    """Pauses before a status callback is tried again."""
    max_calls: int = 500
    max_calls_per_trunk: int = 100
    """Calls that one trunk may have; never more than half of all calls."""
    max_calls_without_trunk: int = 20
    """Calls of the edge's peers that belong to no trunk; never more than a quarter of all calls."""
    max_redirects: int = 1000
    """Consecutive redirects before a script counts as a loop; a connected stream resets the
    count."""
    time_limit: float = 4 * 3600
    """Limit of an answered call, unless the REST request sets another one."""
    ended_kept: float = 900.0
    """Time for which an ended call can still be fetched."""
    ended_kept_max: int = 5000
    drain: float = 3.0
    """Time that a stopping gateway waits for its last status callbacks."""
    log_level: str = "INFO"
    counts: float = 0.0
    """Interval between two log lines of counts; 0: no such lines."""

    control_url: str | None = None
    """The application's base URL for control requests; None: this gateway has no trunks."""
    control_secret: str = field(default="", repr=False)
    gateway_id: str = "gateway-1"
    """The name under which the application knows this process."""
    machine: str = "gateway-1"
    """The name of the gateway among several: that of its front, if this is one process of it."""
    api_url: str | None = None
    """The URL at which the application reaches this gateway; None: it is the only one."""
    trunk_refresh: float = 60.0
    """Interval between two fetches of the list of trunks."""
    allow_private_trunks: bool = False
    """True if trunks may be at private or loopback addresses: for one machine, and for tests."""
    sip_port: int = 0
    """UDP and TCP port of SIP. 0: no SIP at all."""
    sip_host: str = "127.0.0.1"
    rtp_ports: tuple[int, int] = (10000, 19999)
    """First and last UDP port for audio; a call takes two."""
    sip_edge: str | None = None
    """host:port of the SIP edge that all SIP goes through."""
    sip_ca_file: str | None = None
    """PEM file of the authorities that TLS trunks are checked against; None: the system's."""
    sip_register_interval: float = 120.0
    rtp_timeout: float = 30.0
    """Time after which an answered call without any audio packet is ended."""

    @property
    def process(self) -> int | None:
        """Return the number of this process behind its front; None if it has no front."""
        return self.share.index if self.share is not None else None

    @property
    def tag(self) -> str:
        """Return the digits for this gateway in the SIDs of its calls; blank if it is the only
        one."""
        return tag_of(self.machine) if self.api_url is not None else ""


def from_env(environ: Mapping[str, str]) -> Config:
    """Return the settings in `GATEWAY_*`.

    Raises ValueError with the name of a missing or wrong variable.
    """
    account_sid = _required(environ, "GATEWAY_ACCOUNT_SID")
    if not _ACCOUNT_SID.fullmatch(account_sid):
        raise ValueError("GATEWAY_ACCOUNT_SID must be AC and 32 lower-case hexadecimal digits")
    mode = environ.get("GATEWAY_REDIRECT_RINGING", "work")
    if mode not in ("work", "21220"):
        raise ValueError("GATEWAY_REDIRECT_RINGING must be 'work' or '21220'")
    control_url, control_secret = _control(environ)
    _check_children(environ)
    _check_edge(environ)
    status_url = environ.get("GATEWAY_STATUS_URL") or None
    share = _share(environ)
    return Config(
        account_sid=account_sid,
        auth_token=_secret("GATEWAY_AUTH_TOKEN", _required(environ, "GATEWAY_AUTH_TOKEN")),
        voice_url=_url("GATEWAY_VOICE_URL", _required(environ, "GATEWAY_VOICE_URL")),
        status_url=_url("GATEWAY_STATUS_URL", status_url) if status_url else None,
        host=environ.get("GATEWAY_HOST", "127.0.0.1"),
        port=_port(environ, "GATEWAY_PORT", 8703),
        socket=environ.get("GATEWAY_SOCKET") or None,
        processes=processes(environ),
        share=share,
        redirect_ringing_works=mode == "work",
        webhook_timeout=_number(environ, "GATEWAY_WEBHOOK_TIMEOUT", 15.0),
        webhook_patience=_number(environ, "GATEWAY_WEBHOOK_PATIENCE", 60.0),
        max_calls=int(_number(environ, "GATEWAY_MAX_CALLS", 500)),
        max_calls_per_trunk=int(_number(environ, "GATEWAY_MAX_CALLS_PER_TRUNK", 100)),
        max_calls_without_trunk=int(_number(environ, "GATEWAY_MAX_CALLS_WITHOUT_TRUNK", 20)),
        max_redirects=int(_number(environ, "GATEWAY_MAX_REDIRECTS", 1000)),
        time_limit=_number(environ, "GATEWAY_TIME_LIMIT", 4 * 3600),
        log_level=environ.get("GATEWAY_LOG_LEVEL", "INFO").upper(),
        counts=_number(environ, "GATEWAY_COUNTS_S", 0.0),
        control_url=control_url,
        control_secret=control_secret,
        gateway_id=_gateway_id(environ, "GATEWAY_ID"),
        machine=_gateway_id(environ, "GATEWAY_MACHINE" if share else "GATEWAY_ID"),
        api_url=_api_url(environ),
        trunk_refresh=_number(environ, "GATEWAY_TRUNK_REFRESH", 60.0, least=1.0),
        allow_private_trunks=_flag(environ, "GATEWAY_ALLOW_PRIVATE_TRUNKS"),
        sip_port=_port(environ, "GATEWAY_SIP_PORT", 0),
        sip_host=_host(environ, "GATEWAY_SIP_HOST", "127.0.0.1"),
        rtp_ports=_rtp_ports(environ),
        sip_edge=_authority(environ, "GATEWAY_SIP_EDGE"),
        sip_ca_file=_file(environ, "GATEWAY_SIP_CA_FILE"),
        sip_register_interval=_number(
            environ, "GATEWAY_SIP_REGISTER_INTERVAL", 120.0, least=30.0, most=86400.0
        ),
        rtp_timeout=_number(environ, "GATEWAY_RTP_TIMEOUT", 30.0, least=1.0),
    )


def processes(environ: Mapping[str, str]) -> int:
    """Return the number of gateway processes. Raises ValueError."""
    return _read("GATEWAY_PROCESSES", environ.get("GATEWAY_PROCESSES") or "1", count_of)


def _check_edge(environ: Mapping[str, str]) -> None:
    has_sip = environ.get("GATEWAY_SIP_PORT", "") not in ("", "0")
    if processes(environ) > 1 and has_sip and not environ.get("GATEWAY_SIP_EDGE"):
        raise ValueError(
            "GATEWAY_PROCESSES is more than 1, but GATEWAY_SIP_EDGE is not set: a carrier sends to "
            "one address, and only the edge knows which process a call is for"
        )


def _share(environ: Mapping[str, str]) -> Share | None:
    text = environ.get("GATEWAY_SHARE")
    return _read("GATEWAY_SHARE", text, Share.parse) if text else None


def _read(name: str, text: str, reader: Callable[[str], T]) -> T:
    try:
        return reader(text)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def _required(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name):
        return value
    raise ValueError(f"{name} is not set")


def _secret(name: str, value: str) -> str:
    """Return a secret, with its former values (common/rotation.py)."""
    if not well_formed(value):
        raise ValueError(f"{name} has a comma too many: a value is blank")
    return value


def _url(name: str, value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name} must be an http or https URL, not {value!r}")
    return value


def _number(
    environ: Mapping[str, str],
    name: str,
    default: float,
    *,
    least: float = 0.0,
    most: float = float("inf"),
) -> float:
    text = environ.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, not {text!r}") from None
    if value < 0:
        raise ValueError(f"{name} must not be negative")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number")
    if value < least:
        raise ValueError(f"{name} must be at least {least:g}")
    if value > most:
        raise ValueError(f"{name} must be at most {most:g}")
    return value


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    value = _number(environ, name, default)
    if value > 65535:
        raise ValueError(f"{name} must be at most 65535")
    return int(value)


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name) or "0"
    if text not in ("0", "1"):
        raise ValueError(f"{name} must be 0 or 1, not {text!r}")
    return text == "1"


def _control(environ: Mapping[str, str]) -> tuple[str | None, str]:
    url = environ.get("GATEWAY_CONTROL_URL", "")
    secret = environ.get("GATEWAY_CONTROL_SECRET", "")
    if bool(url) != bool(secret):
        missing = "GATEWAY_CONTROL_SECRET" if url else "GATEWAY_CONTROL_URL"
        other = "GATEWAY_CONTROL_URL" if url else "GATEWAY_CONTROL_SECRET"
        raise ValueError(f"{missing} is not set, but {other} is: set both, or neither")
    if not url:
        return None, ""
    _secret("GATEWAY_CONTROL_SECRET", secret)
    return _url("GATEWAY_CONTROL_URL", url).rstrip("/"), secret


def _api_url(environ: Mapping[str, str]) -> str | None:
    """Return the gateway's own URL. Only a name that the operator gave tells gateways apart."""
    url = environ.get("GATEWAY_API_URL") or None
    if url is None:
        return None
    for name in ("GATEWAY_CONTROL_URL", "GATEWAY_ID"):
        if not environ.get(name):
            raise ValueError(f"GATEWAY_API_URL is set, but {name} is not: set both")
    parts = urlsplit(_url("GATEWAY_API_URL", url.rstrip("/")))
    if parts.path or parts.query or parts.fragment:
        raise ValueError(f"GATEWAY_API_URL must be a URL without a path, not {url!r}")
    return url.rstrip("/")


def _gateway_id(environ: Mapping[str, str], variable: str) -> str:
    if name := environ.get(variable):
        if not _GATEWAY_ID.fullmatch(name):
            raise ValueError(f"{variable} must be 1 to 64 letters, digits or any of _ . : -")
        return name
    # The host's name is not set by the operator here, so a bad one must not stop the process.
    return re.sub(r"[^\w.:-]", "-", socket.gethostname(), flags=re.ASCII)[:64] or "gateway-1"


def _check_children(environ: Mapping[str, str]) -> None:
    """Refuse a former setting that would no longer do anything."""
    text = environ.get("GATEWAY_SIP_CHILDREN") or "1"
    if text != "1":
        raise ValueError(
            f"GATEWAY_SIP_CHILDREN is {text!r}, but SIP runs in the gateway's own process: remove "
            "the variable, and set GATEWAY_PROCESSES if one process is not enough"
        )


def _rtp_ports(environ: Mapping[str, str]) -> tuple[int, int]:
    found = _PORT_RANGE.fullmatch(environ.get("GATEWAY_RTP_PORTS") or "10000-19999")
    if found is None:
        raise ValueError("GATEWAY_RTP_PORTS must be first-last, such as 10000-19999")
    first, last = int(found[1]), int(found[2])
    if not 1024 <= first <= last <= 65535 or last - first + 1 < MIN_RTP_PORTS:
        raise ValueError(
            f"GATEWAY_RTP_PORTS must be {MIN_RTP_PORTS} ports or more between 1024 and 65535"
        )
    return first, last


def _host(environ: Mapping[str, str], name: str, default: str) -> str:
    """Return an address to bind, or a name, after a check: it goes into the SIP stack's
    configuration."""
    text = environ.get(name) or default
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if not _HOST.fullmatch(text):
            raise ValueError(f"{name} must be a host, not {text!r}") from None
    return text


def _authority(environ: Mapping[str, str], name: str) -> str | None:
    text = environ.get(name) or None
    if text is not None:
        host, _, port = text.rpartition(":")
        if not _HOST.fullmatch(host) or not (port.isascii() and port.isdigit()):
            raise ValueError(f"{name} must be host:port, not {text!r}")
        if not 1 <= int(port[:6]) <= 65535:
            raise ValueError(f"{name} must name a port from 1 to 65535")
    return text


def _file(environ: Mapping[str, str], name: str) -> str | None:
    text = environ.get(name) or None
    if text is not None and not Path(text).is_file():
        raise ValueError(f"{name} must name a file that is there, not {text!r}")
    return text
