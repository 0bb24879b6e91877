"""A UDP socket of a peer, open for as long as a block runs."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from tests.support.ports import HOST, free_port


class UdpPeer(asyncio.DatagramProtocol):
    """A protocol that binds `port` on loopback when its block begins and closes it at the end."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(HOST, self.port)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._transport.close()
