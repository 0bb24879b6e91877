"""Calls and their audio for programs without asyncio; they wrap `live.py` and `AsyncAudio`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from chamade.audio.blocking import Audio
from chamade.audio.line import Format
from chamade.errors import AudioLost, CallGone, ChamadeError, Conflict, NoAudio, NotFound
from chamade.feed import Doorbell, Feed
from chamade.http.shells import Blocking
from chamade.models import Call, Event
from chamade.openings import Opening, accepting, by_text, lost, on_the_line
from chamade.operations import Calls
from chamade.operations.voices import VoiceOptions
from chamade.portal import Portal
from chamade.speech import settled
from chamade.spoken import Spoken

log = logging.getLogger("chamade")


class LiveCall(Spoken):
    """A call that `with` dials or accepts, and hangs up at the end. Like `AsyncLiveCall`, without
    await.
    """

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
        own_voice: bool = False,
    ) -> None:
        super().__init__()
        self._calls: Calls[Blocking] = Calls(shell)
        self._shell, self._portal = shell, portal
        self._opening, self._format = opening, line_format
        self._audio: Audio | None = None
        self._hangs_up, self._if_free, self.resumed = hang_up, if_free, resumed
        self._own_voice = own_voice

    @property
    def id(self) -> str:
        """Return the call's id."""
        return self.info.call_id

    @property
    def audio(self) -> Audio:
        """Return the call's line. Raises NoAudio if a hosted voice is on it."""
        if self._audio is None:
            raise NoAudio(self.id)
        return self._audio

    @property
    def end_reason(self) -> str | None:
        """Return why the call is over; None while it is not, or if nobody said."""
        stop = self._audio.stop if self._audio else None
        return stop.reason if stop else self.info.end_reason

    def answered(self) -> bool:
        """Wait until somebody has answered and audio flows. Returns False if nobody did."""
        if self._audio is None:
            self.info = self._shell.run(settled(self.id))
            return not self.info.over
        if self._audio.started():
            return True
        if self._audio.stop is None:  # it was over before its audio connected: `stop` did not come
            self.refresh()
        return False

    def hang_up(self) -> None:
        """End the call, at once. To let the last words be heard, `play` them, or `say` them with
        `wait`.
        """
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
        if self.info.hosted and not self._own_voice:
            self.info = self._shell.run(by_text(self.info))
        else:
            opening = on_the_line(self.info, self._format, if_free=self._if_free)
            self._audio = Audio(self._portal, self._portal.run(opening))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        try:
            if self._hangs_up and not self._left():
                self.hang_up()
        except ChamadeError as trouble:
            # The call ends by itself, ten seconds after its agent has left the line.
            log.warning("%s: not hung up: %s", self.id, trouble)
        finally:
            if self._audio is not None:
                self._audio.close()
        return isinstance(error, CallGone) and error.call_id == self.id

    def _left(self) -> bool:
        """Return whether there is nothing to hang up: the call is over, or another agent's."""
        if self._audio is None:
            return self.info.over
        return self._audio.stop is not None or self._audio.replaced


class Ringing:
    """A ringing call that came in. `call` is its model."""

    def __init__(self, shell: Blocking, portal: Portal, call: Call) -> None:
        self._shell, self._portal, self.call = shell, portal, call

    def accept(
        self,
        format: str = "pcm_s16le",
        rate: int | None = None,
        *,
        voice: str | None = None,
        voice_settings: VoiceOptions | None = None,
    ) -> LiveCall:
        """Answer the call: `with ringing.accept() as call:`. Raises CallGone if the call is gone.
        `format`: `pcm_s16le` (`rate` 8000, 16000 or 24000) or `mulaw` (8000). `voice`: `own` or
        `hosted`; usually as the number says.
        """
        opening = accepting(self.call, voice, voice_settings)
        own_voice, line_format = voice == "own", Format.wanted(format, rate)
        return LiveCall(self._shell, self._portal, opening, line_format, own_voice=own_voice)

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
