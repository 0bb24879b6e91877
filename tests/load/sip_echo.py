"""`python -m tests.load.sip_echo PORT`: an application's end of media streams that sends every
frame straight back, as cheaply as Python can.

But for those of the first second: what the caller said before the stream was open comes at once,
and, sent back, it would stand in the gateway's queue for as long as the call lasts. No application
talks ahead of itself like that; a mere echo would.

An application is elsewhere in earnest, as callers are: so this runs before everything else, too,
where that is allowed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time

from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

from common import media_stream

SILENT_S = 1.0


class Echo(WSListener):
    """One stream."""

    def __init__(self) -> None:
        self._encode: media_stream.MediaEncoder | None = None
        self._begins = 0.0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            self._message(transport, frame.get_payload_as_memoryview())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def _message(self, transport: WSTransport, text: memoryview) -> None:
        ulaw = media_stream.decode_media(text)
        if ulaw is not None and self._encode is not None:
            if time.monotonic() < self._begins:
                return
            transport.send(WSMsgType.TEXT, self._encode(ulaw))
        elif ulaw is None:
            message = media_stream.parse_from_provider(text)
            if isinstance(message, media_stream.Start):
                self._encode = media_stream.MediaEncoder(message.stream_sid)
                self._begins = time.monotonic() + SILENT_S


async def main(port: int) -> None:
    """Serve until killed."""

    def welcome(_: WSUpgradeRequest) -> WSListener:
        return Echo()

    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    server = await ws_create_server(welcome, "127.0.0.1", port, enable_auto_pong=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
