"""The calls of this relay process: which bridge for which call, its timer, its reports.

Here the sans-I/O bridges meet the event loop's clock and the control client. No sockets.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from picows import WSTransport

from relay import logs
from relay.bridge import Bridge
from relay.config import Graces
from relay.control import Answer, Control, RefusedError, UnreachableError
from relay.keys import Keys
from relay.metrics import Counters
from relay.ports import AgentAddress
from relay.wire.agent import Sids


class Socket(Protocol):
    """An open socket."""

    transport: WSTransport

    def close(self, code: int, reason: str) -> None:
        """Close it."""
        ...


Dial = Callable[["Calls", str, Bridge, AgentAddress], Awaitable[None]]
"""Opens a connection to the agent of a call, which then joins the bridge. UnreachedError."""


class UnreachedError(Exception):
    """An agent that was dialled cannot be reached. `code`: why, in a word; the text: in a few,
    without the URL, which may hold a token. `final`: every other attempt would end the same.
    """

    def __init__(self, code: str, detail: str, *, final: bool = False) -> None:
        super().__init__(detail)
        self.code, self.final = code, final


class Calls:
    """All calls that have a leg here, or wait for one to come back."""

    def __init__(self, control: Control, graces: Graces, counters: Counters, dial: Dial) -> None:
        self.control = control
        self.dial = dial
        self.graces = graces
        self.counters = counters
        self.empty = asyncio.Event()
        self.empty.set()
        self.legs: set[Socket] = set()
        """Sockets that are open, let in or not."""
        self.waiting: set[Socket] = set()
        """Those of them that are not a leg of a call, or not yet."""
        self.numbers = itertools.count(1)
        """For sockets, in the order in which they connect."""
        self._calls: dict[str, _Call] = {}

    def __contains__(self, call_id: str | None) -> bool:
        return call_id in self._calls

    def bridge(self, answer: Answer) -> Bridge:
        """The bridge of the call that an attach was granted for, made if need be."""
        call = self._calls.get(answer.call_id)
        if call is None:
            call = self._calls[answer.call_id] = _Call(answer.call_id, self)
            self._count()
        call.take(answer, time.monotonic())
        return call.bridge

    def shut(self, code: int, reason: str) -> None:
        """Close every leg of every call; the application is told nothing."""
        for call in list(self._calls.values()):
            call.bridge.shut(code, reason)

    def forget(self, call: _Call) -> None:
        """A call has nothing left to do here."""
        if self._calls.get(call.call_id) is call:
            del self._calls[call.call_id]
            self._count()

    def _count(self) -> None:
        self.counters.calls = len(self._calls)
        if self._calls:
            self.empty.clear()
        else:
            self.empty.set()


class _Call:
    """The `Port` of one bridge."""

    def __init__(self, call_id: str, calls: Calls) -> None:
        self.call_id = call_id
        self._calls = calls
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._dialling: asyncio.Task[None] | None = None
        self._keys = Keys(call_id, partial(calls.control.report_keys, call_id))
        self.pressed = self._keys.press
        self.bridge = Bridge(self, calls.graces, calls.counters)

    def take(self, answer: Answer, now: float) -> None:
        """What the application said when a socket was let in."""
        if answer.account_sid and answer.provider_call_id:
            self.bridge.known_as(Sids(answer.account_sid, answer.provider_call_id))
        self.bridge.agent_at(answer.agent)
        self.bridge.update(answer.call, _ends_at(answer), now)

    def wake_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay = max(0.0, at - time.monotonic())
        self._timer = self._loop.call_later(delay, self._wake)

    def report(self, kind: str, why: str = "") -> None:
        if kind != "watch":
            logs.info("report", call_id=self.call_id, type=kind, why=why or None)
        self._begin(self._report(kind, why))

    def dial(self, agent: AgentAddress) -> None:
        self._dialling = self._begin(self._dial(agent))

    def forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._dialling is not None:
            self._dialling.cancel()
        self._calls.forget(self)

    def _wake(self) -> None:
        self.bridge.tick(time.monotonic())

    def _begin(self, what: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _dial(self, agent: AgentAddress) -> None:
        where = urlsplit(agent.url).netloc.rpartition("@")[2]
        try:
            await self._calls.dial(self._calls, self.call_id, self.bridge, agent)
        except UnreachedError as error:
            self._calls.counters.unreached[error.code] += 1
            logs.warning("agent not reached", call_id=self.call_id, host=where, why=str(error))
            self.bridge.agent_unreached(str(error), time.monotonic(), final=error.final)
        else:
            logs.info("agent dialled", call_id=self.call_id, host=where)

    async def _report(self, kind: str, said: str) -> None:
        answer, why = None, ""
        try:
            answer = await self._calls.control.report(self.call_id, kind, said)
        except RefusedError as error:
            why = error.code or str(error.status)
            if why == "owned_elsewhere":
                self.bridge.give_away(error.relay_url)
                return
            if error.call is not None:
                answer = Answer(call=error.call)
        except UnreachableError as error:
            why = str(error)
        except Exception as error:
            logs.exception("report failed", call_id=self.call_id, type=kind)
            why = type(error).__name__
        now = time.monotonic()
        if answer is None:
            self._calls.counters.unanswered += 1
            logs.warning("no answer", call_id=self.call_id, type=kind, why=why)
            self.bridge.unanswered(kind, now)
            return
        was_over = self.bridge.over
        if answer.agent is not None:
            self.bridge.agent_at(answer.agent)
        self.bridge.answered(kind, answer.call, _ends_at(answer), now)
        if self.bridge.over and not was_over:
            reason = answer.call.get("end_reason")
            logs.info("call over", call_id=self.call_id, state=answer.state, reason=reason)


def _ends_at(answer: Answer) -> float | None:
    """`ends_at_ms` of the application's wall clock, on our monotonic one."""
    if answer.ends_at_ms is None:
        return None
    return time.monotonic() + answer.ends_at_ms / 1000 - time.time()
