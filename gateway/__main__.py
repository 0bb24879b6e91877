"""The command `python -m gateway`: run the gateway, configured by `GATEWAY_*` (see `config.py`).

With `GATEWAY_PROCESSES` it is the front of so many gateway processes.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys

from gateway.config import Config, from_env
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
    fields = {"process": str(config.share)} if config.share is not None else {}
    logs.set_up("gateway", config.log_level, subjects=("call_sid", "trunk_id"), fields=fields)
    try:
        return _run(config)
    except OSError as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 2


def _run(config: Config) -> int:
    """Run the front or one gateway process; each imports only what it needs itself."""
    if config.processes > 1:
        from gateway.front import server as front

        return asyncio.run(front.run(config, os.environ))
    from gateway import server

    # What is loaded by now stays: collections of garbage, which hold up all audio, leave it out.
    gc.freeze()
    asyncio.run(server.run(config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
