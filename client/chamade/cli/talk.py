"""Hear and speak on a call from the command line: WAV files, a pipe, or a microphone."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click

from chamade.audio import sound
from chamade.audio.blocking import Audio
from chamade.audio.line import Format
from chamade.blocking import LiveCall
from chamade.cli.common import Session
from chamade.cli.failures import message
from chamade.cli.microphone import Microphone
from chamade.cli.output import say
from chamade.endings import why_over
from chamade.errors import CallGone, ChamadeError

Sink = Callable[[bytes], object]


@dataclass(frozen=True)
class LineOptions:
    """Options for the line. `hang_up`: once all was said, not when the far end does."""

    clips: tuple[Path, ...] = ()
    dtmf: str | None = None
    mic: bool = False
    hang_up: bool = False
    record: Path | None = None
    raw: bool = False


def run(session: Session, call_id: str, options: LineOptions) -> None:
    """Stay on the line until the call is over, or until interrupted, which hangs up."""
    speech = _read(options.clips)
    with contextlib.ExitStack() as devices, _interruptible():
        sinks: list[Sink] = []
        if options.record is not None:
            sinks.append(_recording(devices, options.record))
        if options.raw:
            sinks.append(_write_raw)
        microphone = devices.enter_context(Microphone()) if options.mic else None
        if microphone is not None:
            sinks.append(microphone.hear)
        with session.client.attach(call_id, voice="own") as call:
            session.out.progress(f"{call.id}: {call.info.state}; Ctrl-C hangs up")
            try:
                if call.answered():
                    session.out.progress(f"{call.id}: on the line")
                _converse(call, speech, options, sinks, microphone)
            except KeyboardInterrupt:
                session.out.progress(f"{call.id}: hanging up")
                raise
    _report(session, call, options)


def _converse(
    call: LiveCall,
    speech: list[bytes],
    options: LineOptions,
    sinks: list[Sink],
    mic: Microphone | None,
) -> None:
    speaking = threading.Thread(
        target=_speak, args=(call.audio, speech, options, mic, call), name="speaking", daemon=True
    )
    speaking.start()
    for frame in call.audio:
        for sink in sinks:
            sink(frame)
    speaking.join(timeout=2)


def _speak(
    audio: Audio, speech: list[bytes], options: LineOptions, mic: Microphone | None, call: LiveCall
) -> None:
    try:
        for clip in speech:
            audio.play(clip)
        if options.dtmf:
            audio.dtmf(options.dtmf)
            audio.play(b"")
        if mic is not None:
            for frame in mic.frames():
                audio.send(frame)
        if options.hang_up:
            call.hang_up()
    except CallGone:
        return
    except ChamadeError as error:
        say(f"error: {message(error)}")


def _read(clips: tuple[Path, ...]) -> list[bytes]:
    try:
        return [sound.read_wav(clip, Format()) for clip in clips]
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None


def _recording(devices: contextlib.ExitStack, path: Path) -> Sink:
    try:
        return devices.enter_context(sound.WavWriter(path, Format())).write
    except OSError as wrong:
        raise click.FileError(str(path), wrong.strerror) from None


def _write_raw(frame: bytes) -> None:
    sys.stdout.buffer.write(frame)
    sys.stdout.buffer.flush()


def _report(session: Session, call: LiveCall, options: LineOptions) -> None:
    if not session.out.as_json:
        session.out.progress(f"{call.id}: {why_over(call.end_reason)}")
    elif not options.raw:
        session.out.json(
            {"call_id": call.id, "end_reason": call.end_reason, "keys": call.audio.keys}
        )


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does, with the call hung up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
