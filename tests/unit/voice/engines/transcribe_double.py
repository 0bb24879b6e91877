"""A double of Amazon Transcribe's WebSocket, from its published description. The frames that it
sends and reads are those of AWS's own SDK for Python (amazon-transcribe).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web
from amazon_transcribe.eventstream import (
    EventStreamBuffer,
    EventStreamMessageSerializer,
)

from tests.support.ports import free_port

_frames = EventStreamMessageSerializer()


def frame(content: dict[str, Any], **headers: str) -> bytes:
    """A frame with a JSON content, encoded by the SDK."""
    named = {f":{name.replace('_', '-')}": value for name, value in headers.items()}
    return _frames.serialize(named, json.dumps(content).encode())


def event(*results: dict[str, Any]) -> bytes:
    return frame(
        {"Transcript": {"Results": list(results)}},
        message_type="event",
        event_type="TranscriptEvent",
        content_type="application/json",
    )


def exception(name: str, message: str) -> bytes:
    return frame(
        {"Message": message},
        message_type="exception",
        exception_type=name,
        content_type="application/json",
    )


def result(
    text: str,
    start_s: float,
    end_s: float,
    *,
    partial: bool = False,
    stable: bool = False,
    name: str = "r",
) -> dict[str, Any]:
    """A result whose words are spread evenly over its time. A last `.` or `?` is an item."""
    words = text.rstrip(".?").split()
    step = (end_s - start_s) / len(words)
    items = [
        {
            "Content": word,
            "StartTime": start_s + n * step,
            "EndTime": start_s + (n + 1) * step,
            "Type": "pronunciation",
            "Confidence": 0.9,
            "Stable": stable,
        }
        for n, word in enumerate(words)
    ]
    if text[-1] in ".?":
        items.append(
            {
                "Content": text[-1],
                "StartTime": end_s,
                "EndTime": end_s,
                "Type": "punctuation",
                "Stable": stable,
            }
        )
    return {
        "ResultId": name,
        "StartTime": start_s,
        "EndTime": end_s,
        "IsPartial": partial,
        "Alternatives": [{"Transcript": text, "Items": items}],
    }


class Stream:
    """One stream that a client opened."""

    def __init__(self, socket: web.WebSocketResponse, query: dict[str, str]) -> None:
        self.socket = socket
        self.query = query
        self.audio = bytearray()
        self.ended = asyncio.Event()
        self._more = asyncio.Condition()

    async def heard(self, size: int) -> None:
        """Wait until so many bytes of audio have come."""
        async with asyncio.timeout(30), self._more:
            await self._more.wait_for(lambda: len(self.audio) >= size)

    async def say(self, *frames: bytes) -> None:
        for each in frames:
            await self.socket.send_bytes(each)

    async def listen(self) -> None:
        async for message in self.socket:
            assert message.type is WSMsgType.BINARY
            buffer = EventStreamBuffer()
            buffer.add_data(message.data)
            for each in buffer:
                assert each.headers[":event-type"] == "AudioEvent"
                assert each.headers[":message-type"] == "event"
                assert each.headers[":content-type"] == "application/octet-stream"
                if not each.payload:
                    self.ended.set()
                async with self._more:
                    self.audio += each.payload
                    self._more.notify_all()


class Transcribe:
    """The service. `refuse` has the statuses with which the next connections are refused."""

    def __init__(self) -> None:
        self.url = ""
        self.refuse: list[int] = []
        self.asked = 0
        self._streams: asyncio.Queue[Stream] = asyncio.Queue()

    async def stream(self) -> Stream:
        """The next stream that is opened."""
        async with asyncio.timeout(30):
            return await self._streams.get()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if self.refuse:
            return web.Response(status=self.refuse.pop(0))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        stream = Stream(socket, dict(request.query))
        self._streams.put_nowait(stream)
        await stream.listen()
        return socket


@asynccontextmanager
async def transcribe() -> AsyncIterator[Transcribe]:
    double = Transcribe()
    app = web.Application()
    app.router.add_get("/stream-transcription-websocket", double.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    double.url = f"http://127.0.0.1:{port}"
    try:
        yield double
    finally:
        await runner.cleanup()
