"""Sends requests to a server of OpenAI's audio API: tries again, and says what went wrong.

The key goes into one header of each request, and nowhere else: neither into errors nor logs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import aiohttp

from voice.engines.base import EngineError

TRIES = 3
AGAIN = {408, 409, 429, 500, 502, 503, 504}
_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 2.0
TIMES = aiohttp.ClientTimeout(total=30.0, connect=3.0, sock_read=8.0)
"""A server that sends nothing for 8 s is given up, without another try: the caller waits."""
_ERROR_BYTES, _ERROR_CHARACTERS = 4096, 300
MAX_ANSWER = 1 << 20
"""Bytes of a transcription."""

Body = Callable[[], dict[str, Any]]


class Client:
    """The connections to one server."""

    def __init__(self, url: str, key: str, most: int) -> None:
        """`url` ends before `/audio`: `https://api.openai.com/v1`. A blank key sends none."""
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._key = key
        self._most = most
        self._session: aiohttp.ClientSession | None = None

    def start(self) -> None:
        """Make the connections' pool."""
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            timeout=TIMES,
            connector=aiohttp.TCPConnector(limit=self._most),
        )

    async def close(self) -> None:
        """Close the connections. Never raises."""
        if self._session is not None:
            await self._session.close()

    @contextlib.asynccontextmanager
    async def post(self, path: str, body: Body) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """Post, and yield the response if its status is 200. EngineError.

        `body` returns the arguments of aiohttp that hold the body, anew for each try. A request is
        tried again if the server was too busy for it, or did not answer at all.
        """
        response = await self._tried(path, body)
        try:
            yield response
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise EngineError(f"{path}: it was cut ({type(error).__name__})") from error
        finally:
            response.close()

    async def _tried(self, path: str, body: Body) -> aiohttp.ClientResponse:
        for left in reversed(range(TRIES)):
            pause = _PAUSE_S * 2 ** (TRIES - 1 - left)
            try:
                response = await self._opened(path, body)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                if not left or isinstance(error, aiohttp.SocketTimeoutError):
                    raise EngineError(f"{path}: no answer ({type(error).__name__})") from error
            else:
                if response.status == 200:
                    return response
                async with response:
                    if response.status not in AGAIN or not left:
                        raise EngineError(f"{path}: {await self._complaint(response)}")
                    pause = max(pause, _retry_after(response))
            await asyncio.sleep(min(pause, _LONGEST_PAUSE_S))
        raise AssertionError("the last try returns or raises")

    async def _opened(self, path: str, body: Body) -> aiohttp.ClientResponse:
        if self._session is None:
            raise EngineError("it is not started")
        return await self._session.post(self._url + path, allow_redirects=False, **body())

    async def _complaint(self, response: aiohttp.ClientResponse) -> str:
        """Return the status and the server's message; some repeat the key in it."""
        try:
            content = await response.content.read(_ERROR_BYTES)
            message = json.loads(content)["error"]["message"]
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError):
            message = response.reason or ""
        text = f"{response.status} {message}"
        # Before it is cut: a part of the key would not be found.
        return (text.replace(self._key, "***") if self._key else text)[:_ERROR_CHARACTERS]


def _retry_after(response: aiohttp.ClientResponse) -> float:
    try:
        return max(0.0, float(response.headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0
