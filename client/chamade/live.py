"""A live call with its audio, for asyncio; for threads it is in `blocking.py`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import TypeAlias

from chamade.audio.line import GRACE_S, Format
from chamade.audio.socket import AsyncAudio
from chamade.endings import why_over
from chamade.errors import AudioLost, CallGone, ChamadeError, Conflict, NotFound
from chamade.feed import Doorbell, Feed
from chamade.http.request import Flow, perform
from chamade.http.shells import Awaiting
from chamade.models import Call, Event
from chamade.operations import Calls

log = logging.getLogger("chamade")

Opening: TypeAlias = Callable[[], Flow[Call]]
"""The beginning of a live call: a dial, an answer, or a look at a call that exists."""


async def on_the_line(call: Call, line_format: Format, *, if_free: bool = False) -> AsyncAudio:
    """Open the call's audio. Raises CallGone if the call is over. With `if_free` it waits until
    audio flows, and raises CallGone, too, if another agent has the call.
    """
    if call.audio is None:
        raise CallGone(call.call_id, why_over(call.end_reason), call.end_reason)
    audio = AsyncAudio(call.call_id, call.audio, line_format, if_free=if_free)
    if if_free:
        try:
            await _found_free(audio)
        except BaseException:
            await audio.close()
            raise
    return audio


async def _found_free(audio: AsyncAudio) -> None:
    """Wait until audio flows. Raises CallGone if it does not, however that comes."""
    reason, why = None, f"its audio did not come within {GRACE_S:g} s"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE_S):
            if await audio.started():
                return
            reason = audio.stop.reason if audio.stop else None
            why = "another agent has the call" if audio.replaced else why_over(reason)
    raise CallGone(audio.call_id, why, reason)


def lost(conflict: Conflict) -> CallGone:
    """Make the error of a lost race for a call."""
    call = conflict.call
    return CallGone(
        call.call_id if call else "", conflict.detail, call.end_reason if call else None
    )


def accepting(call: Call) -> Opening:
    """Return the opening that answers a call that came in. A call with auto-answer is answered
    already.
    """
    operation = Calls.get if call.auto_answer else Calls.accept
    return partial(perform, operation.request(call.call_id))


def taking_back(call_id: str) -> Opening:
    """Return the opening of a call that was answered before a restart. It raises CallGone if there
    is no such call any more.
    """

    def look() -> Flow[Call]:
        try:
            return (yield from perform(Calls.get.request(call_id)))
        except NotFound as gone:
            raise CallGone(call_id, gone.detail) from None

    return look


class AsyncLiveCall:
    """A call that `async with` dials or accepts, and hangs up at the end.

    `info` is the call as it was last fetched, `audio` its line; `resumed`: `serve` took it back
    after a restart. When the caller hangs up, methods that send raise CallGone, which ends the
    `async with` block without an error.
    """

    info: Call
    audio: AsyncAudio

    def __init__(
        self,
        shell: Awaiting,
        opening: Opening,
        line_format: Format,
        *,
        hang_up: bool = True,
        if_free: bool = False,
        resumed: bool = False,
    ) -> None:
        self._calls: Calls[Awaiting] = Calls(shell)
        self._shell, self._opening, self._format = shell, opening, line_format
        self._hangs_up, self._if_free, self.resumed = hang_up, if_free, resumed

    @property
    def id(self) -> str:
        """Return the call's id."""
        return self.info.call_id

    @property
    def end_reason(self) -> str | None:
        """Return why the call is over; None while it is not, or if nobody said."""
        return self.audio.stop.reason if self.audio.stop else self.info.end_reason

    async def answered(self) -> bool:
        """Wait until somebody has answered and audio flows. Returns False if nobody did."""
        if await self.audio.started():
            return True
        if self.audio.stop is None:  # it was over before its audio connected: `stop` did not come
            await self.refresh()
        return False

    async def hang_up(self) -> None:
        """End the call, at once. To let the last words be heard, `play` them."""
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
        self.audio = await on_the_line(self.info, self._format, if_free=self._if_free)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        try:
            if self._hangs_up and self.audio.stop is None and not self.audio.replaced:
                await self.hang_up()
        except ChamadeError as trouble:
            # The call ends by itself, ten seconds after its agent has left the line.
            log.warning("%s: not hung up: %s", self.id, trouble)
        finally:
            await self.audio.close()
        return isinstance(error, CallGone) and error.call_id == self.id


class AsyncRinging:
    """A ringing call that came in. `call` is its model."""

    def __init__(self, shell: Awaiting, call: Call) -> None:
        self._shell, self.call = shell, call

    def accept(self, format: str = "pcm_s16le", rate: int | None = None) -> AsyncLiveCall:
        """Answer the call: `async with ringing.accept() as call:`. Raises CallGone if the call is
        gone. `format`: `pcm_s16le` (`rate` 8000, 16000 or 24000) or `mulaw` (8000).
        """
        return AsyncLiveCall(self._shell, accepting(self.call), Format.wanted(format, rate))

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
