"""The carrier of `make run`, as a process: `carrier.py`, and the phones behind it.

SIP over UDP on one port, the phones' sockets and `/healthz` over TCP on the same; the phones' SIP,
which nobody but the carrier speaks to, on another. All of it on loopback.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from gateway.config import Config
from local.carrier import carrier
from local.carrier_phones import Phones
from local.layout import HOST, PHONES_RTP
from runtime import logs

_RTP_TIMEOUT_S = 30


async def serve(env: Mapping[str, str]) -> None:
    """Serve until SIGTERM."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor stops this process
    port, phones_at = int(env["CARRIER_PORT"]), (HOST, int(env["CARRIER_PHONE_PORT"]))
    phones = Phones(_config(env, phones_at[1]), port)
    async with (
        phones.running(),
        carrier(port, env["CARRIER_USERNAME"], env["CARRIER_PASSWORD"], phones_at),
        _http(port, phones),
    ):
        await stopping.wait()


def _config(env: Mapping[str, str], sip_port: int) -> Config:
    """Return the phones' settings. Those may connect who may at the gateway; nobody gives out
    tickets.
    """
    return Config(
        account_sid=env["CARRIER_ACCOUNT_SID"],
        auth_token=env["CARRIER_AUTH_TOKEN"],
        control_secret=secrets.token_hex(32),
        voice_url="",
        sip_host=HOST,
        sip_port=sip_port,
        rtp_ports=PHONES_RTP,
        rtp_timeout=_RTP_TIMEOUT_S,
    )


@asynccontextmanager
async def _http(port: int, phones: Phones) -> AsyncIterator[None]:
    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), *phones.sockets.routes()])
    app.on_shutdown.append(phones.sockets.close)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    try:
        yield
    finally:
        await runner.cleanup()


def main() -> None:
    """Run the carrier."""
    logs.set_up("local", os.environ.get("CHAMADE_LOG_LEVEL", "INFO"), subjects=("call",))
    asyncio.run(serve(os.environ))


if __name__ == "__main__":
    main()
