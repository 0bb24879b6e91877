"""Follow the account's events, and the calls that come in. No I/O.

Each event comes at least once: the cursor moves on only when the event after the last of a batch is
asked for. A program that saves `cursor` and hands it back after a crash gets the events again that
it had not finished.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

from chamade.decoding import decode
from chamade.errors import ApiError, Invalid, ServerError, Unreachable
from chamade.http.request import Flow, Request, Wait, back_off, every, perform
from chamade.models import Call, Event
from chamade.operations import Calls

log = logging.getLogger("chamade")

WAIT_S = 20
_SLACK_S = 15.0
_REMEMBERED = 1000


class Feed:
    """A reader of events, with its place among them.

    `after`: a cursor, `"latest"` for what happens from now on, or None for the oldest that is kept.
    """

    def __init__(self, after: str | None = None, wait_s: int = WAIT_S) -> None:
        self._begin, self._wait_s = after, wait_s
        self._waiting: deque[Event] = deque()
        self._next_cursor = after
        self.cursor = after
        """All events up to here have been handed out and handled."""

    def next(self) -> Flow[Event]:
        """Wait for the next event, however long it takes to come, over any outage. Raises ApiError
        if the API refuses us for good.
        """
        while not self._waiting:
            self.cursor = self._next_cursor
            yield from self._poll()
        return self._waiting.popleft()

    def begin(self) -> Flow[None]:
        """Fix the place of `"latest"` now."""
        if self.cursor == "latest":
            yield from self._poll(wait_s=0)

    def _poll(self, wait_s: int | None = None) -> Flow[None]:
        wait_s = self._wait_s if wait_s is None else wait_s
        query = {"after": self._next_cursor, "wait": wait_s}
        request = Request("GET", "/api/events", _batch, query, timeout_s=wait_s + _SLACK_S)
        tries = 0
        while True:
            try:
                events, cursor = yield from perform(request, attempts=1)
            except Invalid as refused:
                self._start_again(refused)
                return
            except (Unreachable, ApiError) as error:
                if not _passes(error):
                    raise
                tries += 1
                log.log(logging.WARNING if tries == 1 else logging.DEBUG, "events: %s", error)
                retry_after = getattr(error, "retry_after", None)
                yield Wait(back_off(tries) if retry_after is None else retry_after)
            else:
                break
        self._waiting.extend(events)
        self._next_cursor = cursor

    def _start_again(self, refused: Invalid) -> None:
        """Start from the beginning after a cursor that was good once is refused: the events were
        restored from a backup. Raises the refusal if the cursor was given to us: it may just be
        wrong.
        """
        if refused.code != "bad_cursor" or self._next_cursor == self._begin:
            raise refused
        log.warning("events: the cursor is not known any more, beginning anew")
        self._next_cursor = self._begin


class Doorbell:
    """The calls that come in: those that ring already, then each that begins to ring. Each comes
    once; `line`: a number of yours, None for all.
    """

    def __init__(self, line: str | None = None) -> None:
        self._line = line
        self._feed = Feed("latest")
        self._started = False
        self._ringing: deque[Call] = deque()
        self._known: OrderedDict[str, None] = OrderedDict()

    def begin(self) -> Flow[None]:
        """Miss no call from now on."""
        if not self._started:
            yield from self._feed.begin()
            self._ringing.extend((yield from self._new_calls("ringing")))
            self._started = True

    def answered(self) -> Flow[list[Call]]:
        """Return the calls that were answered before this program began; they do not come again.
        Those that are transferred have no agent any more.
        """
        yield from self.begin()
        calls = yield from self._new_calls("active")
        return [call for call in calls if not call.transferred]

    def next(self) -> Flow[Call]:
        """Wait for the next call."""
        yield from self.begin()
        while not self._ringing:
            event = yield from self._feed.next()
            if event.type == "call.ringing" and (call := event.call) is not None:
                self._ringing.extend(self._new([call]))
        return self._ringing.popleft()

    def _new_calls(self, state: str) -> Flow[list[Call]]:
        page_at = Calls.list.request(state=state, direction="inbound", page_size=100)
        return self._new(reversed((yield from every(page_at))))

    def _new(self, calls: Iterable[Call]) -> list[Call]:
        """Return those that come in on our line and have not come yet."""
        new = list[Call]()
        for call in calls:
            elsewhere = self._line is not None and call.line != self._line
            if call.direction == "inbound" and not elsewhere and call.call_id not in self._known:
                new.append(call)
                self._known[call.call_id] = None
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return new


def _batch(shown: dict[str, Any]) -> tuple[list[Event], str]:
    return [decode(Event, one) for one in shown["events"]], str(shown["cursor"])


def _passes(error: Unreachable | ApiError) -> bool:
    """Return whether waiting helps."""
    return isinstance(error, Unreachable | ServerError) or error.status == 429
