"""The environment of each process behind the front: its share, its ports, its socket. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.config import MIN_RTP_PORTS, Config, from_env
from gateway.share import Share

_LONGEST_ID = 64
_LONGEST_SOCKET = 107
"""Linux's limit for the path of a UNIX socket."""


def of_process(
    environ: Mapping[str, str], config: Config, index: int, folder: Path
) -> dict[str, str]:
    """Return the environment of one process of `config.processes`, counted from 0.

    `config` is read from `environ`; `folder` is for the processes' sockets. Raises ValueError if
    the settings leave no room for so many processes.
    """
    share = Share(index, config.processes)
    path = str(folder / f"{index + 1}.sock")
    if len(path.encode()) > _LONGEST_SOCKET:
        raise ValueError(f"TMPDIR is too long a path for sockets: {folder.parent}")
    first, last = _rtp_ports(config, index)
    made = {
        **environ,
        "GATEWAY_SHARE": str(share),
        "GATEWAY_SOCKET": path,
        "GATEWAY_MACHINE": config.gateway_id,
        "GATEWAY_ID": f"{config.gateway_id[: _LONGEST_ID - 3]}-{index + 1}",
        "GATEWAY_SIP_PORT": str(_sip_port(config, index)),
        "GATEWAY_RTP_PORTS": f"{first}-{last}",
        "GATEWAY_COUNTS_S": "0",  # the front has one line for all
    }
    made.pop("GATEWAY_PROCESSES", None)
    from_env(made)
    return made


def _sip_port(config: Config, index: int) -> int:
    port = config.sip_port + index if config.sip_port else 0
    if port > 65535:
        raise ValueError(f"GATEWAY_SIP_PORT leaves no ports for {config.processes} processes")
    return port


def _rtp_ports(config: Config, index: int) -> tuple[int, int]:
    """Return the first and the last port of a process: an even number of ports, side by side."""
    first, last = config.rtp_ports
    each = (last - first + 1) // config.processes // 2 * 2
    if each < MIN_RTP_PORTS:
        raise ValueError(
            f"GATEWAY_RTP_PORTS must be {MIN_RTP_PORTS * config.processes} ports or more: "
            f"{MIN_RTP_PORTS} for each of {config.processes} processes"
        )
    return first + index * each, first + (index + 1) * each - 1
