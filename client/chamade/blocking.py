"""Calls and their audio for programs without asyncio; they wrap `live.py` and `AsyncAudio`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from chamade.audio.line import Format
from chamade.audio.messages import Heard, Stop
from chamade.audio.socket import AsyncAudio
from chamade.errors import AudioLost, CallGone, ChamadeError, Conflict, NotFound
from chamade.feed import Doorbell, Feed
from chamade.http.shells import Blocking
from chamade.live import Opening, accepting, lost, on_the_line
from chamade.models import Call, Event
from chamade.operations import Calls
from chamade.portal import Portal

log = logging.getLogger("chamade")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _blocking(
    method: Callable[Concatenate[AsyncAudio, Arguments], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate[Audio, Arguments], Result]:
    """Make a method that waits for the result of a method of the asyncio audio."""

    def wait(self: Audio, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return self._portal.run(method(self._audio, *args, **kwargs))

    wait.__doc__, wait.__name__ = method.__doc__, method.__name__
    return wait


class Audio:
    """Hear and speak on a call: `for frame in call.audio` hears. Like `AsyncAudio`, without
    await.
    """

    def __init__(self, portal: Portal, audio: AsyncAudio) -> None:
        self._portal, self._audio = portal, audio

    next = _blocking(AsyncAudio.next)
    started = _blocking(AsyncAudio.started)
    send = _blocking(AsyncAudio.send)
    clear = _blocking(AsyncAudio.clear)
    mark = _blocking(AsyncAudio.mark)
    dtmf = _blocking(AsyncAudio.dtmf)
    close = _blocking(AsyncAudio.close)

    def play(self, audio: bytes | str | Path) -> bool:
        """Play audio as `AsyncAudio.play` does."""
        return self._portal.run(self._audio.play(audio))

    def __iter__(self) -> Iterator[bytes]:
        return (item for item in self.messages() if isinstance(item, bytes))

    def messages(self) -> Iterator[Heard]:
        """Yield items as `AsyncAudio.messages` does."""
        while (item := self.next()) is not None:
            yield item

    def skip(self) -> None:
        """Discard audio as `AsyncAudio.skip` does."""
        self._portal.run(_soon(self._audio.skip))

    def on_dtmf(self, tell: Callable[[str], None]) -> None:
        """Call `tell(digit)`, in another thread, whenever the caller presses a key."""
        self._portal.run(_soon(self._audio.on_dtmf, tell))

    @property
    def format(self) -> Format:
        """Return the format of frames."""
        return self._audio.format

    @property
    def keys(self) -> str:
        """Return all the keys that the caller has pressed so far."""
        return self._audio.keys

    @property
    def stop(self) -> Stop | None:
        """Return how the call ended, once it has."""
        return self._audio.stop

    @property
    def replaced(self) -> bool:
        """Return whether another agent has taken the call's audio over."""
        return self._audio.replaced


async def _soon(do: Callable[..., None], *args: Any) -> None:
    do(*args)


class LiveCall:
    """A call that `with` dials or accepts, and hangs up at the end. Like `AsyncLiveCall`, without
    await.
    """

    info: Call
    audio: Audio

    def __init__(
        self,
        shell: Blocking,
        portal: Portal,
        opening: Opening,
        line_format: Format,
        *,
        hang_up: bool = True,
        if_free: bool = False,
        resumed: bool = False,
    ) -> None:
        self._calls: Calls[Blocking] = Calls(shell)
        self._shell, self._portal = shell, portal
        self._opening, self._format = opening, line_format
        self._hangs_up, self._if_free, self.resumed = hang_up, if_free, resumed

    @property
    def id(self) -> str:
        """Return the call's id."""
        return self.info.call_id

    @property
    def end_reason(self) -> str | None:
        """Return why the call is over; None while it is not, or if nobody said."""
        return self.audio.stop.reason if self.audio.stop else self.info.end_reason

    def answered(self) -> bool:
        """Wait until somebody has answered and audio flows. Returns False if nobody did."""
        if self.audio.started():
            return True
        if self.audio.stop is None:  # it was over before its audio connected: `stop` did not come
            self.refresh()
        return False

    def hang_up(self) -> None:
        """End the call, at once. To let the last words be heard, `play` them."""
        try:
            self.info = self._calls.leave(self.id)
        except Conflict as over:
            self.info = over.call or self.info
        except NotFound:
            return  # it is long over

    def refresh(self) -> Call:
        """Fetch the call as it is now."""
        self.info = self._calls.get(self.id)
        return self.info

    def __enter__(self) -> LiveCall:
        try:
            self.info = self._shell.run(self._opening())
        except Conflict as conflict:
            raise (lost(conflict) if conflict.call else conflict) from None
        opening = on_the_line(self.info, self._format, if_free=self._if_free)
        self.audio = Audio(self._portal, self._portal.run(opening))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        try:
            if self._hangs_up and self.audio.stop is None and not self.audio.replaced:
                self.hang_up()
        except ChamadeError as trouble:
            # The call ends by itself, ten seconds after its agent has left the line.
            log.warning("%s: not hung up: %s", self.id, trouble)
        finally:
            self.audio.close()
        return isinstance(error, CallGone) and error.call_id == self.id


