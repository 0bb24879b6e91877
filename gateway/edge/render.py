"""Renders Kamailio's files from the settings."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
from pathlib import Path

from gateway.edge import grammar
from gateway.edge.settings import Settings

_TEMPLATES = [
    Path(__file__).with_name(f"{name}.cfg.template")
    for name in ("kamailio", "networks", "filter", "normal_form")
]
_MODULES = (
    "/usr/lib/x86_64-linux-gnu/kamailio/modules",
    "/usr/lib/aarch64-linux-gnu/kamailio/modules",
    "/usr/lib64/kamailio/modules",
    "/usr/lib/kamailio/modules",
)
_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_LEVELS = {"WARNING": "0", "INFO": "2", "DEBUG": "3"}

TCP_CONNECTIONS = 1024
"""Limit of all TCP and TLS connections, incoming and outgoing."""
STRANGERS_SILENCE_S = 20
"""Seconds without a byte after which a stranger's connection is closed."""
UNREAD = 65_536
"""Limit of the bytes that wait for one connection whose peer does not read."""
ALL_UNREAD = 10 << 20
"""Limit of the bytes that wait for all such connections."""
ALIVE_S = 12
"""Seconds for which a gateway process counts as alive after its last request: longer than the edge
takes to find out by OPTIONS that a process is back (two intervals of 5 s)."""
NETWORKS_S = 90
"""Limit of the seconds for which a network lets calls in after a gateway process has told it."""
NETWORKS_OF_A_MESSAGE = 64
"""Limit of the networks that one message of a gateway process may tell."""
SHORTEST_PREFIX = 20
"""Bits of the widest network that can let calls in."""
NOTED_PER_S = 20
"""New sources in a second that get a log line and a counter when a message is dropped."""
LONGEST = 7000
"""Limit of a SIP message, in bytes: more than any call needs."""
LONGEST_SDP = 6000
"""Limit of a session description, in bytes."""
MOST_PARTS = 16
"""Limit of the streams of a session description, and of the parts of a body that are looked at."""
LONGEST_STREAMS = 1000
"""Limit of the lines about streams that a gateway process is not shown, in bytes; they are kept for
a call."""


def render(
    settings: Settings, run: Path, modules: str | None = None, *, guard_port: int = 0
) -> Path:
    """Write Kamailio's files into the directory `run`; return the path of the configuration.

    `guard_port` is the loopback port from which the watch on connections sends its requests
    (`connections.py`).
    """
    values = _values(settings, guard_port)
    values["RUN"] = str(run)
    values["MODULES"] = modules or _modules()
    template = "\n".join(each.read_text() for each in _TEMPLATES)
    text = re.sub(r"@([A-Z][A-Z_0-9]*)@", lambda found: values[found[1]], template)
    defines = "".join(f"#!define {name}\n" for name in _defines(settings))
    config = run / "kamailio.cfg"
    _write(config, text.replace("#!KAMAILIO\n", f"#!KAMAILIO\n{defines}", 1))
    _write(
        run / "children.list",
        "".join(f"1 sip:{host}:{port} 0 0\n" for host, port in settings.children),
    )
    if settings.tls_port:
        _write(run / "tls.cfg", _tls(settings, run))
    return config


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def _defines(settings: Settings) -> list[str]:
    found = []
    if settings.tls_port:
        found.append("WITH_TLS")
    if not settings.public_ip.startswith("127."):
        found.append("PUBLIC")
    if not settings.allow_private:
        found.append("NO_PRIVATE")
    if settings.log_level != "DEBUG":
        found.append("QUIET")
    return found


