"""TCP between two parts, for tests that cut it: a gate that can be shut, and a small balancer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from local.layout import HOST

_CHUNK = 1 << 16
_CONNECT_S = 1.0
_HEALTH_EVERY_S, _HEALTH_S = 0.25, 0.5

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Gate:
    """Passes bytes between its own port and one target. While it is shut it takes connections and
    bytes and passes nothing on, as a network does that has lost its way: nobody is told.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._open = asyncio.Event()
        self._open.set()

    def shut(self) -> None:
        """Pass nothing on."""
        self._open.clear()

    def open(self) -> None:
        """Pass on what waits, and all that comes."""
        self._open.set()

    @contextlib.asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[Gate]:
        """Listen inside the block, at this port if one is given."""
        async with _serving(self._take, port) as self.port:
            yield self

    async def _take(self, client: Streams) -> None:
        await self._open.wait()
        await _join(client, await _connect(self._target), self._open)


class Balancer:
    """Brings each new connection to the next relay in turn that is healthy, as a load balancer in
    AWS does. What is connected stays where it is.
    """

    def __init__(self, targets: Sequence[int]) -> None:
        self.healthy = set(targets)
        self.connections: dict[int, int] = dict.fromkeys(targets, 0)
        """Connections that each target was given so far."""
        self._targets = list(targets)
        self._open = asyncio.Event()
        self._open.set()

    @contextlib.asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[Balancer]:
        """Listen and look after the targets inside the block."""
        looking = [asyncio.create_task(self._look_after(target)) for target in self._targets]
        try:
            async with _serving(self._take, port):
                yield self
        finally:
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)

    async def _take(self, client: Streams) -> None:
        for _ in range(len(self._targets)):
            target = self._targets.pop(0)
            self._targets.append(target)
            if target not in self.healthy:
                continue
            with contextlib.suppress(OSError, TimeoutError):
                server = await _connect(target)
                self.connections[target] += 1
                await _join(client, server, self._open)
                return

    async def _look_after(self, target: int) -> None:
        while True:
            if await _answers(target):
                self.healthy.add(target)
            else:
                self.healthy.discard(target)
            await asyncio.sleep(_HEALTH_EVERY_S)


@contextlib.asynccontextmanager
async def _serving(take, port: int) -> AsyncIterator[int]:  # type: ignore[no-untyped-def]
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with contextlib.suppress(OSError, TimeoutError):
                await take((reader, writer))
        except asyncio.CancelledError:
            pass  # the block ends; the task would be reported as failed
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, HOST, port)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _connect(port: int) -> Streams:
    async with asyncio.timeout(_CONNECT_S):
        return await asyncio.open_connection(HOST, port)


async def _join(client: Streams, server: Streams, gate: asyncio.Event) -> None:
    """Pass bytes both ways until either side closes; then close both."""
    both = [
        asyncio.create_task(_pass(client[0], server[1], gate)),
        asyncio.create_task(_pass(server[0], client[1], gate)),
    ]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        for writer in (client[1], server[1]):
            writer.close()


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event
) -> None:
    while data := await reader.read(_CHUNK):
        await gate.wait()
        writer.write(data)
        await writer.drain()
    await gate.wait()


async def _answers(port: int) -> bool:
    """Return whether `/healthz` answers 200 soon."""
    writer = None
    try:
        async with asyncio.timeout(_HEALTH_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n")
            return b" 200 " in await reader.readline()
    except (OSError, TimeoutError):
        return False
    finally:
        if writer is not None:
            writer.close()
