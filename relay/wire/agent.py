"""The agent protocol, version 1: JSON text messages, and the audio formats an agent may choose.

Specified in docs/protocol.md. Audio itself is binary and never comes here. Unknown fields are
ignored, so that either side may learn new ones; an unknown type is an error that is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

PROTOCOL: Final = "1"
MAX_MARK_NAME: Final = 128
MAX_DIGITS: Final = 64
FRAME_MS: Final = 20
_RATES: Final = (8000, 16000, 24000)


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What binary messages hold, both ways: mono, `pcm_s16le` or `mulaw`, at `sample_rate` Hz."""

    format: str = "pcm_s16le"
    sample_rate: int = 16000

    @property
    def bytes_per_ms(self) -> int:
        """Bytes in a millisecond of audio."""
        return self.sample_rate // 1000 * (1 if self.format == "mulaw" else 2)

    def describe(self) -> dict[str, Any]:
        """The `audio` object of `start`."""
        return {
            "format": self.format,
            "sample_rate": self.sample_rate,
            "channels": 1,
            "frame_duration_ms": FRAME_MS,
            "frame_bytes": self.bytes_per_ms * FRAME_MS,
        }


MULAW: Final = AudioFormat("mulaw", 8000)


def choose_format(dialect: str | None, format_: str | None, rate: str | None) -> AudioFormat:
    """The format that the URL's parameters ask for. ValueError says what is wrong with them."""
    if dialect:
        return _format_of_dialect(dialect, format_, rate)
    name = format_ or "pcm_s16le"
    if name not in ("pcm_s16le", "mulaw"):
        raise ValueError("format must be pcm_s16le or mulaw")
    if not rate:
        return AudioFormat(name, 8000 if name == "mulaw" else 16000)
    if rate not in map(str, _RATES):
        raise ValueError("rate must be 8000, 16000 or 24000")
    if name == "mulaw" and rate != "8000":
        raise ValueError("rate: mulaw is 8000 Hz only")
    return AudioFormat(name, int(rate))


def _format_of_dialect(dialect: str, format_: str | None, rate: str | None) -> AudioFormat:
    if dialect != "twilio":
        raise ValueError("dialect must be twilio")
    if (format_ or "mulaw") != "mulaw" or (rate or "8000") != "8000":
        raise ValueError("dialect twilio is mulaw at 8000 Hz only")
    return MULAW


@dataclass(frozen=True, slots=True)
class Sids:
    """Account and call by the names that Twilio's dialect has for them."""

    account: str = ""
    call: str = ""


class Clear(msgspec.Struct, tag_field="type", tag="clear"):
    """Barge-in: the caller shall hear nothing of what is queued."""


class Mark(msgspec.Struct, tag_field="type", tag="mark"):
    """Tell me when playout gets here."""

    name: Annotated[str, msgspec.Meta(max_length=MAX_MARK_NAME)]


class Dtmf(msgspec.Struct, tag_field="type", tag="dtmf"):
    """Play these keys as tones."""

    digits: Annotated[
        str, msgspec.Meta(min_length=1, max_length=MAX_DIGITS, pattern=r"^[0-9*#A-Dw]+\Z")
    ]


class Hangup(msgspec.Struct, tag_field="type", tag="hangup"):
    """End the call."""


FromAgent = Clear | Mark | Dtmf | Hangup

_decoder = msgspec.json.Decoder(FromAgent)
_encode = msgspec.json.Encoder().encode


class BadMessageError(ValueError):
    """What an agent sent makes no sense; `code` is stable, the text is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def parse(text: bytes | memoryview) -> FromAgent:
    """One text message from an agent. BadMessageError: `bad_json`, `unknown_type`, `bad_field`."""
    try:
        message: FromAgent = _decoder.decode(text)
    except msgspec.ValidationError as error:
        detail = str(error)
        unknown = detail.endswith("`$.type`") and detail.startswith("Invalid value")
        raise BadMessageError("unknown_type" if unknown else "bad_field", detail) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessageError("bad_json", str(error)) from None
    return message


class Dialect:
    """What is said to an agent on one connection, as text messages, and what it says itself."""

    resumes = True
    """A connection takes up where the one before it left: outstanding marks are its own."""

    def __init__(self, audio: AudioFormat) -> None:
        self.started = False
        self._audio = audio

    def start(self, call: dict[str, Any], _sids: Sids, *, resumed: bool) -> list[bytes]:
        """First message: audio flows from here on."""
        self.started = True
        message = {
            "type": "start",
            "protocol": PROTOCOL,
            "resumed": resumed,
            "call": call,
            "audio": self._audio.describe(),
        }
        return [_encode(message)]

    def dtmf(self, digit: str) -> bytes | None:
        """The caller pressed a key."""
        return _encode({"type": "dtmf", "digit": digit})

    def mark(self, name: str, *, played: bool) -> bytes | None:
        """Playout got to a mark, or never will."""
        return _encode({"type": "mark", "name": name, "played": played})

    def dropped(self, direction: str, ms: int, why: str) -> bytes | None:
        """So much audio was thrown away. `direction` is `to_agent` or `to_caller`."""
        return _encode({"type": "dropped", "direction": direction, "ms": ms, "why": why})

    def error(self, code: str, detail: str) -> bytes | None:
        """Something the agent sent was not done."""
        return _encode({"type": "error", "code": code, "detail": detail})

    def stop(self, reason: str | None, state: str) -> bytes | None:
        """Last message: the call is over."""
        return _encode({"type": "stop", "reason": reason, "state": state})

    def parse(self, text: bytes | memoryview) -> FromAgent:
        """What the agent says. BadMessageError."""
        return parse(text)
