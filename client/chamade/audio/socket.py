"""A call's audio over its WebSocket, with asyncio: the only place where that socket is.

A task of its own reads whatever comes, whether or not the program does, so that pings are answered
and keys and marks are known at once; and connects again when the connection breaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from chamade.audio import sound
from chamade.audio.connection import NotConnected, ending, opened
from chamade.audio.line import MAX_MARKS, Comeback, Format, Line, may_return
from chamade.audio.messages import Heard, Mark, Stop
from chamade.errors import AudioLost, CallGone, ChamadeError
from chamade.models import Audio

PIECE_BYTES = 32_000
"""Bytes in a message: what has not been sent yet can still be held back, by `clear`."""
AHEAD_S = 30.0
"""`play` queues this much at the relay, twice, and goes on as it is heard."""
HANGING_UP_S = 1.0
"""How long after its stream is gone a call is known to be over."""
HELD_S = 2.0
"""A connection that lasted this long was one."""
_KEYS = re.compile(r"[0-9*#A-Dw]{1,64}", re.ASCII)


class AsyncAudio:
    """Hear and speak on a call: `async for frame in audio` hears.

    All that speaks waits until audio flows, and over a connection that is lost for a moment.
    CallGone once the call is over, AudioLost if the socket cannot be had.
    """

    def __init__(self, call_id: str, where: Audio, line_format: Format) -> None:
        self.call_id, self.format = call_id, line_format
        self._where = where
        self._line = Line(line_format, self._marked)
        self._socket: ClientConnection | None = None
        self._plays: dict[str, asyncio.Future[bool]] = {}
        self._turn = asyncio.Lock()
        self._cleared = 0
        self._ended = False
        self._lost: AudioLost | None = None
        self._news = asyncio.Event()
        self._probes: set[asyncio.Task[None]] = set()
        self._staying = asyncio.create_task(self._stay())
        self._staying.add_done_callback(self._stayed)

    # What the program does.

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for item in self.messages():
            if isinstance(item, bytes):
                yield item

    async def messages(self) -> AsyncIterator[Heard]:
        """Audio as `bytes`, and besides it `Dtmf`, `Mark`, `Dropped` and `Refusal`, in order, until
        the call is over.
        """
        while (item := await self.next()) is not None:
            yield item

    async def next(self) -> Heard | None:
        """The next of `messages`; None once the call is over."""
        while (item := self._line.unread.take()) is None:
            if self._lost is not None:
                raise self._lost
            if self._ended:
                return None
            await self._news.wait()
        return item

    async def started(self) -> bool:
        """Waits until audio flows: the call is answered. False if it was over before."""
        while not self._line.ever_started and not self._ended:
            await self._news.wait()
        return self._line.ever_started

    async def send(self, audio: bytes) -> None:
        """Says this, in the line's format, after what was sent before; as fast as you like: the
        relay queues up to five minutes.
        """
        cleared = self._cleared
        async with self._turn:
            await self._say(audio, cleared)

    async def play(self, audio: bytes | str | Path) -> bool:
        """Says this to its end: True once it has been heard. False if `clear` cut it short, or if
        the connection was lost in a way that nobody can tell.

        Audio in the line's format, or the path of a WAV file (16 bit PCM of any rate). None at all
        (b"") waits for what was sent before.
        """
        speech = audio if isinstance(audio, bytes) else sound.read_wav(audio, self.format)
        ahead = int(self.format.rate * AHEAD_S) * (self.format.bytes_per_s // self.format.rate)
        cleared, marks = self._cleared, list[asyncio.Future[bool]]()
        async with self._turn:
            for at in range(0, max(1, len(speech)), ahead):
                await self._say(speech[at : at + ahead], cleared)
                if cleared != self._cleared:
                    return False
                marks.append(await self._own_mark())
                if len(marks) > 1 and not await marks[-2]:
                    break
        heard = all([await mark for mark in marks])
        if not heard and cleared == self._cleared:
            await self._perhaps_over()
        return heard

    async def clear(self) -> None:
        """Barge-in: forgets at once what was sent and not heard yet, here and at the relay."""
        self._cleared += 1
        if self._line.ever_started:
            await self._tell(type="clear")

    async def mark(self, name: str) -> None:
        """Marks this place in what is said: it comes back in `messages` as a `Mark`, `played` or
        not. Up to 128 characters, up to 200 at a time.
        """
        if len(name) > 128 or name.startswith("~"):
            raise ValueError("a mark's name has up to 128 characters and does not begin with ~")
        if self._line.marks.out >= MAX_MARKS:
            raise ChamadeError(f"{MAX_MARKS} marks are out; wait for some to come back")
        async with self._turn:
            await self._set_mark(name)

    async def dtmf(self, digits: str) -> None:
        """Presses keys, after what was said: `0-9*#ABCD`, and `w` for half a second of silence."""
        if not _KEYS.fullmatch(digits):
            raise ValueError(f"1 to 64 of 0-9*#ABCDw can be pressed, not {digits!r}")
        async with self._turn:
            await self._tell(type="dtmf", digits=digits)

    def skip(self) -> None:
        """Forgets what was heard and not read yet: what comes next is what is said from now on."""
        self._line.unread.skip_audio()

    def on_dtmf(self, tell: Callable[[str], None]) -> None:
        """Calls `tell(digit)` whenever the caller presses a key, at once. It must not block."""
        self._line.on_dtmf.append(tell)

    @property
    def keys(self) -> str:
        """All the keys that the caller has pressed so far."""
        return self._line.keys

    @property
    def stop(self) -> Stop | None:
        """How the call ended, once it has."""
        return self._line.stop

    async def close(self) -> None:
        """Leaves the line. That does not hang up: the call goes on for ten seconds."""
        self._staying.cancel()
        await asyncio.gather(self._staying, return_exceptions=True)

    # What is sent.

    async def _say(self, audio: bytes, cleared: int) -> None:
        for at in range(0, len(audio), PIECE_BYTES):
            if cleared != self._cleared:
                return
            await self._transmit(audio[at : at + PIECE_BYTES])

    async def _perhaps_over(self) -> None:
        """Nobody heard it, and nobody cleared it: as a rule the other side has hung up, and `stop`
        is about to say so.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANGING_UP_S):
                while not self._ended:
                    await self._news.wait()
        if self._ended:
            raise self._lost or self._gone()

    async def _own_mark(self) -> asyncio.Future[bool]:
        name = self._line.marks.own("play")
        heard = self._plays[name] = asyncio.get_running_loop().create_future()
        await self._set_mark(name)
        return heard

    async def _set_mark(self, name: str) -> None:
        await self._connected()
        self._line.marks.set(name)
        await self._tell(type="mark", name=name)

    async def _tell(self, **message: Any) -> None:
        await self._transmit(json.dumps(message))

    async def _transmit(self, message: bytes | str) -> None:
        """Sends it. Again, on the next connection, if this one breaks meanwhile."""
        while True:
            socket = await self._connected()
            try:
                await socket.send(message)
            except ConnectionClosed:
                while self._socket is socket and not self._ended:
                    await self._news.wait()
            else:
                return

    async def _connected(self) -> ClientConnection:
        while not self._ended:
            if self._socket is not None and self._line.started:
                return self._socket
            await self._news.wait()
        raise self._lost or self._gone()

    def _gone(self) -> CallGone:
        reason = self._line.stop.reason if self._line.stop else None
        return CallGone(self.call_id, f"the call is over: {reason or 'no reason given'}", reason)

    # What comes, and the connection.

    async def _stay(self) -> None:
        comeback = Comeback()
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            code, why = await self._one_connection()
            if self._line.stop or code == 4410:
                return self._end()
            if not may_return(code):
                return self._end(AudioLost(why, code))
            if self._line.started or clock() - began > HELD_S:
                comeback.connected()
            self._line.started = False
            pause = comeback.pause(clock())
            if pause is None:
                return self._end(AudioLost(f"no connection to the call's audio: {why}", code))
            await asyncio.sleep(pause)

    def _stayed(self, staying: asyncio.Task[None]) -> None:
        """Nobody may wait for what does not come any more, whatever went wrong."""
        error = None if staying.cancelled() else staying.exception()
        self._end(AudioLost(f"a fault of this client: {error!r}") if error else None)

    async def _one_connection(self) -> tuple[int | None, str]:
        """Until it is closed: with which code, None if it broke or was not made; and why."""
        try:
            socket = await opened(self._where, self.format)
        except NotConnected as failure:
            return failure.code, failure.why
        try:
            self._socket = socket
            async for message in socket:
                if self._line.received(message):
                    self._probe()
                self._tell_news()
        except ConnectionClosed:
            pass
        finally:
            self._socket = None
            self._tell_news()
            await socket.close()
        return ending(socket)

    def _probe(self) -> None:
        """After a connection was lost: marks that had come back meanwhile were told to nobody. One
        more mark, coming back, shows which.
        """
        if self._line.marks.out:
            probe = asyncio.create_task(self._set_mark(self._line.marks.own("probe")))
            self._probes.add(probe)
            probe.add_done_callback(self._probed)

    def _probed(self, probe: asyncio.Task[None]) -> None:
        self._probes.discard(probe)
        if not probe.cancelled():
            probe.exception()  # the call ended meanwhile: nothing to be known any more

    def _marked(self, mark: Mark) -> None:
        heard = self._plays.pop(mark.name, None)
        if heard is not None and not heard.done():
            heard.set_result(mark.played)

    def _end(self, lost: AudioLost | None = None) -> None:
        if self._ended:
            return
        self._ended, self._lost = True, lost
        for heard in self._plays.values():
            if not heard.done():
                heard.set_exception(lost or self._gone())
                heard.exception()  # whoever waits is told; nobody has to
        self._plays.clear()
        self._tell_news()

    def _tell_news(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
