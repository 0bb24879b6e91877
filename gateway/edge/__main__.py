"""The command `python -m gateway.edge`: become Kamailio, configured by `EDGE_*` (see
`settings.py`)."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from gateway.edge import connections
from gateway.edge.render import render
from gateway.edge.settings import Settings, from_env


def main() -> int:
    """Replace this process with Kamailio.

    Return 2 if the settings are invalid or Kamailio is missing.
    """
    try:
        settings = from_env(os.environ)
        program = shutil.which("kamailio", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise ValueError("kamailio is not installed")
        _check_free(settings)
        run = Path(tempfile.mkdtemp(prefix="edge-"))
        guard = connections.open_guard(settings)
        config = render(settings, run, guard_port=guard.getsockname()[1])
    except ValueError as error:
        sys.stderr.write(f"edge: {error}\n")
        return 2
    connections.run_beside(guard, settings)
    return _become(program, settings, config)


def _become(program: str, settings: Settings, config: Path) -> NoReturn:
    run = str(config.parent)
    os.execv(  # noqa: S606
        program,
        [
            program,
            *("-f", str(config), "-Y", run, "-w", run),
            "-DD",
            "-E",
            *("-m", str(settings.memory_mb), "-M", "8"),
        ],
    )


def _check_free(settings: Settings) -> None:
    """Check that the ports are free.

    Kamailio's own message would be hidden, together with those about malformed messages.
    """
    outside = (settings.bind_ip, settings.sip_port)
    wanted = [
        (socket.SOCK_DGRAM, settings.inside),
        (socket.SOCK_DGRAM, outside),
        (socket.SOCK_STREAM, outside),
    ]
    if settings.tls_port:
        wanted.append((socket.SOCK_STREAM, (settings.bind_ip, settings.tls_port)))
    for kind, (host, port) in wanted:
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise ValueError(f"cannot listen on {host}:{port}: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
