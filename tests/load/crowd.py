"""`python -m tests.load.crowd PORT`: the carrier of a crowd of trunks, in a process of its own.

It registers everybody, and takes the calls that are dialled: of two, one is busy, the other is
answered and hung up after a while. On the standard input, a line each; every answer is one line of
JSON:

    counts          how many are registered, the REGISTERs so far, and the most in any second
    anew            the same, and counting begins anew
    restart S       be away for S seconds and come back without a registration; answers at once
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections import Counter
from typing import Any

from gateway.sip.dialog.inbound import InboundCall
from gateway.sip.events import Event, IncomingCall
from gateway.sip.network.endpoint import Endpoint
from tests.load.registrar_agent import RegistrarAgent
from tests.support.ports import HOST

_RINGS_S, _TALKS_S = 0.1, 1.5
_ANSWER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
_BUFFER = 4 << 20


class Mute:
    """Audio that goes to a port where nobody listens to it."""

    def __init__(self, port: int) -> None:
        self._text = _ANSWER.format(port=port).encode()

    def take_offer(self, offer: bytes) -> bytes:
        return self._text

    make_offer = repeat_offer = take_offer

    def take_answer(self, answer: bytes) -> None:
        """Agree."""

    def rollback(self) -> None:
        """Nothing was kept."""

    def fork(self) -> Mute:
        return self


class Crowd:
    """The process."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._agent = RegistrarAgent()
        self._endpoint = Endpoint(self._agent, self._happened)
        self._calls = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._sink = socket.socket(type=socket.SOCK_DGRAM)
        self._sink.bind((HOST, 0))

    async def serve(self) -> None:
        """Obey until the end of the input."""
        await self._listen()
        loop = asyncio.get_running_loop()
        lines = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := (await lines.readline()).decode():
            what, _, argument = line.strip().partition(" ")
            counts = self._counts()
            if what == "anew":
                self._agent.came_at.clear()
            elif what == "restart":
                self._spawn(self._restart(float(argument)))
            print(json.dumps(counts), flush=True)

    async def _listen(self) -> None:
        await self._endpoint.start(HOST, self._port)
        udp: Any = self._endpoint._udp
        udp.get_extra_info("socket").setsockopt(1, 33, _BUFFER)  # SO_RCVBUFFORCE: many at once

    async def _restart(self, away_s: float) -> None:
        self._agent.forget_all()
        self._endpoint.stop()
        await asyncio.sleep(away_s)
        await self._listen()

    def _counts(self) -> dict[str, Any]:
        came_at = self._agent.came_at
        return {
            "registered": len(self._agent.bindings),
            "registers": len(came_at),
            "most_a_second": max(Counter(map(int, came_at)).values(), default=0),
            "first_at": came_at[0] if came_at else None,
            "calls": self._calls,
            "now": time.monotonic(),
        }

    def _happened(self, event: Event) -> None:
        if isinstance(event, IncomingCall):
            self._calls += 1
            self._spawn(self._take(event.call, busy=self._calls % 2 == 0))

    async def _take(self, call: InboundCall, *, busy: bool) -> None:
        if not call.take(Mute(self._sink.getsockname()[1]), self._endpoint.now):
            self._endpoint.flush()
            return
        call.ring(self._endpoint.now)
        self._endpoint.flush()
        await asyncio.sleep(_RINGS_S)
        if busy:
            call.reject(self._endpoint.now, 486)
        else:
            call.answer(self._endpoint.now)
            self._endpoint.flush()
            await asyncio.sleep(_TALKS_S)
            call.hangup(self._endpoint.now)
        self._endpoint.flush()

    def _spawn(self, doing: Any) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _main() -> None:
    await Crowd(int(sys.argv[1])).serve()


if __name__ == "__main__":
    asyncio.run(_main())
