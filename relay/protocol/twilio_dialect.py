"""The dialect of agents that speak Twilio Media Streams: the relay takes Twilio's part.

It translates between our own protocol and the messages of `common/media_stream.py`, so that a
bridge need not know which of the two an agent speaks. Twilio has no message for errors and dropped
audio: those are passed to `log` instead.
https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

import msgspec

from common import media_stream
from common.sip_headers import FIELD
from relay.protocol.agent import BadMessageError, Clear, FromAgent, Mark, Sids

MAX_MARK_NAME: Final = 1024
_CALL_FIELDS = (
    "call_id",
    "direction",
    "from",
    "to",
    "line",
    "forwarded_from",
    "caller_name",
    "stir_verstat",
)


class TwilioDialect:
    """The dialect of one connection of an agent: one stream, with a SID of its own."""

    resumes = False
    """At Twilio a new connection is another stream, with marks of its own."""

    def __init__(self, log: Callable[[str, str], None]) -> None:
        self.started = self.is_held = False
        self.stream_sid = f"MZ{secrets.token_hex(16)}"
        # A bound method takes less to call than an object.
        self.decode_media = media_stream.MediaDecoder(self.stream_sid).__call__
        self._log = log
        self._outgoing: media_stream.Outgoing | None = None

    def start(self, call: dict[str, Any], sids: Sids, *, resumed: bool) -> list[bytes]:  # noqa: ARG002
        """Encode `connected` and `start`."""
        self.started = True
        self._outgoing = outgoing = media_stream.Outgoing(self.stream_sid, sids.account, sids.call)
        return [outgoing.connected(), outgoing.start(parameters(call))]

    def restarted(self) -> None:
        """Return None: at Twilio a stream that is held is just silent."""

    def media(self, ulaw: bytes) -> bytes:
        """Encode the caller's audio; only after `start`. Hot path."""
        return self._outgoing.media(ulaw)  # type: ignore[union-attr]

    def dtmf(self, digit: str) -> bytes | None:
        """Encode that the caller pressed a key."""
        return None if self._outgoing is None else self._outgoing.dtmf(digit)

    def mark(self, name: str, *, played: bool) -> bytes | None:  # noqa: ARG002
        """Encode a mark. Twilio sends one back when it was played, and also when it was cleared."""
        return None if self._outgoing is None else self._outgoing.mark(name)

    def dropped(self, direction: str, ms: int, why: str, keys: int = 0) -> None:
        """Have the time stamps go on, if this connection lost the audio, and log the loss."""
        if why == "slow_agent" and self._outgoing is not None and self._outgoing.heard:
            self._outgoing.skip(ms)
        if keys:
            self._log("dropped", f"{keys} keys: {why}")
        if why not in ("no_agent", "no_stream"):
            self._log("dropped", f"{ms} ms {direction}: {why}")

    def warning(self, code: str, detail: str) -> None:
        """Log the warning: the dialect has no such message."""
        self._log(code, detail)

    def error(self, code: str, detail: str) -> None:
        """Log the error: Twilio ignores malformed messages."""
        self._log(code, detail)

    def stop(self, _reason: str | None = None, _state: str = "") -> bytes | None:
        """Encode the last message, once. Return None if there was no `start`."""
        outgoing, self._outgoing = self._outgoing, None
        return None if outgoing is None else outgoing.stop()

    def held(self, _why: str) -> None:
        """Return None: at Twilio a stream that is held is just silent."""

    def unheld(self, ms: int) -> None:
        """Have the time stamps go on by what the agent did not hear."""
        if self._outgoing is not None and self._outgoing.heard:
            self._outgoing.skip(ms)

    def answered_by(self, _by: str, _at_ms: int) -> None:
        """Return None: Media Streams has no such message."""

    def greeting_ended(self, _by: str, _at_ms: int) -> None:
        """Return None: Media Streams has no such message."""

    def request(self, _id: str, _method: str, _params: msgspec.Raw) -> None:
        """Return None: Media Streams has no requests."""

    def parse(self, text: bytes | memoryview) -> FromAgent:
        """Parse a message of the agent's other than audio. BadMessageError."""
        try:
            message = media_stream.parse_to_provider(text)
        except ValueError as error:
            raise BadMessageError("bad_message", str(error)) from None
        if message.stream_sid != self.stream_sid:
            raise BadMessageError("bad_stream_sid", "streamSid is missing or another stream's")
        if isinstance(message, media_stream.Clear):
            return Clear()
        if isinstance(message, media_stream.Mark):
            if len(message.mark.name) > MAX_MARK_NAME:
                raise BadMessageError("bad_field", "mark.name is too long")
            return Mark(message.mark.name)
        raise BadMessageError("unknown_type", "Media Streams takes media, mark and clear")


def parameters(call: dict[str, Any]) -> dict[str, str]:
    """Return `customParameters`: the call's main fields, `SipHeader_…` for each header of its
    INVITE, and the text, numbers and booleans at the top level of its metadata. The call's fields
    win over metadata of the same name.
    """
    metadata = call.get("metadata") or {}
    of_metadata = {name: _text(value) for name, value in metadata.items() if _scalar(value)}
    of_call = {name: str(call[name]) for name in _CALL_FIELDS if call.get(name) is not None}
    headers = {f"{FIELD}{name}": text for name, text in (call.get("sip_headers") or {}).items()}
    return of_metadata | headers | of_call


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
