"""Open the WebSocket of a call's audio, and tell how it was closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from chamade.audio.line import Format
from chamade.models import Audio

PING_S = 5.0
"""Seconds between pings: a dead connection must be noticed within the grace time."""

QUIET_S, ANSWER_S = 0.4, 0.8
"""Seconds without a message in a call until the relay is asked whether it is there, and from then
until its connection is given up: fifty frames a second come, and a relay that hangs closes nothing.
"""

_PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
_WRONG, _BAD_TOKEN, _BROKEN = 4400, 4401, 1006
_WHY = {
    _BAD_TOKEN: "the relay does not take the token: it is not for this call, or too old",
    4409: "another connection to the same call has taken over",
    4411: "another agent has the call",
}


class NotConnected(Exception):
    """There is no connection. `code`: the close code that describes the failure; None: it may be
    tried again.
    """

    def __init__(self, why: str, code: int | None = None) -> None:
        super().__init__(why)
        self.why, self.code = why, code


async def opened(where: Audio, line_format: Format, *, if_free: bool = False) -> ClientConnection:
    """Open a connection to the relay; `if_free`: only if no other agent has the call. Raises
    NotConnected.
    """
    try:
        return await connect(
            f"{where.url}?{line_format.query}{'&if_free=1' if if_free else ''}",
            additional_headers={"Authorization": f"Bearer {where.token}"},
            compression=None,
            max_size=1 << 20,
            open_timeout=3,
            close_timeout=2,
            ping_interval=PING_S,
            ping_timeout=PING_S,
        )
    except InvalidStatus as refused:
        status = refused.response.status_code
        if status == HTTPStatus.UNAUTHORIZED:
            raise NotConnected(_WHY[_BAD_TOKEN], _BAD_TOKEN) from None
        code = None if status in _PASSING_STATUSES else _WRONG
        raise NotConnected(f"the relay answers HTTP {status}", code) from None
    except (OSError, TimeoutError, WebSocketException) as error:
        raise NotConnected(str(error) or type(error).__name__) from None


async def message(socket: ClientConnection, *, flows: Callable[[], bool]) -> str | bytes | None:
    """Return the next message; None if the relay hangs while audio `flows`. Raises
    ConnectionClosed.
    """
    while True:
        try:
            async with asyncio.timeout(QUIET_S):
                return await socket.recv()
        except TimeoutError:
            if flows() and not await _answers(socket):
                return None


async def _answers(socket: ClientConnection) -> bool:
    pong = asyncio.ensure_future(await socket.ping())
    # `wait` and not a time-out: if this program was held up, the answer may just be read.
    await asyncio.wait([pong], timeout=ANSWER_S)
    if not pong.done():
        pong.cancel()
        return False
    pong.exception()  # the connection may be closed; the next message tells
    return True


def ending(socket: ClientConnection) -> tuple[int | None, str]:
    """Return the code with which a connection was closed (None if it broke), and the reason."""
    code = socket.close_code
    reason = socket.close_reason or f"the connection was closed with {code}"
    return (None if code == _BROKEN else code), _WHY.get(code or 0, reason)
