"""The agent protocol, version 1: JSON text messages, and the audio formats an agent may choose.

docs/protocol.md specifies it. Audio itself is binary and is not parsed here. Unknown fields are
ignored, so that either side may add new ones; an unknown type is answered with an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

import msgspec

PROTOCOL: Final = "1"
MAX_MARK_NAME: Final = 128
MAX_DIGITS: Final = 64
MAX_REQUEST: Final = 64 * 1024
"""Bytes of a request to an agent, and of its reply."""
FRAME_MS: Final = 20
_RATES: Final = (8000, 16000, 24000)


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """The format of binary messages, both ways: mono, `pcm_s16le` or `mulaw`."""

    format: str = "pcm_s16le"
    sample_rate: int = 16000
    """In Hz."""

    @property
    def bytes_per_ms(self) -> int:
        """Return the bytes in a millisecond of audio."""
        return self.sample_rate // 1000 * (1 if self.format == "mulaw" else 2)

    def describe(self) -> dict[str, Any]:
        """Return the `audio` object of `start`."""
        return {
            "format": self.format,
            "sample_rate": self.sample_rate,
            "channels": 1,
            "frame_duration_ms": FRAME_MS,
            "frame_bytes": self.bytes_per_ms * FRAME_MS,
        }


MULAW: Final = AudioFormat("mulaw", 8000)


def choose_format(dialect: str | None, format_: str | None, rate: str | None) -> AudioFormat:
    """Return the format that the URL's parameters ask for. ValueError tells what is wrong."""
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


def choose_if_free(if_free: str | None) -> bool:
    """Return whether the URL asks for the call only if it has no agent. ValueError tells what is
    wrong.
    """
    if if_free not in (None, "1"):
        raise ValueError("if_free must be 1, or not be there")
    return if_free is not None


def _format_of_dialect(dialect: str, format_: str | None, rate: str | None) -> AudioFormat:
    if dialect != "twilio":
        raise ValueError("dialect must be twilio")
    if (format_ or "mulaw") != "mulaw" or (rate or "8000") != "8000":
        raise ValueError("dialect twilio is mulaw at 8000 Hz only")
    return MULAW


@dataclass(frozen=True, slots=True)
class Sids:
    """The ids of account and call in Twilio's dialect."""

    account: str = ""
    call: str = ""


class Clear(msgspec.Struct, tag_field="type", tag="clear"):
    """A request to empty the queue of audio (barge-in)."""


class Mark(msgspec.Struct, tag_field="type", tag="mark"):
    """A request to be told when playout gets here."""

    name: Annotated[str, msgspec.Meta(max_length=MAX_MARK_NAME)]


Digits = Annotated[
    str, msgspec.Meta(min_length=1, max_length=MAX_DIGITS, pattern=r"^[0-9*#A-Dw]+\Z")
]


class Dtmf(msgspec.Struct, tag_field="type", tag="dtmf"):
    """A request to press these keys."""

    digits: Digits


class Hangup(msgspec.Struct, tag_field="type", tag="hangup"):
    """A request to end the call."""


class Reply(msgspec.Struct, tag_field="type", tag="reply"):
    """The reply to a request: its result, or an error with a code."""

    id: str
    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"{}")
    error: dict[str, Any] | None = None

    @classmethod
    def refused(cls, id_: str, code: str, detail: str) -> Self:
        """Make the reply to a request that the agent does not answer."""
        return cls(id_, False, error={"code": code, "detail": detail})


FromAgent = Clear | Mark | Dtmf | Hangup | Reply

_decoder = msgspec.json.Decoder(Clear | Mark | Dtmf | Hangup)
_reply_decoder = msgspec.json.Decoder(FromAgent)
_encode = msgspec.json.Encoder().encode