class Ringing:
    """A ringing call that came in. `call` is its model."""

    def __init__(self, shell: Blocking, portal: Portal, call: Call) -> None:
        self._shell, self._portal, self.call = shell, portal, call

    def accept(self, format: str = "pcm_s16le", rate: int | None = None) -> LiveCall:
        """Answer the call: `with ringing.accept() as call:`. Raises CallGone if the call is gone.
        `format`: `pcm_s16le` (`rate` 8000, 16000 or 24000) or `mulaw` (8000).
        """
        line_format = Format.wanted(format, rate)
        return LiveCall(self._shell, self._portal, accepting(self.call), line_format)

    def refuse(self) -> Call:
        """Decline the call: the caller hears a busy tone. Raises CallGone if it does not ring any
        more.
        """
        try:
            return Calls(self._shell).refuse(self.call.call_id)
        except Conflict as conflict:
            raise lost(conflict) from None


class Events:
    """The account's events as they come: `for event in events`. A later reader goes on
    after `cursor`: all events up to it were handed out and handled.
    """

    def __init__(self, shell: Blocking, feed: Feed) -> None:
        self._shell, self._feed = shell, feed

    @property
    def cursor(self) -> str | None:
        """Return the cursor after the last event that was handled."""
        return self._feed.cursor

    def begin(self) -> None:
        """Fix the place of "latest" now (otherwise at the first event asked for)."""
        self._shell.run(self._feed.begin())

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        return self._shell.run(self._feed.next())


class Incoming:
    """The calls that come in: `for ringing in client.incoming()`."""

    def __init__(self, shell: Blocking, portal: Portal, bell: Doorbell) -> None:
        self._shell, self._portal, self._bell = shell, portal, bell

    def begin(self) -> None:
        """Miss no call from now on (otherwise from the first one asked for)."""
        self._shell.run(self._bell.begin())

    def answered(self) -> list[Call]:
        """Return the calls that were answered before now."""
        return self._shell.run(self._bell.answered())

    def __iter__(self) -> Iterator[Ringing]:
        return self

    def __next__(self) -> Ringing:
        return Ringing(self._shell, self._portal, self._shell.run(self._bell.next()))


def serve(
    incoming: Incoming,
    handler: Callable[[LiveCall], object],
    accept: Callable[[Ringing], LiveCall],
    take_back: Callable[[str], LiveCall] | None,
    at_once: int,
    ready: Callable[[], object] | None,
) -> None:
    """Hand each call that comes in to `handler` in a thread, up to `at_once` at a time; before
    them, with `take_back`, the calls that were answered and have no agent. Ends only by an
    exception, such as Ctrl-C; then the calls are hung up.
    """
    free, live = threading.Semaphore(at_once), set[LiveCall]()

    def talk(call_id: str, opening: LiveCall) -> None:
        try:
            with opening as call:
                live.add(call)
                try:
                    handler(call)
                finally:
                    live.discard(call)
        except CallGone as gone:
            log.info("%s: %s", call_id, gone)
        except AudioLost as lost:
            log.warning("%s: %s", call_id, lost)
        except Exception:
            log.exception("%s: the handler failed", call_id)
        finally:
            free.release()

    with ThreadPoolExecutor(at_once, "chamade-call") as threads:
        try:
            incoming.begin()
            if ready is not None:
                ready()
            if take_back is not None:
                for left in incoming.answered():
                    free.acquire()
                    threads.submit(talk, left.call_id, take_back(left.call_id))
            while True:
                free.acquire()
                ringing = next(incoming)
                threads.submit(talk, ringing.call.call_id, accept(ringing))
        finally:
            for call in list(live):
                call.hang_up()
