"""A live call with its audio, for asyncio; for threads it is in `blocking.py`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType

from chamade.audio.line import Format
from chamade.audio.socket import AsyncAudio
from chamade.errors import AudioLost, CallGone, ChamadeError, Conflict, NoAudio, NotFound
from chamade.feed import Doorbell, Feed
from chamade.http.shells import Awaiting
from chamade.models import Call, Event
from chamade.openings import Opening, accepting, by_text, lost, on_the_line
from chamade.operations import Calls
from chamade.operations.voices import VoiceOptions
from chamade.speech import settled
from chamade.spoken import AsyncSpoken

log = logging.getLogger("chamade")


class AsyncLiveCall(AsyncSpoken):
    """A call that `async with` dials or accepts, and hangs up at the end.

    `info` is the call as it was last fetched, `audio` its line, unless a hosted voice is on that
    (`say`, `transcript`); `resumed`: `serve` took it back after a restart. When the caller hangs
    up, methods that send raise CallGone, which ends the `async with` block without an error.
    """

    def __init__(
        self,
        shell: Awaiting,
        opening: Opening,
        line_format: Format,
        *,
        hang_up: bool = True,
        if_free: bool = False,
        resumed: bool = False,
        own_voice: bool = False,
    ) -> None:
        super().__init__()
        self._calls: Calls[Awaiting] = Calls(shell)
        self._shell, self._opening, self._format = shell, opening, line_format
        self._audio: AsyncAudio | None = None
        self._hangs_up, self._if_free, self.resumed = hang_up, if_free, resumed
        self._own_voice = own_voice

    @property
    def id(self) -> str:
        """Return the call's id."""
        return self.info.call_id

    @property
    def audio(self) -> AsyncAudio:
        """Return the call's line. Raises NoAudio if a hosted voice is on it."""
        if self._audio is None:
            raise NoAudio(self.id)
        return self._audio

    @property
    def end_reason(self) -> str | None:
        """Return why the call is over; None while it is not, or if nobody said."""
        stop = self._audio.stop if self._audio else None
        return stop.reason if stop else self.info.end_reason

    async def answered(self) -> bool:
        """Wait until somebody has answered and audio flows. Returns False if nobody did."""
        if self._audio is None:
            self.info = await self._shell.run(settled(self.id))
            return not self.info.over
        if await self._audio.started():
            return True
        if self._audio.stop is None:  # it was over before its audio connected: `stop` did not come
            await self.refresh()
        return False

    async def hang_up(self) -> None:
        """End the call, at once. To let the last words be heard, `play` them, or `say` them with
        `wait`.
        """
        try:
            self.info = await self._calls.leave(self.id)
        except Conflict as over:
            self.info = over.call or self.info
        except NotFound:
            return  # it is long over

    async def refresh(self) -> Call:
        """Fetch the call as it is now."""
        self.info = await self._calls.get(self.id)
        return self.info

    async def __aenter__(self) -> AsyncLiveCall:
        try:
            self.info = await self._shell.run(self._opening())
        except Conflict as conflict:
            raise (lost(conflict) if conflict.call else conflict) from None
        if self.info.hosted and not self._own_voice:
            self.info = await self._shell.run(by_text(self.info))
        else:
            self._audio = await on_the_line(self.info, self._format, if_free=self._if_free)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        try:
            if self._hangs_up and not self._left():
                await self.hang_up()
        except ChamadeError as trouble:
            # The call ends by itself, ten seconds after its agent has left the line.
            log.warning("%s: not hung up: %s", self.id, trouble)
        finally:
            if self._audio is not None:
                await self._audio.close()
        return isinstance(error, CallGone) and error.call_id == self.id

    def _left(self) -> bool:
        """Return whether there is nothing to hang up: the call is over, or another agent's."""
        if self._audio is None:
            return self.info.over
        return self._audio.stop is not None or self._audio.replaced


