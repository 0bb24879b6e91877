"""Runners of flows: one that blocks, one for asyncio. For REST, only they touch the network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

import httpx

from chamade.credentials import Credentials
from chamade.decoding import Page
from chamade.errors import Unreachable
from chamade.http.request import Flow, Reply, Request, Send, Wait, perform
from chamade.version import VERSION

Result = TypeVar("Result")
Item = TypeVar("Item")

USER_AGENT = f"chamade-python/{VERSION}"
_CONNECT_S = 10.0


class Blocking:
    """Runs flows in the calling thread. May be used by several threads."""

    def __init__(
        self, credentials: Credentials, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.credentials = credentials
        self._http = httpx.Client(headers={"User-Agent": USER_AGENT}, transport=transport)

    def run(self, flow: Flow[Result]) -> Result:
        """Run a flow: return what it returns, raise what it raises."""
        try:
            step = next(flow)
            while True:
                step = flow.send(self._do(step))
        except StopIteration as done:
            result: Result = done.value
            return result

    def ask(self, request: Request[Result]) -> Result:
        """Send one request; return its answer."""
        return self.run(perform(request))

    def pages(self, page_at: Callable[[str | None], Request[Page[Item]]]) -> Iterator[Item]:
        """Yield the items of a list, page after page as they are wanted."""
        cursor = None
        while True:
            page = self.ask(page_at(cursor))
            yield from page.items
            if (cursor := page.next_cursor) is None:
                return

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _do(self, step: Send | Wait) -> Reply | Unreachable | None:
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None
        request = _request(self._http, self.credentials, step)
        try:
            return _reply(self._http.send(request))
        except httpx.TransportError as error:
            return _unreachable(self.credentials, error)


class Awaiting:
    """Runs flows in an event loop."""

    def __init__(
        self, credentials: Credentials, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.credentials = credentials
        self._http = httpx.AsyncClient(headers={"User-Agent": USER_AGENT}, transport=transport)

    async def run(self, flow: Flow[Result]) -> Result:
        """Run a flow: return what it returns, raise what it raises."""
        try:
            step = next(flow)
            while True:
                step = flow.send(await self._do(step))
        except StopIteration as done:
            result: Result = done.value
            return result

    async def ask(self, request: Request[Result]) -> Result:
        """Send one request; return its answer."""
        return await self.run(perform(request))

    async def pages(
        self, page_at: Callable[[str | None], Request[Page[Item]]]
    ) -> AsyncIterator[Item]:
        """Yield the items of a list, page after page as they are wanted."""
        cursor = None
        while True:
            page = await self.ask(page_at(cursor))
            for item in page.items:
                yield item
            if (cursor := page.next_cursor) is None:
                return

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _do(self, step: Send | Wait) -> Reply | Unreachable | None:
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None
        request = _request(self._http, self.credentials, step)
        try:
            return _reply(await self._http.send(request))
        except httpx.TransportError as error:
            return _unreachable(self.credentials, error)


def _request(
    http: httpx.Client | httpx.AsyncClient, credentials: Credentials, send: Send
) -> httpx.Request:
    headers = dict(send.headers)
    if not send.keyless:
        headers["X-API-Key"] = credentials.key
    return http.build_request(
        send.method,
        credentials.api_url + send.path,
        params=send.query or None,
        headers=headers,
        content=send.body,
        timeout=httpx.Timeout(send.timeout_s, connect=_CONNECT_S),
    )


def _reply(response: httpx.Response) -> Reply:
    return Reply(response.status_code, dict(response.headers), response.content)


def _unreachable(credentials: Credentials, error: httpx.TransportError) -> Unreachable:
    why = str(error) or type(error).__name__
    return Unreachable(f"{credentials.api_url} does not answer: {why}")
