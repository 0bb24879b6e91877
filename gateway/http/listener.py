"""The listener of a gateway's or a front's HTTP: a TCP port, or a UNIX socket behind a front."""

from __future__ import annotations

import asyncio
import os
from typing import cast

from aiohttp import web

from gateway.config import Config
from runtime.strangers import Strangers

MAX_FORM = 64 * 1024
"""Limit of a request's body, in bytes."""
MAX_MESSAGE = 4096
"""Limit of a message of a socket party, in bytes."""
_BACKLOG = 1024


async def listen(config: Config, runner: web.AppRunner) -> asyncio.Server:
    """Serve a runner that is set up, with the limits of `Strangers`.

    Raises OSError with a sentence that says what to do.
    """
    strangers, server = Strangers(), cast(web.Server, runner.server)  # there is one: it is set up
    loop = asyncio.get_running_loop()
    try:
        if config.socket is not None:
            return await loop.create_unix_server(
                lambda: strangers.protocol(server), config.socket, backlog=_BACKLOG
            )
        return await loop.create_server(
            lambda: strangers.protocol(server), config.host, config.port, backlog=_BACKLOG
        )
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        if config.socket is not None:
            raise OSError(f"it cannot listen on the socket {config.socket} ({why})") from None
        raise OSError(
            f"it cannot listen on port {config.port} of {config.host} ({why}). Stop what listens "
            "there, or set GATEWAY_PORT or GATEWAY_HOST"
        ) from None


def url_of(config: Config, listener: asyncio.Server) -> str:
    """Return where a listener is: with port 0 it has chosen one."""
    if config.socket is not None:
        return f"unix:{config.socket}"
    return f"http://{config.host}:{listener.sockets[0].getsockname()[1]}"
