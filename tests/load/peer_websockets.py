"""`python -m tests.load.peer_websockets PORT`: our relay's job on the `websockets` library.

For comparison: the same event loop, the same codecs (`common.media_stream`), the same pairing of
the two legs, and nothing that the relay has beyond that (no control endpoint, no marks, no bounds).
The library is tuned as its documentation advises: no compression, no pings, no limit to its queues;
messages are neither decoded nor encoded as UTF-8.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import defaultdict
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from common import media_stream

_PATH = re.compile(r"/media/(?:provider|agent)/call_(\d+)\b.*")


@dataclass
class Call:
    """The two legs, as far as they are here."""

    provider: ServerConnection | None = None
    agent: ServerConnection | None = None
    encode: media_stream.MediaEncoder | None = None
    """Made once the provider's stream has begun."""

    async def begin(self) -> None:
        """Tell the agent, once everybody is there."""
        if self.agent is not None and self.encode is not None:
            await self.agent.send('{"type":"start"}')


_calls: defaultdict[str, Call] = defaultdict(Call)


async def from_provider(call: Call, socket: ServerConnection) -> None:
    """Media Streams to binary mu-law."""
    call.provider = socket
    while True:
        text = await socket.recv(decode=False)
        ulaw = media_stream.decode_media(text)
        if ulaw is None:
            message = media_stream.parse_from_provider(text)
            if isinstance(message, media_stream.Start):
                call.encode = media_stream.MediaEncoder(message.stream_sid)
                await call.begin()
        elif call.agent is not None:
            await call.agent.send(ulaw)


async def from_agent(call: Call, socket: ServerConnection) -> None:
    """Binary mu-law to Media Streams."""
    call.agent = socket
    await call.begin()
    while True:
        ulaw = await socket.recv(decode=False)
        if call.encode is not None and call.provider is not None:
            await call.provider.send(call.encode(ulaw), text=True)


async def leg(socket: ServerConnection) -> None:
    """One socket of a call."""
    path = socket.request.path if socket.request else ""
    found = _PATH.fullmatch(path)
    if found is None:
        return
    carry = from_provider if "/provider/" in path else from_agent
    try:
        await carry(_calls[found[1]], socket)
    except ConnectionClosed:
        pass
    finally:
        _calls.pop(found[1], None)


async def main(port: int) -> None:
    """Serve until killed."""
    async with serve(
        leg, "127.0.0.1", port, compression=None, ping_interval=None, max_queue=None
    ) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
