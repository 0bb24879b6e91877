"""`python -m tests.load.sip_long.watched PORT`: the gateway as it is deployed, with counts.

Whoever connects to PORT gets one line of JSON and is disconnected. It counts everything that a call
can leave behind in the process.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway import server
from gateway.config import from_env
from gateway.server import Gateway
from gateway.sip.registration import Registration
from runtime import logs

ENDED_KEPT_S = 60.0
"""Seconds for which ended calls are kept: few, so that memory is soon as large as it gets."""
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


def counts(gateway: Gateway) -> dict[str, Any]:
    """Return what the process holds now; transactions and timers without those of trunks."""
    legs = gateway.sip
    assert legs is not None
    stack, context = legs.stack, legs.stack.agent.context
    loop: Any = asyncio.get_running_loop()
    transactions = [*context.transactions.clients.values(), *context.transactions.servers.values()]
    registering = sum(map(_registers, transactions))
    timers = context.timers._running
    return {
        "rss_mb": round(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB, 2),
        "fds": len(os.listdir("/proc/self/fd")),
        "objects": len(gc.get_objects()),
        "tasks": len(asyncio.all_tasks()),
        "loop_timers": len(loop._scheduled),
        "calls": sum(gateway.exchange.by_status().values()),
        "streams": gateway.metrics.streams_open,
        "legs": len(legs._legs) + len(legs._placed),
        "dialogs": len(context.calls) + len(context.invites),
        "transactions": len(transactions) - registering,
        "sip_timers": sum(len(names) for owner, names in timers.items() if not _registers(owner)),
        "rtp_ports": len(stack.plane),
        "connections": len(stack.endpoint._connections),
        "lag_ms": round(stack.plane.lag().worst, 1),
        "not_handled": stack.endpoint.counts["event not handled"],
    }


def _registers(owner: Any) -> bool:
    """Return whether a state machine keeps a trunk registered: it never rests."""
    request = getattr(owner, "request", None)
    return isinstance(owner, Registration) or getattr(request, "method", "") == "REGISTER"


async def main(port: int) -> None:
    """Serve until SIGTERM."""
    config = replace(from_env(os.environ), ended_kept=ENDED_KEPT_S)
    logs.set_up("gateway", config.log_level, subjects=("call_sid", "trunk_id"))
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    gc.freeze()  # as gateway/__main__.py does
    gateway = await server.start(config)

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps(counts(gateway)).encode() + b"\n")
        writer.close()

    watching = await asyncio.start_server(answer, "127.0.0.1", port)
    await stopping.wait()
    watching.close()
    await gateway.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
