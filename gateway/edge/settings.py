"""The settings of the edge, read once from the environment."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

_PORTS = range(1, 65536)
_TRUE = {"yes": True, "no": False}
DEFAULT_CHILD = ("127.0.0.1", 5070)
"""The address of the only gateway process, or of the first of several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The edge's settings; times are seconds."""

    public_ip: str
    """The address that carriers see: in Via, Contact and Record-Route, and in the SDP for audio."""
    bind_ip: str
    """This machine's address on the outside network; behind one-to-one NAT it is not the public
    one."""
    sip_port: int = 5060
    tls_port: int | None = None
    """The port for TLS; None: no TLS, neither in nor out."""
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_verify: bool = True
    """True if a carrier's certificate must be signed by an authority that this machine knows."""
    tls_ca: str | None = None
    """PEM file of the authorities that carriers are checked against; None: the system's."""
    inside: tuple[str, int] = ("127.0.0.1", 5060)
    """The address that gateway processes send to."""
    children: tuple[tuple[str, int], ...] = (DEFAULT_CHILD,)
    """The addresses of the gateway processes behind the edge."""
    peers: tuple[str, ...] = ()
    """Networks whose INVITEs are accepted for any number."""
    requests_per_s: int = 20
    """Limit for one source that is no peer, over five seconds; beyond it the source is banned."""
    strangers_per_s: int = 500
    """Limit for all sources that are no peers; beyond it they are not even counted."""
    invites_per_s: int = 30
    """Limit of new calls of all trunks; beyond it they are answered 503."""
    invites_per_trunk_s: int = 5
    """Limit of new calls of one trunk; calls beyond it do not count in the limit of all trunks."""
    invites_without_trunk_s: int = 5
    """Limit of new calls of all peers that belong to no trunk. They do not use the trunks'
    limit."""
    requests_per_network_s: int = 100
    """Limit of requests outside of calls of one network from which trunks take calls, over five
    seconds."""
    invites_per_network_s: int = 10
    """Limit of new calls of one network from which trunks take calls."""
    invites_of_networks_s: int = 30
    """Limit of new calls of all such networks. They do not use the trunks' limit."""
    invites_per_source_s: int = 10
    """Limit of new calls of one source other than the trunk's own registrar; it is checked
    first."""
    connections_per_source: int = 16
    """TCP and TLS connections that one address may have open to the edge."""
    stranger_connection_s: int = 30
    """Time after which a connection that belongs to no trunk and no call is closed."""
    allow_private: bool = False
    """True if SIP and audio may go to private addresses: for a PBX in the operator's own network.
    """
    line_grace_s: int = 60
    """Time for which a registration still counts after it has expired."""
    ban_s: int = 300
    call_s: int = 5 * 3600
    """Time for which the route of a call is remembered after its last message."""
    memory_mb: int = 128
    log_level: str = "INFO"


def from_env(environ: Mapping[str, str]) -> Settings:
    """Return the settings in `EDGE_*`.

    Raises ValueError with the name of a missing or wrong variable.
    """
    public_ip = _ip("EDGE_PUBLIC_IP", _required(environ, "EDGE_PUBLIC_IP"))
    bind_ip = _ip("EDGE_BIND_IP", environ.get("EDGE_BIND_IP") or _own_address(public_ip))
    if bind_ip == "0.0.0.0":
        raise ValueError("EDGE_BIND_IP must be one address of this machine, not 0.0.0.0")
    sip_port = _int(environ, "EDGE_SIP_PORT", 5060, _PORTS)
    inside = _address("EDGE_INSIDE", environ.get("EDGE_INSIDE") or f"127.0.0.1:{sip_port}")
    children = tuple(
        _address("EDGE_CHILDREN", part)
        for part in _list(environ, "EDGE_CHILDREN", ":".join(map(str, DEFAULT_CHILD)))
    )
    _check_inside(inside, children, (bind_ip, sip_port))
    cert, key = (_file(environ, name) for name in ("EDGE_TLS_CERT", "EDGE_TLS_KEY"))
    if bool(cert) != bool(key):
        raise ValueError("EDGE_TLS_CERT and EDGE_TLS_KEY go together")
    tls_port = _int(environ, "EDGE_TLS_PORT", 5061, range(65536)) or None
    if tls_port == sip_port:
        raise ValueError("EDGE_TLS_PORT and EDGE_SIP_PORT must differ")
    return Settings(
        public_ip=public_ip,
        bind_ip=bind_ip,
        sip_port=sip_port,
        tls_port=tls_port,
        tls_cert=cert,
        tls_key=key,
        tls_verify=_yes(environ, "EDGE_TLS_VERIFY", "yes"),
        tls_ca=_file(environ, "EDGE_TLS_CA"),
        inside=inside,
        children=children,
        peers=tuple(_network(part) for part in _list(environ, "EDGE_PEERS", "")),
        requests_per_s=_int(environ, "EDGE_REQUESTS_PER_S", 20, range(1, 100_001)),
        strangers_per_s=_int(environ, "EDGE_STRANGERS_PER_S", 500, range(1, 100_001)),
        invites_per_s=_int(environ, "EDGE_INVITES_PER_S", 30, range(1, 10_001)),
        invites_per_trunk_s=_int(environ, "EDGE_INVITES_PER_TRUNK_S", 5, range(1, 10_001)),
        invites_without_trunk_s=_int(environ, "EDGE_INVITES_WITHOUT_TRUNK_S", 5, range(1, 10_001)),
        requests_per_network_s=_int(environ, "EDGE_REQUESTS_PER_NETWORK_S", 100, range(1, 100_001)),
        invites_per_network_s=_int(environ, "EDGE_INVITES_PER_NETWORK_S", 10, range(1, 10_001)),
        invites_of_networks_s=_int(environ, "EDGE_INVITES_OF_NETWORKS_S", 30, range(1, 10_001)),
        invites_per_source_s=_int(environ, "EDGE_INVITES_PER_SOURCE_S", 10, range(1, 10_001)),
        stranger_connection_s=_int(environ, "EDGE_STRANGER_CONNECTION_S", 30, range(1, 3601)),
        connections_per_source=_int(environ, "EDGE_CONNECTIONS_PER_SOURCE", 16, range(1, 1001)),
        allow_private=_yes(environ, "EDGE_ALLOW_PRIVATE", "no"),
        line_grace_s=_int(environ, "EDGE_LINE_GRACE_S", 60, range(1, 3601)),
        ban_s=_int(environ, "EDGE_BAN_S", 300, range(1, 86_401)),
        call_s=_int(environ, "EDGE_CALL_S", 5 * 3600, range(5, 7 * 86_400)),
        memory_mb=_int(environ, "EDGE_MEMORY_MB", 128, range(32, 4097)),
        log_level=_level(environ.get("EDGE_LOG_LEVEL") or "INFO"),
    )


