"""The softphone's end of a socket: frames and JSON messages to and from a gateway.

Their meaning for a call is handled in `call.py`.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Protocol

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport


class Party(Protocol):
    """The receiver of a link's messages."""

    def on_audio(self, frame: bytes) -> None:
        """Take a binary message."""

    def on_message(self, message: dict[str, Any]) -> None:
        """Take a text message."""

    def on_gone(self, reason: str) -> None:
        """Note that the socket is gone."""


class Link(WSListener):  # type: ignore[misc, unused-ignore]
    """The socket of a call or a registration."""

    def __init__(self) -> None:
        self.party: Party | None = None
        self._transport: WSTransport | None = None
        self._closing = "connection lost"
        self.gone = asyncio.Event()

    def send(self, kind: WSMsgType, message: bytes) -> None:
        """Send one message; do nothing if the socket is gone."""
        if self._transport is not None:
            self._transport.send(kind, message)

    def tell(self, **message: str) -> None:
        """Send one JSON message."""
        self.send(WSMsgType.TEXT, json.dumps(message).encode())

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None and not self._transport.is_close_frame_sent:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport, now that the handshake is done."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Handle audio, a message, or the close frame."""
        if self.party is None or transport.is_close_frame_sent:
            return
        match frame.msg_type:
            case WSMsgType.BINARY:
                self.party.on_audio(frame.get_payload_as_bytes())
            case WSMsgType.TEXT:
                try:
                    message = json.loads(frame.get_payload_as_memoryview().tobytes())
                except (ValueError, RecursionError):
                    self._closing = "the gateway said something that is no JSON"
                    self.close()
                else:
                    self.party.on_message(message)
            case WSMsgType.CLOSE:
                self._closing = frame.get_close_reason() or self._closing
                transport.send_close(WSCloseCode.OK)
                transport.disconnect()
            case _:
                pass

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002
        """Note that the socket is gone; a call without an ending counts as cut off."""
        self._transport = None
        self.gone.set()
        if self.party is not None:
            self.party.on_gone(self._closing)
