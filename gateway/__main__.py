"""`python -m gateway`: the gateway, configured by `GATEWAY_*` (see `config.py`)."""

from __future__ import annotations

import asyncio
import os
import sys

from gateway import logs, server
from gateway.config import from_env


def main() -> int:
    """0 after a decent stop, 2 if the configuration or the address is no good."""
    try:
        config = from_env(os.environ)
    except ValueError as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 2
    logs.set_up(config.log_level)
    try:
        asyncio.run(server.run(config))
    except OSError as error:
        sys.stderr.write(f"gateway: cannot listen on {config.host}:{config.port}: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
