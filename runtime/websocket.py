"""Open WebSockets with picows, as a client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from picows import WSError, WSListener, ws_connect

Listener = TypeVar("Listener", bound=WSListener)


async def connect(listener: Callable[[], Listener], url: str, **options: Any) -> None:
    """Connect as `ws_connect` does; return once `on_ws_connected` was called.

    Raises WSError also if the connection is lost before the handshake is complete, as when the
    server ends at that moment. `ws_connect` of picows 2.3 returns then as if all were well, and the
    listener is told neither that it is connected nor that it is disconnected.
    """
    _, connected = await ws_connect(listener, url, **options)
    if connected is None:
        raise WSError("the connection was lost during the handshake")
