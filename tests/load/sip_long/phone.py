"""A phone at the far end of a call: its events, its audio, and what it hears of its own.

It sends frames that name the call and count: what comes back shows that this call's audio, and no
other's, has gone to the application and back.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

from gateway.legs.sip.call_audio import CallAudio
from gateway.rtp.g711 import FRAME
from gateway.sip.dialog.call import Call
from gateway.sip.dialog.media import Media
from gateway.sip.events import Ended, Established, Event, KeyPressed, MediaAgreed, Progress
from gateway.sip.session.call_media import CallMedia
from gateway.sip.session.offer_answer import SrtpPolicy
from tests.support.ports import HOST

_MARK = bytes([0x21, 0x0C, 0x33, 0x05, 0x12, 0x21, 0x0C, 0x33])
_FILL = FRAME // 16
_serials = itertools.count(1)
_DIGIT = 0x80
"""Numbers are digits to the base 64 above this code. They and the mark survive being decoded and
encoded again, as concealment of lost audio does; the two zeros of mu-law do not.
"""
WITHIN_S = 40.0
"""Seconds that a step may take: more than the transaction that gives up on a silent peer."""


class Phone:
    """`carrier` gives it its call. Without `media` of its own it offers G.711."""

    def __init__(
        self, carrier: Any, *, media: Media | None = None, srtp: SrtpPolicy = "off"
    ) -> None:
        self.carrier = carrier
        self.call: Call | None = None
        self.audio: CallAudio | None = None
        self.ringing, self.up, self.ended = (asyncio.Event() for _ in range(3))
        self.ending: Ended | None = None
        self.keys: list[str] = []
        self.sent = self.heard = self.lost = self.foreign = 0
        """Frames: sent, heard again, left out of what came back, and heard of another call."""
        self.told_foreign = ""
        """What it heard of another call, in words."""
        self.longest_gap_s = 0.0
        """The longest time in which nothing of its own came back; set it to 0 to begin anew."""
        self._heard_at, self._newest = 0.0, 0
        self.agreed = 0
        self.loses = carrier.loses
        """The part of its audio's packets that is lost on the way to the gateway."""
        self._serial = next(_serials)
        self._name = _digits(self._serial)
        if media is None:
            self.audio = CallAudio(carrier.plane, HOST, lambda _: None, srtp=srtp)
            self._wrap(self.audio)
        self.media: Media = media if media is not None else self._own_media

    @property
    def _own_media(self) -> CallMedia:
        assert self.audio is not None
        return self.audio.media

    def _wrap(self, audio: CallAudio) -> None:
        """Lose packets, with the gaps in their numbers that losses leave."""
        leg: Any = audio._leg
        tick = leg.tick
        leg.tick = lambda now: tick(now) if random.random() >= self.loses else (tick(now), [])[1]
        audio.ask(self._next)
        audio.listen_for_keys(self.keys.append)

    def rings(self) -> None:
        """Take the offer of a call that came in, and ring."""
        call: Any = self.call
        if call.take(self.media, self.carrier.now):
            call.ring(self.carrier.now)
        self.carrier.wire.flush()
        self.ringing.set()

    def command(self, name: str, *arguments: Any) -> None:
        """Give the call a command, such as `answer`, and send what follows from it."""
        if self.call is not None:
            if name == "hold":
                self.call.hold(arguments[0], self.carrier.now)
            elif name == "press":
                self.call.press(arguments[0], self.carrier.now)
            else:
                getattr(self.call, name)(self.carrier.now, *arguments)
            self.carrier.wire.flush()

    async def is_up(self) -> None:
        """Wait until the call is up. Raises AssertionError if it ends instead."""
        async with asyncio.timeout(WITHIN_S):
            await self.up.wait()
        assert self.ending is None, f"ended {self.ending and self.ending.status}, not up"

    async def is_over(self) -> Ended:
        """Wait for the end; return it."""
        async with asyncio.timeout(WITHIN_S):
            await self.ended.wait()
        assert self.ending is not None
        return self.ending

    async def hangs_up(self) -> None:
        """Hang up, and wait for the end."""
        self.command("hangup")
        await self.is_over()

    async def hears_itself(self, frames: int = 25) -> None:
        """Wait until so many more of its frames have come back."""
        enough = self.heard + frames
        async with asyncio.timeout(WITHIN_S):
            while self.heard < enough and not self.ended.is_set():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
        assert self.heard >= enough, f"heard {self.heard} frames, then the call ended"

    async def hears_key(self, key: str) -> None:
        """Wait until a key has come back."""
        async with asyncio.timeout(WITHIN_S):
            while key not in self.keys and not self.ended.is_set():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
        assert key in self.keys, f"heard the keys {self.keys}, not {key}"

    def close(self) -> None:
        """Give the port back."""
        if self.audio is not None:
            self.audio.close()
            self.audio = None

    def happened(self, event: Event) -> None:
        """Take an event of the call."""
        match event:
            case MediaAgreed(call=call):
                self.agreed += 1
                if self.audio is not None and isinstance(call.media, CallMedia):
                    self.audio.media = call.media
                    if call.media.negotiated is not None:
                        self.audio.agree(call.media.negotiated, self.carrier.now)
            case Progress():
                self.ringing.set()
            case Established():
                if self.audio is not None:
                    self.audio.start(self._hear)
                self.up.set()
            case KeyPressed(key=key):
                self.keys.append(key)
            case Ended():
                self.ending = event
                self.close()
                for waited_for in (self.ringing, self.up, self.ended):
                    waited_for.set()

    def _next(self) -> bytes:
        self.sent += 1
        return (_MARK + self._name + _digits(self.sent)) * _FILL

    def _hear(self, frame: bytes) -> None:
        if frame.startswith(_MARK):
            if frame[8:12] == self._name:
                now = self.carrier.now
                if self.heard:
                    self.longest_gap_s = max(self.longest_gap_s, now - self._heard_at)
                number = _number(frame[12:16])
                self.lost += max(0, number - self._newest - 1) if self.heard else 0
                self.heard, self._heard_at, self._newest = self.heard + 1, now, number
            else:
                self.foreign += 1
                self.told_foreign = f"heard call {_number(frame[8:12])} in call {self._serial}"


def _digits(number: int) -> bytes:
    return bytes(_DIGIT | number >> shift & 63 for shift in (18, 12, 6, 0))


def _number(digits: bytes) -> int:
    return sum((digit & 63) << shift for digit, shift in zip(digits, (18, 12, 6, 0), strict=True))
