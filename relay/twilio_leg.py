"""The socket of an agent that speaks Twilio Media Streams: text messages only, audio in base64.

`TwilioSocket` came to us, with `?dialect=twilio`; `DialledSocket` we opened.
"""

from __future__ import annotations

from picows import WSFrame, WSTransport

from relay import logs
from relay.agent_leg import AgentSocket
from relay.bridge import Bridge
from relay.calls import Calls
from relay.leg import TEXT, Leg, now
from relay.wire.agent import MULAW
from relay.wire.twilio import TwilioDialect

_NOTES = 5
"""Notes of one kind in the log, a connection; a broken agent makes fifty a second."""

_OK = 1000
_HUNG_UP = (_OK, 0)
"""In good order, with a code or without one."""
_BROKEN = range(1002, 1011)
"""Close codes that tell an agent what is wrong with it; the others are for those who come back."""


class TwilioSocket(AgentSocket):
    """One connection of an agent that speaks Twilio's dialect."""

    dialect: TwilioDialect

    def __init__(self, calls: Calls, call_id: str, token: str) -> None:
        super().__init__(calls, call_id, token, MULAW)
        self.dialect = TwilioDialect(self._note)
        self._noted: dict[str, int] = {}

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is done."""
        super().on_ws_connected(transport)
        self.send_audio = self._send_media

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Audio goes straight to the bridge. Hot path."""
        bridge = self.bridge
        if (
            bridge is not None
            and frame.msg_type == TEXT  # type: ignore[comparison-overlap]
            and frame.fin
            and not (self._parts or transport.is_close_frame_sent)
        ):
            ulaw = self.dialect.decode_media(frame.get_payload_as_memoryview())
            if ulaw is not None:
                bridge.agent_audio(ulaw, now())
                return
        Leg.on_ws_frame(self, transport, frame)

    def on_text(self, text: bytes) -> None:
        """A JSON message that the hot path did not take; audio only if it came in fragments."""
        ulaw = self.dialect.decode_media(text)
        if ulaw is not None and self.bridge is not None:
            self.bridge.agent_audio(ulaw, now())
        else:
            super().on_text(text)

    def on_binary(self, payload: bytes) -> None:  # noqa: ARG002
        """Media Streams has no binary messages."""
        self._note("binary", "a binary message; text was expected")

    def _send_media(self, ulaw: bytes) -> None:
        self.send_text(self.dialect.media(ulaw))

    def _note(self, code: str, detail: str) -> None:
        count = self._noted[code] = self._noted.get(code, 0) + 1
        if count <= _NOTES:
            logs.warning("agent", call_id=self.call_id, code=code, detail=detail[:200])


class DialledSocket(TwilioSocket):
    """A connection that we opened to an agent."""

    dialled = True

    def __init__(self, calls: Calls, call_id: str, bridge: Bridge) -> None:
        super().__init__(calls, call_id, "")
        self._call = bridge
        self._given_up = False

    def give_up(self) -> None:
        """It took too long: should it open after all, it is not wanted."""
        self._given_up = True

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The agent has taken the handshake."""
        if self._given_up:
            transport.disconnect(False)
        else:
            super().on_ws_connected(transport)
            self.join(self._call)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is gone, whoever closed it."""
        if not self._given_up:
            super().on_ws_disconnected(transport)

    async def _admit(self) -> None:
        """Nobody has to be asked: it was the application that named the agent."""

    def close(self, code: int, reason: str) -> None:
        """To an agent that is dialled every stream ends with `stop`. It cannot come back by itself,
        so codes that ask for that would mean nothing to it.
        """
        if self.closing:
            return
        stop = self.dialect.stop()
        if stop is not None:
            self.send_text(stop)
        super().close(code if code in _BROKEN else _OK, reason)

    def gone(self) -> None:
        """The socket is gone: as with Twilio, an agent hangs up by closing it in good order."""
        if self.bridge is not None:
            self.bridge.agent_gone(self, now(), hung_up=self.close_code in _HUNG_UP)
            self.bridge = None
