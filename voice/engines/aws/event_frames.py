"""The frames of Amazon's event streams, as Transcribe takes and sends them over a WebSocket.

botocore decodes them. It has no encoder, so the one kind of frame that we send is made here
(docs.aws.amazon.com/transcribe/latest/dg/event-stream.html).
"""

from __future__ import annotations

import json
import struct
from binascii import crc32
from dataclasses import dataclass
from typing import Any

from botocore.eventstream import EventStreamBuffer, ParserError

_STRING = 7
_U32 = struct.Struct(">I")
_PRELUDE = struct.Struct(">II")


class FrameError(ValueError):
    """Something came that is no frame of an event stream."""


@dataclass(frozen=True, slots=True)
class Event:
    """A frame: `name` is its event's type, or its exception's if `failed`."""

    name: str
    failed: bool
    content: dict[str, Any]


def audio(pcm: bytes) -> bytes:
    """Return the frame that carries audio; without any, it ends the stream."""
    return _frame(_AUDIO, pcm)


def read(frame: bytes) -> Event:
    """Read a frame. FrameError."""
    buffer = EventStreamBuffer()
    buffer.add_data(frame)
    try:
        message = next(iter(buffer), None)
        if message is None:
            raise FrameError("a frame is cut")
        content = json.loads(message.payload or b"{}")
    except (ParserError, KeyError, ValueError, struct.error) as error:
        raise FrameError(f"no frame of an event stream: {error}") from error
    headers: Any = message.headers
    kind = headers.get(":message-type")
    failed = kind != "event"
    name = headers.get(":exception-type" if failed else ":event-type")
    if not isinstance(content, dict):
        raise FrameError("its content is no JSON object")
    return Event(str(name or kind), failed, content)


def _frame(headers: bytes, payload: bytes) -> bytes:
    total = _PRELUDE.size + 2 * _U32.size + len(headers) + len(payload)
    prelude = _PRELUDE.pack(total, len(headers))
    content = prelude + _U32.pack(crc32(prelude)) + headers + payload
    return content + _U32.pack(crc32(content))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return bytes([len(key)]) + key + bytes([_STRING]) + struct.pack(">H", len(text)) + text


_AUDIO = (
    _header(":content-type", "application/octet-stream")
    + _header(":event-type", "AudioEvent")
    + _header(":message-type", "event")
)
