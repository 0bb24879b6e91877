"""UDP that is worse than the loopback: packets lost on purpose, and a hole that swallows all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.sip.peers.messages import Message
from tests.sip.peers.udp import UdpPeer
from tests.support.ports import HOST, free_port

Loses = Callable[[bytes], bool]


class Silent(UdpPeer):
    """Takes every packet and never says a word; `received` shows what came."""

    def __init__(self, port: int | None = None) -> None:
        super().__init__(port)
        self.received: list[Message] = []
        self._came = asyncio.Event()

    async def receives(self, count: int, within_s: float = 10) -> list[Message]:
        """All, once it is that many."""
        async with asyncio.timeout(within_s):
            while len(self.received) < count:
                self._came.clear()
                await self._came.wait()
        return self.received

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await super().__aexit__(kind, error, trace)
        for message in self.received:
            print(message)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode(errors="replace").replace("\r\n", "\n")
        if text.strip():  # else a keep-alive
            self.received.append(Message(sent=False, at=time.time(), text=text))
            self._came.set()


class Wire(asyncio.DatagramProtocol):
    """In front of `to`, a UDP port here: carries packets both ways but for those that `loses`.

    Only what is sent to `port` passes here: the peer's Contact is its own, so requests within a
    call go past it. One sender at a time.
    """

    def __init__(self, to: int, loses: Loses | None = None) -> None:
        self.port, self.to = free_port(), to
        self.loses: Loses = loses or (lambda packet: False)
        self.lost: list[bytes] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._near, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(HOST, self.port)
        )
        self._far, _ = await loop.create_datagram_endpoint(
            lambda: _Back(self), remote_addr=(HOST, self.to)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._near.close()
        self._far.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._sender = addr
        if not self._is_lost(data):
            self._far.sendto(data)

    def back(self, data: bytes) -> None:
        """A packet from behind."""
        if not self._is_lost(data):
            self._near.sendto(data, self._sender)

    def _is_lost(self, data: bytes) -> bool:
        lost = self.loses(data)
        if lost:
            self.lost.append(data)
        return lost


class _Back(asyncio.DatagramProtocol):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._wire.back(data)


def first(count: int, start: bytes) -> Loses:
    """Loses the first `count` packets that begin so: `Wire(port, first(2, b"INVITE"))`."""
    left = count

    def loses(packet: bytes) -> bool:
        nonlocal left
        if not packet.startswith(start) or not left:
            return False
        left -= 1
        return True

    return loses
