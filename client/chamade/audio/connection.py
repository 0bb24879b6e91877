"""Opening the WebSocket of a call's audio, and how it was closed."""

from __future__ import annotations

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from chamade.audio.line import Format
from chamade.models import Audio

PING_S = 5.0
"""A connection that is dead must be known to be within the grace time."""

_PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
_WRONG, _BROKEN = 4400, 1006
_WHY = {
    4401: "the relay does not take the token: it is not for this call, or too old",
    4409: "another connection to the same call has taken over",
}


class NotConnected(Exception):
    """There is no connection. `code` as if it had been closed with that; None: it may be tried
    again.
    """

    def __init__(self, why: str, code: int | None = None) -> None:
        super().__init__(why)
        self.why, self.code = why, code


async def opened(where: Audio, line_format: Format) -> ClientConnection:
    """A connection to the relay, whatever that will say to it. NotConnected."""
    try:
        return await connect(
            f"{where.url}?{line_format.query}",
            additional_headers={"Authorization": f"Bearer {where.token}"},
            compression=None,
            max_size=1 << 20,
            open_timeout=5,
            close_timeout=2,
            ping_interval=PING_S,
            ping_timeout=PING_S,
        )
    except InvalidStatus as refused:
        status = refused.response.status_code
        code = None if status in _PASSING_STATUSES else _WRONG
        raise NotConnected(f"the relay answers HTTP {status}", code) from None
    except (OSError, TimeoutError, WebSocketException) as error:
        raise NotConnected(str(error) or type(error).__name__) from None


def ending(socket: ClientConnection) -> tuple[int | None, str]:
    """With which code a connection was closed, None if it just broke; and why."""
    code = socket.close_code
    said = socket.close_reason or f"the connection was closed with {code}"
    return (None if code == _BROKEN else code), _WHY.get(code or 0, said)