def _check_inside(
    inside: tuple[str, int], children: tuple[tuple[str, int], ...], outside: tuple[str, int]
) -> None:
    for name, (host, _) in (("EDGE_INSIDE", inside), *(("EDGE_CHILDREN", c) for c in children)):
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"{name} must be on loopback, not on {host}")
        if host != inside[0]:
            raise ValueError("EDGE_INSIDE and EDGE_CHILDREN must be on one loopback address")
    if not children:
        raise ValueError("EDGE_CHILDREN names no gateway process")
    if len({*children, inside, outside}) != len(children) + 2:
        raise ValueError(
            "EDGE_CHILDREN, EDGE_INSIDE and EDGE_BIND_IP:EDGE_SIP_PORT must all be different"
        )


def _required(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name):
        return value
    raise ValueError(f"{name} is not set")


def _ip(name: str, text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError(f"{name} must be an IPv4 address, not {text!r}") from None


def _own_address(public_ip: str) -> str:
    """Return the address from which this machine sends to the outside. Nothing is sent."""
    if ipaddress.ip_address(public_ip).is_loopback:
        return public_ip
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((public_ip, 9))
        except OSError as error:
            raise ValueError(f"EDGE_BIND_IP is not set and not to be found: {error}") from None
        return str(probe.getsockname()[0])


def _address(name: str, text: str) -> tuple[str, int]:
    host, _, port = text.strip().rpartition(":")
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) not in _PORTS:
        raise ValueError(f"{name} must be host:port, not {text!r}")
    return _ip(name, host), int(port)


def _network(text: str) -> str:
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError:
        raise ValueError(
            f"EDGE_PEERS must be IPv4 networks like 192.0.2.0/24, not {text!r}"
        ) from None


def _list(environ: Mapping[str, str], name: str, default: str) -> list[str]:
    return [part.strip() for part in environ.get(name, default).split(",") if part.strip()]


def _file(environ: Mapping[str, str], name: str) -> str | None:
    path = environ.get(name) or None
    if path is None:
        return None
    if not os.access(path, os.R_OK) or not re.fullmatch(r"/[\w./+@-]+", path):
        raise ValueError(f"{name} must be the absolute path of a readable file, not {path!r}")
    return path


def _yes(environ: Mapping[str, str], name: str, default: str) -> bool:
    text = environ.get(name) or default
    if text not in _TRUE:
        raise ValueError(f"{name} must be 'yes' or 'no', not {text!r}")
    return _TRUE[text]


def _int(environ: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    text = environ.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) not in allowed:
        raise ValueError(
            f"{name} must be a number from {allowed.start} to {allowed.stop - 1}, not {text!r}"
        )
    return int(text)


def _level(text: str) -> str:
    if text.upper() not in ("WARNING", "INFO", "DEBUG"):
        raise ValueError(f"EDGE_LOG_LEVEL must be WARNING, INFO or DEBUG, not {text!r}")
    return text.upper()