class AsyncRinging:
    """A ringing call that came in. `call` is its model."""

    def __init__(self, shell: Awaiting, call: Call) -> None:
        self._shell, self.call = shell, call

    def accept(
        self,
        format: str = "pcm_s16le",
        rate: int | None = None,
        *,
        voice: str | None = None,
        voice_settings: VoiceOptions | None = None,
    ) -> AsyncLiveCall:
        """Answer the call: `async with ringing.accept() as call:`. Raises CallGone if the call is
        gone. `format`: `pcm_s16le` (`rate` 8000, 16000 or 24000) or `mulaw` (8000). `voice`: `own`
        or `hosted`; usually as the number says.
        """
        opening = accepting(self.call, voice, voice_settings)
        own_voice, line_format = voice == "own", Format.wanted(format, rate)
        return AsyncLiveCall(self._shell, opening, line_format, own_voice=own_voice)

    async def refuse(self) -> Call:
        """Decline the call: the caller hears a busy tone. Raises CallGone if it does not ring any
        more.
        """
        try:
            return await Calls(self._shell).refuse(self.call.call_id)
        except Conflict as conflict:
            raise lost(conflict) from None


class AsyncEvents:
    """The account's events as they come: `async for event in events`. A later reader goes
    on after `cursor`: all events up to it were handed out and handled.
    """

    def __init__(self, shell: Awaiting, feed: Feed) -> None:
        self._shell, self._feed = shell, feed

    @property
    def cursor(self) -> str | None:
        """Return the cursor after the last event that was handled."""
        return self._feed.cursor

    async def begin(self) -> None:
        """Fix the place of "latest" now (otherwise at the first event asked for)."""
        await self._shell.run(self._feed.begin())

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        return await self._shell.run(self._feed.next())


class AsyncIncoming:
    """The calls that come in: `async for ringing in client.incoming()`."""

    def __init__(self, shell: Awaiting, bell: Doorbell) -> None:
        self._shell, self._bell = shell, bell

    async def begin(self) -> None:
        """Miss no call from now on (otherwise from the first one asked for)."""
        await self._shell.run(self._bell.begin())

    async def answered(self) -> list[Call]:
        """Return the calls that were answered before now."""
        return await self._shell.run(self._bell.answered())

    def __aiter__(self) -> AsyncIterator[AsyncRinging]:
        return self

    async def __anext__(self) -> AsyncRinging:
        return AsyncRinging(self._shell, await self._shell.run(self._bell.next()))


async def serve(
    incoming: AsyncIncoming,
    handler: Callable[[AsyncLiveCall], Awaitable[object]],
    accept: Callable[[AsyncRinging], AsyncLiveCall],
    take_back: Callable[[str], AsyncLiveCall] | None,
    at_once: int,
    ready: Callable[[], object] | None,
) -> None:
    """Hand each call that comes in to `handler`, up to `at_once` at a time; before them, with
    `take_back`, the calls that were answered and have no agent.
    """
    free, talks = asyncio.Semaphore(at_once), set[asyncio.Task[None]]()

    async def talk(call_id: str, live: AsyncLiveCall) -> None:
        try:
            async with live as call:
                await handler(call)
        except CallGone as gone:
            log.info("%s: %s", call_id, gone)
        except AudioLost as lost:
            log.warning("%s: %s", call_id, lost)
        except Exception:
            log.exception("%s: the handler failed", call_id)
        finally:
            free.release()

    def begin(call_id: str, live: AsyncLiveCall) -> None:
        task = asyncio.create_task(talk(call_id, live))
        talks.add(task)
        task.add_done_callback(talks.discard)

    try:
        await incoming.begin()
        if ready is not None:
            ready()
        if take_back is not None:
            for left in await incoming.answered():
                await free.acquire()
                begin(left.call_id, take_back(left.call_id))
        while True:
            await free.acquire()
            ringing = await incoming.__anext__()
            begin(ringing.call.call_id, accept(ringing))
    finally:
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
