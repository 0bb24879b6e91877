"""The carrier of `make run`, as a process: `carrier.py`, a SIP agent behind it, and its phones.

SIP over UDP on one port, the phones' sockets and `/healthz` over TCP on the same; the SIP agent,
which nobody but the carrier speaks to, on another. All of it on loopback.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from baresip import Account, Config, Runtime, UserAgent

from gateway.config import Config as Admission
from local.carrier import carrier
from local.carrier_phones import Phones
from local.layout import HOST
from runtime import logs

_RTP_TIMEOUT_S = 30
_HEADERS = ("To", "From", "P-Asserted-Identity")


async def serve(env: Mapping[str, str]) -> None:
    """Serve until SIGTERM."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor stops this process
    port, phones_at = int(env["CARRIER_PORT"]), (HOST, int(env["CARRIER_PHONE_PORT"]))
    async with (
        _sip_agent(phones_at[1]) as (runtime, agent),
        carrier(port, env["CARRIER_USERNAME"], env["CARRIER_PASSWORD"], phones_at),
        _http(port, Phones(runtime, agent, port, _admission(env))),
    ):
        await stopping.wait()


def _admission(env: Mapping[str, str]) -> Admission:
    """Return who may connect a phone: those who may at the gateway. Nobody gives out tickets."""
    return Admission(
        account_sid=env["CARRIER_ACCOUNT_SID"],
        auth_token=env["CARRIER_AUTH_TOKEN"],
        control_secret=secrets.token_hex(32),
        voice_url="",
    )


@asynccontextmanager
async def _sip_agent(port: int) -> AsyncIterator[tuple[Runtime, UserAgent]]:
    runtime = Runtime(native_log_level="warning")
    await runtime.start(
        Config(
            net_interface=HOST,
            max_concurrent_calls=None,
            native_log_level="warning",
            rtp_timeout=_RTP_TIMEOUT_S,
            expose_headers=_HEADERS,
            # UDP alone, or it would listen on the next port, too.
            extra_config_text=f"sip_listen {HOST}:{port}\nsip_transports udp\n",
        )
    )
    try:
        account = Account("phone", HOST, "", reg_interval=0, extra_params=("catchall=yes",))
        yield runtime, await UserAgent.create(runtime, account)
    finally:
        await runtime.close()


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
    logging.getLogger("baresip").setLevel(logging.WARNING)
    asyncio.run(serve(os.environ))


if __name__ == "__main__":
    main()
