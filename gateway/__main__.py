"""The command `python -m gateway`: run the gateway, configured by `GATEWAY_*` (see `config.py`)."""

from __future__ import annotations

import asyncio
import os
import sys

from gateway import server
from gateway.config import from_env
from runtime import logs


def main() -> int:
    """Run the gateway.

    Return 0 after an orderly stop, 2 if the configuration or address is invalid.
    """
    try:
        config = from_env(os.environ)
    except ValueError as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 2
    logs.set_up("gateway", config.log_level, subjects=("call_sid", "trunk_id"))
    try:
        asyncio.run(server.run(config))
    except OSError as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