class BadMessageError(ValueError):
    """A message of the agent's is malformed. `code` is stable, the text is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


_FIELDS = {
    "type": "type is clear, mark, dtmf or hangup",
    "name": f"name is a text of at most {MAX_MARK_NAME} characters",
    "digits": f"digits is a text of 1 to {MAX_DIGITS} of 0-9*#ABCDw, as in 12#",
    "id": "id is a text, that of the request",
    "ok": "ok is true or false",
    "error": "error is an object with a code",
}


def _what_is_wanted(detail: str) -> str:
    """Return what is wanted in place of a wrong member, which msgspec tells as a type or a regular
    expression of ours.
    """
    for name, wanted in _FIELDS.items():
        if f"`$.{name}`" in detail or f"field `{name}`" in detail:
            return wanted
    return 'a message is a JSON object, as in {"type": "clear"}'


def parse(text: bytes | memoryview, *, replies: bool = False) -> FromAgent:
    """Parse an agent's text message; `replies`: one that is sent requests. BadMessageError:
    `bad_json`, `unknown_type`, `bad_field`.
    """
    try:
        message: FromAgent = (_reply_decoder if replies else _decoder).decode(text)
    except msgspec.ValidationError as error:
        detail = str(error)
        unknown = detail.endswith("`$.type`") and detail.startswith("Invalid value")
        code = "unknown_type" if unknown else "bad_field"
        raise BadMessageError(code, _what_is_wanted(detail)) from None
    except UnicodeDecodeError:
        raise BadMessageError("bad_json", "the message is not UTF-8") from None
    except msgspec.DecodeError as error:
        raise BadMessageError("bad_json", str(error)) from None
    except RecursionError:
        raise BadMessageError("bad_json", "JSON is nested too deep") from None
    return message


class ChamadeDialect:
    """Our own dialect: encodes text messages to an agent, and parses those from it."""

    resumes = True
    """A connection takes over the marks of the one before it."""

    def __init__(self, audio: AudioFormat, *, takes_requests: bool = False) -> None:
        """`takes_requests`: the agent answers requests, too."""
        self.started = False
        self.is_held = False
        """True if the agent was told `held` last."""
        self._audio = audio
        self._takes_requests = takes_requests

    def start(self, call: dict[str, Any], _sids: Sids, *, resumed: bool) -> list[bytes]:
        """Encode the first message: audio flows from here on."""
        self.started = True
        message = {
            "type": "start",
            "protocol": PROTOCOL,
            "resumed": resumed,
            "call": call,
            "audio": self._audio.describe(),
        }
        return [_encode(message)]

    def restarted(self) -> bytes | None:
        """Encode that another relay has the call, where the agent is not held, unless it is told so
        next. None: it knows.
        """
        return self.unheld(0) if self.is_held else None

    def dtmf(self, digit: str) -> bytes | None:
        """Encode that the caller pressed a key."""
        return _encode({"type": "dtmf", "digit": digit})

    def mark(self, name: str, *, played: bool) -> bytes | None:
        """Encode that playout has reached a mark, or never will."""
        return _encode({"type": "mark", "name": name, "played": played})

    def dropped(self, direction: str, ms: int, why: str, keys: int = 0) -> bytes | None:
        """Encode that so much audio, or so many keys, were dropped. `direction` is `to_agent` or
        `to_caller`.
        """
        message = {"type": "dropped", "direction": direction, "ms": ms, "why": why}
        return _encode(message | ({"keys": keys} if keys else {}))

    def warning(self, code: str, detail: str) -> bytes | None:
        """Encode that the agent seems to make a mistake."""
        return _encode({"type": "warning", "code": code, "detail": detail})

    def error(self, code: str, detail: str) -> bytes | None:
        """Encode that a message of the agent's was not followed."""
        return _encode({"type": "error", "code": code, "detail": detail})

    def stop(self, reason: str | None, state: str) -> bytes | None:
        """Encode the last message: the call is over."""
        return _encode({"type": "stop", "reason": reason, "state": state})

    def held(self, why: str) -> bytes | None:
        """Encode that the caller neither hears the agent nor is heard from here on. `why` is `hold`
        or `transfer`.
        """
        self.is_held = True
        return _encode({"type": "held", "why": why})

    def unheld(self, _ms: int) -> bytes | None:
        """Encode that they hear each other again."""
        self.is_held = False
        return _encode({"type": "unheld"})

    def answered_by(self, by: str, at_ms: int) -> bytes | None:
        """Encode who answered a call that was dialled, so many ms after the answer."""
        return _encode({"type": "answered_by", "answered_by": by, "at_ms": at_ms})

    def greeting_ended(self, by: str, at_ms: int) -> bytes | None:
        """Encode that a machine's greeting is over: what is said now is recorded by it."""
        return _encode({"type": "greeting_ended", "ended_by": by, "at_ms": at_ms})

    def request(self, id_: str, method: str, params: msgspec.Raw) -> bytes | None:
        """Encode a request, which the agent answers with a `reply`."""
        if not self._takes_requests:
            return None
        return _encode({"type": "request", "id": id_, "method": method, "params": params})

    def parse(self, text: bytes | memoryview) -> FromAgent:
        """Parse a message of the agent's. BadMessageError."""
        if not self._takes_requests:
            return parse(text)
        message = parse(text, replies=True)
        if isinstance(message, Reply) and len(text) > MAX_REQUEST:
            why = f"the reply is longer than {MAX_REQUEST} bytes"
            return Reply.refused(message.id, "reply_too_long", why)
        return message
