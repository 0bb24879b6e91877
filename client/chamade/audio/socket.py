"""A call's audio over its WebSocket, with asyncio. No other module uses that socket.

A task reads all messages, whether or not the program reads, so that pings are answered and keys and
marks are known at once. It also connects again when the connection breaks.
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
from chamade.audio.connection import NotConnected, ending, message, opened
from chamade.audio.line import MAX_MARKS, Comeback, Format, Line, may_return
from chamade.audio.messages import Heard, Mark, Stop
from chamade.endings import why_over
from chamade.errors import AudioLost, CallGone, ChamadeError
from chamade.models import Audio

PIECE_BYTES = 32_000
"""Bytes in a message: `clear` can still hold back messages that were not sent yet."""
AHEAD_S = 30.0
"""Seconds of audio in a part of `play`; it queues two parts at the relay, and more as they are
heard."""
HANGING_UP_S = 1.0
"""Seconds within which the end of a call becomes known after its stream has ended."""
HELD_S = 2.0
"""Seconds after which a connection counts as successful."""
OTHERS = frozenset({4409, 4411})
"""The close codes that tell that another agent has the call (docs/protocol.md, section 8)."""
_KEYS = re.compile(r"[0-9*#A-Dw]{1,64}", re.ASCII)


class AsyncAudio:
    """Hear and speak on a call: `async for frame in audio` hears.

    Methods that send wait until audio flows, and while a lost connection is made again. They raise
    CallGone once the call is over, AudioLost if there can be no connection, as with `if_free` when
    another agent has the call.
    """

    def __init__(
        self, call_id: str, where: Audio, line_format: Format, *, if_free: bool = False
    ) -> None:
        self.call_id, self.format = call_id, line_format
        self._where, self._if_free = where, if_free
        self._line = Line(line_format, self._mark_returned)
        self._socket: ClientConnection | None = None
        self._plays: dict[str, asyncio.Future[bool]] = {}
        self._turn = asyncio.Lock()
        self._cleared = 0
        self._ended = False
        self._lost: AudioLost | None = None
        self._news = asyncio.Event()
        self._probes: set[asyncio.Task[None]] = set()
        self._connection_task = asyncio.create_task(self._keep_connected())
        self._connection_task.add_done_callback(self._connection_ended)

    # For the program.

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for item in self.messages():
            if isinstance(item, bytes):
                yield item

    async def messages(self) -> AsyncIterator[Heard]:
        """Yield audio as `bytes`, and `Dtmf`, `Mark`, `AnsweredBy`, `GreetingEnded`, `Dropped` and
        `Refusal`, in order, until the call is over.
        """
        while (item := await self.next()) is not None:
            yield item

    async def next(self) -> Heard | None:
        """Return the next item of `messages`; None once the call is over."""
        while (item := self._line.unread.take()) is None:
            if self._lost is not None:
                raise self._lost
            if self._ended:
                return None
            await self._news.wait()
        return item

    async def started(self) -> bool:
        """Wait until audio flows: the call is answered. Returns False if it was over before."""
        while not self._line.ever_started and not self._ended:
            await self._news.wait()
        return self._line.ever_started

    async def send(self, audio: bytes) -> None:
        """Send audio to the caller, in the line's format, after what was sent before; as fast as
        you like: the relay queues up to five minutes.
        """
        cleared = self._cleared
        async with self._turn:
            await self._say(audio, cleared)

    async def play(self, audio: bytes | str | Path) -> bool:
        """Play audio to its end: return True once it has been heard. Returns False if `clear` cut
        it short, or if the connection was lost and nobody can tell.

        `audio`: in the line's format, or the path of a WAV file (16 bit PCM of any rate). b"" waits
        for what was sent before.
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
            await self._raise_if_over()
        return heard

    async def clear(self) -> None:
        """Discard at once what was sent and not heard yet, here and at the relay (barge-in)."""
        self._cleared += 1
        if self._line.ever_started:
            await self._tell(type="clear")

    async def mark(self, name: str) -> None:
        """Mark this place in what is sent: the mark comes back in `messages`, `played` or not. Up
        to 128 characters, up to 200 at a time.
        """
        if len(name) > 128 or name.startswith("~"):
            raise ValueError("a mark's name has up to 128 characters and does not begin with ~")
        if self._line.marks.out >= MAX_MARKS:
            raise ChamadeError(f"{MAX_MARKS} marks are out; wait until some come back")
        async with self._turn:
            await self._set_mark(name)

    async def dtmf(self, digits: str) -> None:
        """Press keys, after what was sent: `0-9*#ABCD`, and `w` for half a second of silence."""
        if not _KEYS.fullmatch(digits):
            raise ValueError(f"1 to 64 of 0-9*#ABCDw can be pressed, not {digits!r}")
        async with self._turn:
            await self._tell(type="dtmf", digits=digits)

    def skip(self) -> None:
        """Discard audio that came and was not read yet: the next audio read is what is said from
        now on.
        """
        self._line.unread.skip_audio()

    def on_dtmf(self, tell: Callable[[str], None]) -> None:
        """Call `tell(digit)` whenever the caller presses a key, at once. It must not block."""
        self._line.on_dtmf.append(tell)

    @property
    def keys(self) -> str:
        """Return all the keys that the caller has pressed so far."""
        return self._line.keys

    @property
    def stop(self) -> Stop | None:
        """Return how the call ended, once it has."""
        return self._line.stop

    @property
    def replaced(self) -> bool:
        """Return whether another agent has the call's audio."""
        return self._lost is not None and self._lost.close_code in OTHERS

    async def close(self) -> None:
        """Leave the line. That does not hang up: the call goes on for ten seconds."""
        self._connection_task.cancel()
        await asyncio.gather(self._connection_task, return_exceptions=True)

    # Sending.

    async def _say(self, audio: bytes, cleared: int) -> None:
        for at in range(0, len(audio), PIECE_BYTES):
            if cleared != self._cleared:
                return
            await self._transmit(audio[at : at + PIECE_BYTES])

    async def _raise_if_over(self) -> None:
        """Raise CallGone if the call ends within a moment. When nobody cleared speech that was not
        heard, usually the other side has hung up, and `stop` is about to say so.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANGING_UP_S):
                while not self._ended:
                    await self._news.wait()
        if self._ended:
            raise self._lost or self._call_gone()

    async def _own_mark(self) -> asyncio.Future[bool]:
        name = self._line.marks.own("play")
        heard = self._plays[name] = asyncio.get_running_loop().create_future()
        await self._set_mark(name)
        return heard

    async def _set_mark(self, name: str) -> None:
        await self._wait_connected()
        self._line.marks.set(name)
        await self._tell(type="mark", name=name)

    async def _tell(self, **message: Any) -> None:
        await self._transmit(json.dumps(message))

    async def _transmit(self, message: bytes | str) -> None:
        """Send a message; send it again on the next connection if this one breaks meanwhile."""
        while True:
            socket = await self._wait_connected()
            try:
                await socket.send(message)
            except ConnectionClosed:
                while self._socket is socket and not self._ended:
                    await self._news.wait()
            else:
                return

    async def _wait_connected(self) -> ClientConnection:
        while not self._ended:
            if self._socket is not None and self._line.started:
                return self._socket
            await self._news.wait()
        raise self._lost or self._call_gone()

    def _call_gone(self) -> CallGone:
        reason = self._line.stop.reason if self._line.stop else None
        return CallGone(self.call_id, why_over(reason), reason)

    # Receiving, and the connection.

    async def _keep_connected(self) -> None:
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

    def _connection_ended(self, task: asyncio.Task[None]) -> None:
        """End the audio when its task has ended, whatever went wrong, so that nobody waits for
        ever.
        """
        error = None if task.cancelled() else task.exception()
        self._end(AudioLost(f"a fault of this client: {error!r}") if error else None)

    async def _one_connection(self) -> tuple[int | None, str]:
        """Connect, and read until the connection is closed. Return the close code (None if it broke
        or was not made), and the reason.
        """
        # Later the relay may not have noticed yet that our own connection is gone.
        if_free = self._if_free and not self._line.ever_started
        try:
            socket = await opened(self._where, self.format, if_free=if_free)
        except NotConnected as failure:
            return failure.code, failure.why
        try:
            self._socket = socket
            while (heard := await message(socket, flows=lambda: self._line.started)) is not None:
                if self._line.received(heard):
                    self._probe()
                self._tell_news()
            socket.transport.abort()  # it hangs, and would not answer a CLOSE either
            return None, "the relay does not answer"
        except ConnectionClosed:
            pass
        finally:
            self._socket = None
            self._tell_news()
            await socket.close()
        return ending(socket)

    def _probe(self) -> None:
        """Send one more mark after a connection was lost. When it comes back, it shows which
        earlier marks came back unseen meanwhile.
        """
        if self._line.marks.out:
            probe = asyncio.create_task(self._set_mark(self._line.marks.own("probe")))
            self._probes.add(probe)
            probe.add_done_callback(self._probe_ended)

    def _probe_ended(self, probe: asyncio.Task[None]) -> None:
        self._probes.discard(probe)
        if not probe.cancelled():
            probe.exception()  # the call ended meanwhile: its error is of no interest

    def _mark_returned(self, mark: Mark) -> None:
        heard = self._plays.pop(mark.name, None)
        if heard is not None and not heard.done():
            heard.set_result(mark.played)

    def _end(self, lost: AudioLost | None = None) -> None:
        if self._ended:
            return
        self._ended, self._lost = True, lost
        for heard in self._plays.values():
            if not heard.done():
                heard.set_exception(lost or self._call_gone())
                heard.exception()  # marked as retrieved: maybe nobody waits for it
        self._plays.clear()
        self._tell_news()

    def _tell_news(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
