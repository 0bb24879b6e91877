"""Twilio Media Streams, both directions: the messages between a trunking provider and us.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages. Numbers travel as
strings there, payloads as base64 of headerless mu-law at 8 kHz. The relay reads a provider's
messages with `parse_from_provider`. A provider reads with `parse_to_provider`: this is the gateway,
and the relay towards an agent that was written for Twilio. `Outgoing` writes a provider's messages,
numbered as by Twilio. Unknown fields are ignored, unknown events are a `ValueError`. Fields that
nobody reads (`sequenceNumber`, `track`, `chunk`, `timestamp`) may be of any type: agents and bots
send them as numbers or null. They are skipped, since building a mebibyte of what they may hold
takes 40 ms. Base64 may have line breaks, or lack its padding.

Audio is by far the most frequent message, so it has faster functions of its own in both directions:
`decode_media` (JSON and base64 in one pass of C) and `MediaEncoder` (prefix + base64 + suffix); at
the provider's end `MediaDecoder` and `Outgoing.media`.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pybase64

PROTOCOL = "Call"
VERSION = "1.0.0"
ENCODING = "audio/x-mulaw"
SAMPLE_RATE = 8000
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""The errors of decoding a text that is no message. UnicodeDecodeError: it is no UTF-8, as it may
come from a WebSocket; RecursionError: it is nested too deep."""


class MediaFormat(msgspec.Struct, rename="camel"):
    """The format of the payloads."""

    encoding: str = ENCODING
    sample_rate: int = SAMPLE_RATE
    channels: int = 1


class StartDetail(msgspec.Struct, rename="camel"):
    """The `start` object of a `start` message."""

    account_sid: str
    stream_sid: str
    call_sid: str
    tracks: list[str] = msgspec.field(default_factory=lambda: ["inbound"])
    media_format: MediaFormat = msgspec.field(default_factory=MediaFormat)
    custom_parameters: dict[str, str] = {}
    keys: bool | msgspec.UnsetType = msgspec.UNSET
    """A field of ours, not Twilio's: the provider accepts `dtmf` messages and sends the keys out of
    band."""


class MediaDetail(msgspec.Struct, gc=False):
    """The `media` object; `payload` is decoded from base64 while parsing."""

    payload: bytes


class _LooseDetail(msgspec.Struct, gc=False):
    """The `media` object with its payload as it came."""

    payload: str


class MarkDetail(msgspec.Struct, gc=False):
    """The `mark` object."""

    name: str


class DtmfDetail(msgspec.Struct, gc=False):
    """The `dtmf` object: one key of `0-9*#ABCD`."""

    digit: str


class _SentDtmfDetail(DtmfDetail, gc=False):
    """The `dtmf` object as it is sent."""

    track: str


class StopDetail(msgspec.Struct, rename="camel", gc=False):
    """The `stop` object."""

    account_sid: str = ""
    call_sid: str = ""


class Connected(msgspec.Struct, tag_field="event", tag="connected"):
    """The first message of a stream."""

    protocol: str = PROTOCOL
    version: str = VERSION


class Start(msgspec.Struct, tag_field="event", tag="start", rename="camel"):
    """The second message of a stream: it names the call."""

    start: StartDetail
    stream_sid: str


class Media(msgspec.Struct, tag_field="event", tag="media", rename="camel", gc=False):
    """Audio: the caller's from the provider, and audio for the caller to the provider."""

    media: MediaDetail
    stream_sid: str = ""


class _LooseMedia(msgspec.Struct, tag_field="event", tag="media", rename="camel"):
    """A `media` message whose payload is not strict base64."""

    media: _LooseDetail
    stream_sid: str = ""


class Dtmf(msgspec.Struct, tag_field="event", tag="dtmf", rename="camel"):
    """A `dtmf` message, about one key.

    From the provider: the caller pressed it. To the provider (if it said `keys`): press it when
    playout gets here.
    """

    dtmf: DtmfDetail
    stream_sid: str = ""


class Mark(msgspec.Struct, tag_field="event", tag="mark", rename="camel"):
    """A `mark` message.

    To the provider: report when playout gets here. From the provider: playout got there, or the
    mark was cleared.
    """

    mark: MarkDetail
    stream_sid: str = ""


class Clear(msgspec.Struct, tag_field="event", tag="clear", rename="camel"):
    """A command to the provider to drop the queued audio (barge-in).

    The provider echoes outstanding marks at once.
    """

    stream_sid: str = ""


class Stop(msgspec.Struct, tag_field="event", tag="stop", rename="camel"):
    """The last message of a stream."""

    stop: StopDetail = msgspec.field(default_factory=StopDetail)
    stream_sid: str = ""


FromProvider = Connected | Start | Media | Dtmf | Mark | Stop
ToProvider = Media | Mark | Clear | Dtmf

_from_provider = msgspec.json.Decoder(FromProvider)
_to_provider = msgspec.json.Decoder(ToProvider)
_audio = msgspec.json.Decoder(Media).decode
_loose_media = msgspec.json.Decoder(_LooseMedia)
_encoder = msgspec.json.Encoder()


def parse_from_provider(text: bytes | memoryview) -> FromProvider:
    """Parse one message that a provider sent.

    Raises ValueError with the reason if it is not valid.
    """
    message: FromProvider = _parse(_from_provider, text)
    return message


