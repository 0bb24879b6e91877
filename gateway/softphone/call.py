"""A call from a softphone's side: its events, its received audio and its spoken audio.

Made by `phone.py`. All its times are `time.monotonic()` seconds; audio is mu-law.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from picows import WSMsgType

from common.g711 import DECODE_TABLE
from gateway.media.playout_queue import FRAME, SILENT_FRAME
from gateway.media.ticker import Ticker
from gateway.softphone.link import Link

_LOUD = 64
"""Peak (of 32767) below which a frame counts as silent: codecs leave a little noise."""


class Heard(NamedTuple):
    """A received frame: its time (monotonic seconds) and 160 bytes of mu-law."""

    at: float
    frame: bytes


@dataclass(frozen=True, slots=True)
class Ending:
    """The gateway's last message about a call."""

    status: str
    sip_code: int
    reason: str


def is_silent(frame: bytes) -> bool:
    """Return whether a mu-law frame holds nothing audible."""
    samples = DECODE_TABLE[np.frombuffer(frame, np.uint8)]
    return not samples.size or int(np.abs(samples).max()) < _LOUD


class PhoneCall:
    """A call, from this phone's side. Await `ringing`, `answered` and `ended`."""

    def __init__(self, link: Link, ticker: Ticker, to: str, from_: str, *, speak: bool) -> None:
        self.to, self.from_ = to, from_
        self.call_sid: str | None = None
        self.ringing, self.answered, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.placed_at = time.monotonic()
        self.ringing_at: float | None = None
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.answered_epoch: float | None = None
        self.received: list[Heard] = []
        self.keys = ""
        self.ending: Ending | None = None
        self.hung_up = False
        self.keep_audio = True
        self._link, self._ticker, self._speak = link, ticker, speak
        self._heard = asyncio.Event()
        self._mouth: deque[tuple[bytes, asyncio.Future[None] | None]] = deque()

    def send_audio(self, frame: bytes) -> None:
        """Send 160 bytes of mu-law right now; the caller of this method sets the pace (use
        `speak=False`)."""
        self._link.send(WSMsgType.BINARY, frame)

    async def play(self, ulaw: bytes) -> None:
        """Speak mu-law in real time, after what is queued already; return when all is sent.

        Returns early if the call ends. Needs `speak=True`; the last frame is padded with silence.
        """
        if self.ended.is_set() or not ulaw:
            return
        done = asyncio.get_running_loop().create_future()
        frames = [ulaw[at : at + FRAME] for at in range(0, len(ulaw), FRAME)]
        frames[-1] += SILENT_FRAME[len(frames[-1]) :]
        self._mouth.extend((frame, None) for frame in frames[:-1])
        self._mouth.append((frames[-1], done))
        await done

    def dtmf(self, digit: str) -> None:
        """Press a key: one of `0-9*#ABCD`."""
        self._link.tell(type="dtmf", digit=digit)

    def hangup(self) -> None:
        """Hang up; `ended` follows."""
        if not self.ended.is_set():
            self.hung_up = True
            self._link.tell(type="hangup")

    def accept(self) -> None:
        """Take an incoming call; `answered` follows."""
        self._link.tell(type="accept")

    def reject(self, reason: Literal["busy", "declined"] = "declined") -> None:
        """Refuse an incoming call; `ended` follows."""
        self.hung_up = True
        self._link.tell(type="reject", reason=reason)

    async def close(self) -> None:
        """Leave a call that is over: wait until its socket is closed."""
        self._link.close()
        await self._link.gone.wait()

    async def wait_answered(self) -> bool:
        """Wait until the call is answered (True) or over without an answer (False)."""
        waits = [asyncio.create_task(event.wait()) for event in (self.answered, self.ended)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return self.answered.is_set()

    async def wait_frames(self, count: int) -> None:
        """Wait until `count` frames have been received, or the call is over."""
        while len(self.received) < count and not self.ended.is_set():
            self._heard.clear()
            await self._heard.wait()

    async def wait_keys(self, keys: str) -> None:
        """Wait until the other side has pressed these keys, or the call is over."""
        while self.keys != keys and not self.ended.is_set():
            self._heard.clear()
            await self._heard.wait()

    async def wait_heard(self, ulaw: bytes) -> int:
        """Wait until exactly this audio was received; return its position in `audio()`.

        Returns -1 if the call ends without it.
        """
        while (at := self.audio().find(ulaw)) < 0 and not self.ended.is_set():
            await self.wait_frames(len(self.received) + 1)
        return at

    def audio(self) -> bytes:
        """Return everything received since the answer, in order of arrival, as mu-law."""
        return b"".join(heard.frame for heard in self.received)

    def first_audio(self) -> Heard | None:
        """Return the first frame that was not silent; None if there was none."""
        return next((heard for heard in self.received if not is_silent(heard.frame)), None)

    # Events of the link.

    def on_audio(self, frame: bytes) -> None:
        """Take a received audio frame."""
        if self.keep_audio:
            self.received.append(Heard(time.monotonic(), frame))
            self._heard.set()

    def on_message(self, message: dict[str, Any]) -> None:
        """Handle a message about the call."""
        now = time.monotonic()
        match message.get("type"):
            case "ringing" | "incoming":
                self.call_sid, self.ringing_at = message["call_sid"], now
                self.ringing.set()
            case "answered":
                self.answered_at, self.answered_epoch = now, time.time()
                if self._speak:
                    self._ticker.add(self._speak_on)
                self.answered.set()
            case "dtmf":
                self.keys += message["digit"]
                self._heard.set()
            case "ended":
                self.call_sid = message["call_sid"] or self.call_sid
                ending = Ending(message["status"], message["sip_code"], message["reason"])
                self._over(ending)

    def on_gone(self, reason: str) -> None:
        """Note that the socket is gone; a call without an ending counts as cut off."""
        self._over(Ending("failed", 0, reason))

    def _over(self, ending: Ending) -> None:
        if self.ending is None:
            self.ending, self.ended_at = ending, time.monotonic()
            self._ticker.discard(self._speak_on)
            for _, done in self._mouth:
                if done is not None and not done.done():
                    done.set_result(None)
            self._mouth.clear()
            self.ended.set()
            self._heard.set()

    def _speak_on(self) -> None:
        frame, done = self._mouth.popleft() if self._mouth else (SILENT_FRAME, None)
        self.send_audio(frame)
        if done is not None and not done.done():
            done.set_result(None)
