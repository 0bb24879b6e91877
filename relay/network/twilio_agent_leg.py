"""The socket of an agent that speaks Twilio Media Streams: text messages only, audio in base64."""

from __future__ import annotations

from picows import WSFrame, WSTransport

from relay import logs
from relay.network.agent_leg import AgentSocket
from relay.network.calls import Calls
from relay.network.leg import TEXT, Leg, now
from relay.protocol.agent import MULAW
from relay.protocol.twilio_dialect import TwilioDialect

_LOGGED = 5
"""Lines of the log about one kind of mistake, a connection: a broken agent makes fifty a second."""


class TwilioAgentSocket(AgentSocket):
    """One connection of an agent that speaks Twilio's dialect."""

    dialect: TwilioDialect

    def __init__(self, calls: Calls, call_id: str, token: str) -> None:
        super().__init__(calls, call_id, token, MULAW)
        self.dialect = TwilioDialect(self._log_mistake)
        self._mistakes: dict[str, int] = {}

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Set the socket up: the upgrade is done."""
        super().on_ws_connected(transport)
        self.send_audio = self._send_media

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Pass audio straight to the bridge. Hot path."""
        bridge = self.bridge
        if (
            bridge is not None
            and frame.msg_type == TEXT  # type: ignore[comparison-overlap]
            and frame.fin
            and not (self._fragments or transport.is_close_frame_sent)
        ):
            ulaw = self.dialect.decode_media(frame.get_payload_as_bytes())
            if ulaw is not None:
                bridge.agent_audio(ulaw, now())
                return
        Leg.on_ws_frame(self, transport, frame)

    def on_text(self, text: bytes) -> None:
        """Handle a JSON message that the hot path did not take: no audio, or audio in fragments."""
        ulaw = self.dialect.decode_media(text)
        if ulaw is not None and self.bridge is not None:
            self.bridge.agent_audio(ulaw, now())
        else:
            super().on_text(text)

    def on_binary(self, payload: bytes) -> None:  # noqa: ARG002
        """Log a mistake: Media Streams has no binary messages."""
        self._log_mistake("binary", "a binary message; text was expected")

    def _send_media(self, ulaw: bytes) -> None:
        self.send_text(self.dialect.media(ulaw))

    def _log_mistake(self, code: str, detail: str) -> None:
        count = self._mistakes[code] = self._mistakes.get(code, 0) + 1
        if count <= _LOGGED:
            logs.warning("agent", call_id=self.call_id, code=code, detail=detail[:200])
