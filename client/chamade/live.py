"""A call that is going on, with its audio: for asyncio here, for threads in `blocking.py`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType

from chamade.audio.line import Format
from chamade.audio.socket import AsyncAudio
from chamade.errors import CallGone, ChamadeError, Conflict, NotFound
from chamade.feed import Doorbell, Feed
from chamade.http.request import Request
from chamade.http.shells import Awaiting
from chamade.models import Call, Event
from chamade.operations import Calls

log = logging.getLogger("chamade")


async def on_the_line(call: Call, line_format: Format) -> AsyncAudio:
    """The call's audio, opened. CallGone if the call is over."""
    if call.audio is None:
        why = f"the call is over: {call.end_reason or call.state}"
        raise CallGone(call.call_id, why, call.end_reason)
    return AsyncAudio(call.call_id, call.audio, line_format)


def lost(conflict: Conflict) -> CallGone:
    """A race for a call that somebody else won."""
    call = conflict.call
    return CallGone(
        call.call_id if call else "", conflict.detail, call.end_reason if call else None
    )


def accepting(call: Call) -> Request[Call]:
    """What answers a call that came in. One with auto-answer answers itself."""
    asked = Calls.get if call.auto_answer else Calls.accept
    return asked.request(call.call_id)


class AsyncLiveCall:
    """A call of ours, from `async with` on: dialled or accepted there, and hung up at the end.

    `info` is the call as it was last seen, `audio` its line. When the caller hangs up, whatever is
    still being said raises CallGone, which quietly ends the `async with` block.
    """

    info: Call
    audio: AsyncAudio

    def __init__(
        self, shell: Awaiting, opening: Request[Call], line_format: Format, *, hang_up: bool = True
    ) -> None:
        self._calls: Calls[Awaiting] = Calls(shell)
        self._shell, self._opening, self._format = shell, opening, line_format
        self._hangs_up = hang_up

    @property
    def id(self) -> str:
        """The call's id."""
        return self.info.call_id

    @property
    def end_reason(self) -> str | None:
        """Why it is over; None while it is not, or nobody said."""
        return self.audio.stop.reason if self.audio.stop else self.info.end_reason

    async def answered(self) -> bool:
        """Waits until somebody has answered and audio flows. False if nobody did."""
        return await self.audio.started()

    async def hang_up(self) -> None:
        """Ends the call, at once. To let the last words be heard, `play` them."""
        try:
            self.info = await self._calls.leave(self.id)
        except (Conflict, NotFound):
            return  # it is over

    async def refresh(self) -> Call:
        """The call as it is."""
        self.info = await self._calls.get(self.id)
        return self.info

    async def __aenter__(self) -> AsyncLiveCall:
        try:
            self.info = await self._shell.ask(self._opening)
        except Conflict as conflict:
            raise (lost(conflict) if conflict.call else conflict) from None
        self.audio = await on_the_line(self.info, self._format)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        try:
            if self._hangs_up and self.audio.stop is None:
                await self.hang_up()
        except ChamadeError as trouble:
            # The call ends by itself, ten seconds after its agent has left the line.
            log.warning("%s: not hung up: %s", self.id, trouble)
        finally:
            await self.audio.close()
        return isinstance(error, CallGone) and error.call_id == self.id


class AsyncRinging:
    """A call that came in, and rings. `call` is what is known of it."""

    def __init__(self, shell: Awaiting, call: Call) -> None:
        self._shell, self.call = shell, call

    def accept(self, format: str = "pcm_s16le", rate: int | None = None) -> AsyncLiveCall:
        """`async with ringing.accept() as call:` answers it. CallGone if it cannot be had any more.
        `format`: `pcm_s16le` (`rate` 8000, 16000 or 24000) or `mulaw` (8000).
        """
        return AsyncLiveCall(self._shell, accepting(self.call), Format.wanted(format, rate))

    async def refuse(self) -> Call:
        """Declines it: the caller hears a busy tone. CallGone if it does not ring any more."""
        try:
            return await Calls(self._shell).refuse(self.call.call_id)
        except Conflict as conflict:
            raise lost(conflict) from None


class AsyncEvents:
    """The account's events as they come: `async for event in events`. `cursor` is what to begin
    after, the next time: all before it were handed out and done with.
    """

    def __init__(self, shell: Awaiting, feed: Feed) -> None:
        self._shell, self._feed = shell, feed

    @property
    def cursor(self) -> str | None:
        """Where the events that were done with end."""
        return self._feed.cursor

    async def begin(self) -> None:
        """Fixes where "latest" is, now (otherwise with the first event asked for)."""
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
        """From here on no call is missed (otherwise from the first one asked for)."""
        await self._shell.run(self._bell.begin())

    def __aiter__(self) -> AsyncIterator[AsyncRinging]:
        return self

    async def __anext__(self) -> AsyncRinging:
        return AsyncRinging(self._shell, await self._shell.run(self._bell.next()))


async def serve(
    incoming: AsyncIncoming,
    handler: Callable[[AsyncLiveCall], Awaitable[object]],
    accept: Callable[[AsyncRinging], AsyncLiveCall],
    at_once: int,
    ready: Callable[[], object] | None,
) -> None:
    """Each call that comes in, accepted and handed to `handler`, up to `at_once` at a time."""
    free, talks = asyncio.Semaphore(at_once), set[asyncio.Task[None]]()

    async def talk(ringing: AsyncRinging) -> None:
        try:
            async with accept(ringing) as call:
                await handler(call)
        except CallGone as gone:
            log.info("%s: %s", ringing.call.call_id, gone)
        except Exception:
            log.exception("%s: the handler failed", ringing.call.call_id)
        finally:
            free.release()

    try:
        await incoming.begin()
        if ready is not None:
            ready()
        while True:
            await free.acquire()
            task = asyncio.create_task(talk(await incoming.__anext__()))
            talks.add(task)
            task.add_done_callback(talks.discard)
    finally:
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