def _values(settings: Settings, guard_port: int) -> dict[str, str]:
    inside_ip, inside_port = settings.inside
    inside = f"{inside_ip}:{inside_port}"
    ports = "|".join(str(port) for _, port in settings.children)
    outside_ports = "|".join(str(port) for port in (settings.sip_port, settings.tls_port) if port)
    return {
        "NOTHING": "",
        "DEBUG": _LEVELS[settings.log_level],
        "WORKERS": "2",
        "TCP_WORKERS": "2",
        "TCP_CONNECTIONS": str(TCP_CONNECTIONS),
        "PUBLIC_IP": settings.public_ip,
        "BIND_IP": settings.bind_ip,
        "SIP_PORT": str(settings.sip_port),
        "TLS_PORT": str(settings.tls_port or 5061),
        "INSIDE": inside,
        "INSIDE_IP": inside_ip,
        "INSIDE_PORT": str(inside_port),
        "INSIDE_RE": _regex(inside),
        "INSIDE_IP_RE": _regex(inside_ip),
        "PUBLIC_RE": f"{_regex(settings.public_ip)}:({outside_ports})",
        "CHILDREN_RE": "|".join(_regex(f"{host}:{port}") for host, port in settings.children),
        "CHILD_URI_RE": f"{_regex(inside_ip)}:({ports})",
        "PEERS": ",".join(settings.peers) or "255.255.255.255/32",
        "REQUESTS_PER_S": str(settings.requests_per_s),
        "STRANGERS_PER_S": str(settings.strangers_per_s),
        "INVITES_PER_S": str(settings.invites_per_s),
        "INVITES_PER_SOURCE_S": str(settings.invites_per_source_s),
        "INVITES_PER_TRUNK_S": str(settings.invites_per_trunk_s),
        "INVITES_WITHOUT_TRUNK_S": str(settings.invites_without_trunk_s),
        "REQUESTS_PER_NETWORK_S": str(settings.requests_per_network_s),
        "INVITES_PER_NETWORK_S": str(settings.invites_per_network_s),
        "INVITES_OF_NETWORKS_S": str(settings.invites_of_networks_s),
        "ALIVE_S": str(ALIVE_S),
        "NETWORKS_S": str(NETWORKS_S),
        "NETWORKS_OF_A_MESSAGE": str(NETWORKS_OF_A_MESSAGE),
        "MOST_FREE_BITS": str(32 - SHORTEST_PREFIX),
        "UNREAD": str(UNREAD),
        "ALL_UNREAD": str(ALL_UNREAD),
        "NOTED_PER_S": str(NOTED_PER_S),
        "STRANGERS_CONNECTION_S": str(STRANGERS_SILENCE_S),
        "GUARD_PORT": str(guard_port),
        "LINE_GRACE_S": str(settings.line_grace_s),
        "BAN_S": str(settings.ban_s),
        "CALL_S": str(settings.call_s),
        "LONGEST": str(LONGEST),
        "SECRET": secrets.token_hex(16),
        "LONGEST_SDP": str(LONGEST_SDP),
        "LONGEST_STREAMS": str(LONGEST_STREAMS),
        "MOST_PARTS": str(MOST_PARTS),
        "TAB": "\t",
        "LINE": grammar.LINE,
        "PART": grammar.PART,
        "LINE_NAME": "1e (hexadecimal)",
        "PART_NAME": "1f",
        "UNUSABLE": grammar.LINE.join(grammar.UNUSABLE),
        "METHODS": "|".join(grammar.METHODS),
        "ALLOW": ", ".join(grammar.METHODS),
        "KEEP": "|".join(grammar.KEPT),
        "SHOWN": grammar.SHOWN,
        "SCANNERS": "|".join(grammar.SCANNERS),
        "SIP_URI": _quoted(grammar.URI),
        "NAME_ADDR": _quoted(grammar.NAME_ADDR),
        "PARTY": _quoted(grammar.PARTY),
        "ONE_CONTACT": _quoted(grammar.ONE_CONTACT),
        "PRIVATE": grammar.PRIVATE,
        "PRIVATE_MEDIA": grammar.PRIVATE_MEDIA,
        "G_711": grammar.G_711,
        "BAD_C_LINE": grammar.BAD_C_LINE,
        "NUL": _quoted(r"\\0"),
        "CONTROLS": "[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]",
    }


def _regex(text: str) -> str:
    """Escape a regular expression for a substitution: Kamailio removes one backslash from a
    string."""
    return text.replace(".", r"\.")


def _quoted(regex: str) -> str:
    """Return a regular expression in the form for a string in Kamailio's configuration."""
    return regex.replace("\\", "\\\\").replace('"', '\\"')


def _tls(settings: Settings, run: Path) -> str:
    cert, key = settings.tls_cert, settings.tls_key
    if cert is None:
        cert, key = _self_signed(settings, run)
    server = ["[server:default]", "method = TLSv1.2+", "verify_certificate = no"]
    server += [f"certificate = {cert}", f"private_key = {key}"]
    client = ["[client:default]", "method = TLSv1.2+"]
    if settings.tls_verify:
        client += [
            "verify_certificate = yes",
            "require_certificate = yes",
            f"ca_list = {settings.tls_ca or _AUTHORITIES}",
        ]
    else:
        client += ["verify_certificate = no", "require_certificate = no"]
    return "\n".join([*server, *client, ""])


def _self_signed(settings: Settings, run: Path) -> tuple[str, str]:
    """Create a self-signed certificate.

    Kamailio needs one even if it only opens TLS connections itself.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        raise ValueError("EDGE_TLS_CERT is not set, and there is no openssl to make one")
    cert, key = str(run / "cert.pem"), str(run / "key.pem")
    subprocess.run(  # noqa: S603
        [
            openssl,
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "3650", "-subj", f"/CN={settings.public_ip}"),
            *("-keyout", key, "-out", cert),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def _modules() -> str:
    for path in _MODULES:
        if Path(path, "tm.so").exists():
            return path
    raise ValueError("Kamailio's modules are not to be found: is kamailio installed?")
