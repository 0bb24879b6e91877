"""Twilio Media Streams, spoken to an agent: we are what Twilio is to it.

The messages are `wire/media_stream.py`'s; here is what they mean in terms of our own protocol, so
that a bridge need not know which of the two an agent speaks. What Twilio has no message for
(errors, audio that was dropped) is not said but noted (`note`).
https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

import msgspec

from relay.wire.agent import BadMessageError, Clear, FromAgent, Mark, Sids
from wire import media_stream

MAX_MARK_NAME: Final = 1024
_OURS = ("call_id", "direction", "from", "to", "line", "forwarded_from")


class TwilioDialect:
    """One connection of an agent: one stream, with a SID of its own."""

    resumes = False
    """Twilio knows no second connection to a stream: it is another stream."""

    def __init__(self, note: Callable[[str, str], None]) -> None:
        self.started = False
        self.stream_sid = f"MZ{secrets.token_hex(16)}"
        self.decode_media = media_stream.MediaDecoder(self.stream_sid)
        self._note = note
        self._says: media_stream.Outgoing | None = None

    def start(self, call: dict[str, Any], sids: Sids, *, resumed: bool) -> list[bytes]:  # noqa: ARG002
        """`connected` and `start`."""
        self.started = True
        self._says = says = media_stream.Outgoing(self.stream_sid, sids.account, sids.call)
        return [says.connected(), says.start(parameters(call))]

    def media(self, ulaw: bytes) -> bytes:
        """The caller's audio, once there has been a `start`. Hot path."""
        return self._says.media(ulaw)  # type: ignore[union-attr]

    def dtmf(self, digit: str) -> bytes | None:
        """The caller pressed a key."""
        return None if self._says is None else self._says.dtmf(digit)

    def mark(self, name: str, *, played: bool) -> bytes | None:  # noqa: ARG002
        """Twilio sends a mark back when it was played and when it was cleared, all the same."""
        return None if self._says is None else self._says.mark(name)

    def dropped(self, direction: str, ms: int, why: str) -> None:
        """Only its time goes by, unless it was an earlier connection's."""
        if why == "slow_agent" and self._says is not None and self._says.heard:
            self._says.skip(ms)
        if why not in ("no_agent", "no_stream"):
            self._note("dropped", f"{ms} ms {direction}: {why}")

    def error(self, code: str, detail: str) -> None:
        """Twilio ignores what makes no sense."""
        self._note(code, detail)

    def stop(self, _reason: str | None = None, _state: str = "") -> bytes | None:
        """Last message, once; None if there was no `start`."""
        says, self._says = self._says, None
        return None if says is None else says.stop()

    def parse(self, text: bytes | memoryview) -> FromAgent:
        """What the agent says, but for its audio. BadMessageError."""
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
    """`customParameters`: what the call is, and the top level of its metadata as far as it is text,
    numbers or truth values. Of a name that both have, ours counts.
    """
    metadata = call.get("metadata") or {}
    given = {name: _text(value) for name, value in metadata.items() if _scalar(value)}
    return given | {name: str(call[name]) for name in _OURS if call.get(name) is not None}


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
