"""The account's events, followed; and the calls that come in, which are some of them. No I/O.

At least once: the cursor moves on only when the event after the last of a batch is asked for. So
who keeps `cursor` and hands it back after a crash sees again what they had not finished with.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from typing import Any

from chamade.errors import ApiError, Invalid, ServerError, Unreachable
from chamade.http.request import Flow, Request, Wait, back_off, every, perform
from chamade.models import Call, Event, decode
from chamade.operations import Calls

log = logging.getLogger("chamade")

WAIT_S = 20
_SLACK_S = 15.0
_REMEMBERED = 1000


class Feed:
    """Where we are in the events.

    `after`: a cursor, `"latest"` for what happens from now on, or None for the oldest that is kept.
    """

    def __init__(self, after: str | None = None, wait_s: int = WAIT_S) -> None:
        self._begin, self._wait_s = after, wait_s
        self._waiting: deque[Event] = deque()
        self._behind_them = after
        self.cursor = after
        """Everything up to here has been handed out, and done with."""

    def next(self) -> Flow[Event]:
        """The next event, however long it takes to come, over any outage. ApiError if the API does
        not want us at all.
        """
        while not self._waiting:
            self.cursor = self._behind_them
            yield from self._poll()
        return self._waiting.popleft()

    def begin(self) -> Flow[None]:
        """Fixes where `"latest"` is, now."""
        if self.cursor == "latest":
            yield from self._poll(wait_s=0)

    def _poll(self, wait_s: int | None = None) -> Flow[None]:
        wait_s = self._wait_s if wait_s is None else wait_s
        query = {"after": self._behind_them, "wait": wait_s}
        request = Request("GET", "/api/events", _batch, query, timeout_s=wait_s + _SLACK_S)
        tries = 0
        while True:
            try:
                events, cursor = yield from perform(request, attempts=1)
            except Invalid as refused:
                self._start_again(refused)
                return
            except (Unreachable, ApiError) as trouble:
                if not _passes(trouble):
                    raise
                tries += 1
                log.log(logging.WARNING if tries == 1 else logging.DEBUG, "events: %s", trouble)
                asked = getattr(trouble, "retry_after", None)
                yield Wait(back_off(tries) if asked is None else asked)
            else:
                break
        self._waiting.extend(events)
        self._behind_them = cursor

    def _start_again(self, refused: Invalid) -> None:
        """A cursor that was good once is not any more: the events were restored from a backup, and
        begin anew. A cursor that was given to us may just be wrong.
        """
        if refused.code != "bad_cursor" or self._behind_them == self._begin:
            raise refused
        log.warning("events: the cursor is not known any more, beginning anew")
        self._behind_them = self._begin


class Doorbell:
    """The calls that come in: those that ring already, then each that begins to. Each once; on
    `line`, a number of yours, or on all of them.
    """

    def __init__(self, line: str | None = None) -> None:
        self._line = line
        self._feed = Feed("latest")
        self._begun = False
        self._ringing: deque[Call] = deque()
        self._seen: OrderedDict[str, None] = OrderedDict()

    def begin(self) -> Flow[None]:
        """From here on no call is missed."""
        if not self._begun:
            yield from self._feed.begin()
            page_at = Calls.list.request(state="ringing", direction="inbound", page_size=100)
            for call in reversed((yield from every(page_at))):
                self._rings(call)
            self._begun = True

    def next(self) -> Flow[Call]:
        """The next call."""
        yield from self.begin()
        while not self._ringing:
            event = yield from self._feed.next()
            if event.type == "call.ringing" and (call := event.call) is not None:
                self._rings(call)
        return self._ringing.popleft()

    def _rings(self, call: Call) -> None:
        elsewhere = self._line is not None and call.line != self._line
        if call.direction == "inbound" and not elsewhere and call.call_id not in self._seen:
            self._ringing.append(call)
            self._seen[call.call_id] = None
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)


def _batch(shown: dict[str, Any]) -> tuple[list[Event], str]:
    return [decode(Event, one) for one in shown["events"]], str(shown["cursor"])


def _passes(trouble: Unreachable | ApiError) -> bool:
    """Whether waiting helps."""
    return isinstance(trouble, Unreachable | ServerError) or trouble.status == 429
