"""Messages between the voice host and its worker processes: MessagePack behind a length.

A worker has one job at a time. It answers `Hear` with one `Text`, and `Speak` and `SpeakOn` with
`Audio` as it is made and then `Done`; each with `Failed` instead. When its model is loaded, it says
`Ready`.
"""

from __future__ import annotations

import struct

import msgspec

MAX_FRAME = 4 << 20
"""Bytes of one message: four minutes of audio."""
HEADER = struct.Struct(">I")


class Hear(msgspec.Struct, tag="hear"):
    """Make text of an utterance: PCM s16le, mono, 8000 Hz."""

    pcm: bytes


class Speak(msgspec.Struct, tag="speak"):
    """Make speech of a sentence."""

    text: str
    voice: str
    speed: float


class SpeakOn(msgspec.Struct, tag="speak_on"):
    """Make speech of what the job before has left: the `rest` of its `Done`."""

    rest: list[str]
    voice: str
    speed: float


class Text(msgspec.Struct, tag="text"):
    """The text that was heard; blank if there is no speech in it."""

    text: str
    confidence: float


class Audio(msgspec.Struct, tag="audio"):
    """The next piece of speech: PCM s16le, mono, 8000 Hz."""

    pcm: bytes


class Done(msgspec.Struct, tag="done"):
    """The speech is made, all of it or a stretch. `rest`: the phonemes that are still to be spoken,
    in a job of their own, so that others have a turn before it.
    """

    rest: list[str] = []


class Failed(msgspec.Struct, tag="failed"):
    """The job failed; the worker takes the next one."""

    why: str


class Ready(msgspec.Struct, tag="ready"):
    """The model is loaded and warm. `voices` are names, of a worker that speaks."""

    voices: list[str] = []


Job = Hear | Speak | SpeakOn
Answer = Text | Audio | Done | Failed | Ready

_jobs = msgspec.msgpack.Decoder(Job)
_answers = msgspec.msgpack.Decoder(Answer)


def encode(message: Job | Answer) -> bytes:
    """Return the message with its length in front. ValueError beyond `MAX_FRAME`."""
    content = msgspec.msgpack.encode(message)
    return HEADER.pack(length(len(content))) + content


def length(size: int) -> int:
    """Return `size`, the length of a message. ValueError beyond `MAX_FRAME`."""
    if size > MAX_FRAME:
        raise ValueError(f"a message of {size} bytes; {MAX_FRAME} at most")
    return size


def job(content: bytes) -> Job:
    """Decode a job. msgspec.MsgspecError."""
    decoded: Job = _jobs.decode(content)
    return decoded


def answer(content: bytes) -> Answer:
    """Decode an answer. msgspec.MsgspecError."""
    decoded: Answer = _answers.decode(content)
    return decoded