def parse_to_provider(text: bytes | memoryview) -> ToProvider:
    """Parse one message that was sent to a provider.

    Raises ValueError with the reason if it is not valid.
    """
    message: ToProvider = _parse(_to_provider, text)
    return message


def decode_media(text: bytes | memoryview) -> bytes | None:
    """Return the mu-law of a `media` message, None for another (or no) message. Hot path."""
    try:
        return _audio(text).media.payload
    except UNREADABLE:
        message = _decode_loosely(text)
    return None if message is None else message.media.payload


def encode(message: FromProvider | ToProvider) -> bytes:
    """Return a message as JSON text."""
    return _encoder.encode(message)


def key(digit: str, track: str, stream_sid: str) -> Dtmf:
    """Return a `dtmf` message to be sent. `track` says whose key it is."""
    return Dtmf(_SentDtmfDetail(digit, track), stream_sid)


class MediaEncoder:
    """An encoder of `media` messages *to* the provider for one stream. Hot path."""

    def __init__(self, stream_sid: str) -> None:
        sid = msgspec.json.encode(stream_sid).replace(b"%", b"%%")
        self._template = b'{"event":"media","streamSid":' + sid + b',"media":{"payload":"%b"}}'

    def __call__(self, ulaw: bytes | memoryview) -> bytes:
        """Encode mu-law of any length as one JSON text message."""
        return self._template % pybase64.b64encode(ulaw)


class MediaDecoder:
    """A decoder of `media` messages *to* the provider of one stream. Hot path."""

    def __init__(self, stream_sid: str) -> None:
        self._stream_sid = stream_sid

    def __call__(self, text: bytes | memoryview) -> bytes | None:
        """Return the mu-law; None for another message, another stream's, or no message."""
        message: Media | None
        try:
            message = _audio(text)
        except UNREADABLE:
            message = _decode_loosely(text)
        if message is None or message.stream_sid != self._stream_sid:
            return None
        return message.media.payload


class Outgoing:
    """The writer of a provider's messages on one stream, in order.

    All but `connected` are numbered from 1, media also by chunk and by its place in the caller's
    audio.
    """

    def __init__(self, stream_sid: str, account_sid: str, call_sid: str) -> None:
        self._sid, self._account_sid, self._call_sid = stream_sid, account_sid, call_sid
        self._sequence = self._chunk = self._samples = 0
        sid = msgspec.json.encode(stream_sid).replace(b"%", b"%%")
        self._media = (
            b'{"event":"media","sequenceNumber":"%d","media":{"track":"inbound","chunk":"%d",'
            b'"timestamp":"%d","payload":"%b"},"streamSid":' + sid + b"}"
        )

    def connected(self) -> bytes:
        """Return the first message, `connected`."""
        return encode(Connected())

    def start(
        self, parameters: dict[str, str], keys: bool | msgspec.UnsetType = msgspec.UNSET
    ) -> bytes:
        """Return the second message, `start`.

        `parameters` are those that go with the stream. `keys`: see `StartDetail`.
        """
        detail = StartDetail(
            account_sid=self._account_sid,
            stream_sid=self._sid,
            call_sid=self._call_sid,
            custom_parameters=parameters,
            keys=keys,
        )
        return self._numbered(Start(detail, self._sid))

    def media(self, ulaw: bytes) -> bytes:
        """Return a message with the caller's audio. Hot path."""
        self._sequence += 1
        self._chunk += 1
        timestamp = self._samples * 1000 // SAMPLE_RATE
        self._samples += len(ulaw)
        return self._media % (self._sequence, self._chunk, timestamp, pybase64.b64encode(ulaw))

    @property
    def heard(self) -> bool:
        """Return whether there has been any audio."""
        return self._chunk > 0

    def skip(self, ms: int) -> None:
        """Count `ms` of the caller's audio that are left out: the timestamps go on."""
        self._samples += ms * SAMPLE_RATE // 1000

    def dtmf(self, digit: str) -> bytes:
        """Return the message that the caller pressed a key."""
        return self._numbered(key(digit, "inbound_track", self._sid))

    def mark(self, name: str) -> bytes:
        """Return the message that playout got to a mark, or the mark was cleared."""
        return self._numbered(Mark(MarkDetail(name), self._sid))

    def stop(self) -> bytes:
        """Return the last message, `stop`."""
        return self._numbered(Stop(StopDetail(self._account_sid, self._call_sid), self._sid))

    def _numbered(self, message: FromProvider) -> bytes:
        self._sequence += 1
        return encode(message)[:-1] + b',"sequenceNumber":"%d"}' % self._sequence


def _decode_loosely(text: bytes | memoryview) -> Media | None:
    """Return a `media` message whose base64 has white space or lacks its padding.

    None: it is none, or its payload is no base64 even so.
    """
    try:
        message = _loose_media.decode(text)
        payload = "".join(message.media.payload.split()).rstrip("=")
        ulaw = pybase64.b64decode(payload + "=" * (-len(payload) % 4), validate=True)
    except (*UNREADABLE, ValueError):
        return None
    return Media(MediaDetail(ulaw), message.stream_sid)


def _parse(decoder: msgspec.json.Decoder[Any], text: bytes | memoryview) -> Any:
    try:
        return decoder.decode(text)
    except UNREADABLE as error:
        if (media := _decode_loosely(text)) is not None:
            return media
        raise ValueError(f"not a media stream message: {error}") from None
