"""The calls of this relay process, each with its bridge, timer, reports and dials.

Here the bridges are connected to the event loop's clock and to the control client.
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
from relay.config import Config
from relay.core.admission import Admission
from relay.core.bridge import Bridge
from relay.core.closing_sockets import ClosingSockets
from relay.core.counters import Counters
from relay.core.interfaces import AgentAddress
from relay.core.who_answered import Found
from relay.network.agent_reports import AgentReports
from relay.network.clips import Clips
from relay.network.control import Answer, Control, NoAnswerError, RefusedError
from relay.network.facts_reports import FactsReports
from relay.network.key_reports import KeyReports
from relay.network.recording_uploads import RecordingUploads
from relay.protocol.agent import Sids
from relay.protocol.line import Line


class Socket(Protocol):
    """An open socket of a call."""

    transport: WSTransport

    def close(self, code: int, reason: str) -> None:
        """Send CLOSE."""
        ...


class StreamWatcher(Protocol):
    """Somebody who wants to know when a call's stream comes to this relay."""

    def stream_came(self) -> None:
        """Take note of it."""
        ...


Dial = Callable[["Calls", str, Bridge, AgentAddress], Awaitable[None]]
"""Connects to the agent of a call, which then joins the bridge. DialError."""
ConnectPeer = Callable[["Calls", str, Bridge, Line], Awaitable[bool]]
"""Connects a call with the other one of its bridge. Returns False if that is not possible now."""


class DialError(Exception):
    """An agent that was dialled cannot be reached.

    `code` is the reason in a word. The text goes on from "The agent was not reached: …" and says
    what to do, without the URL, which may hold a token. `final`: every other attempt would fail,
    too.
    """

    def __init__(self, code: str, detail: str, *, final: bool = False) -> None:
        super().__init__(detail)
        self.code, self.final = code, final


class Calls:
    """All calls that have a leg at this relay, or wait for one to come back."""

    def __init__(
        self,
        control: Control,
        config: Config,
        counters: Counters,
        dial: Dial,
        connect_peer: ConnectPeer,
    ) -> None:
        self.control = control
        self.dial, self.connect_peer = dial, connect_peer
        self.timeouts = config.timeouts
        self.counters = counters
        self.empty = asyncio.Event()
        self.empty.set()
        self.ending = asyncio.Event()
        """Set when the relay ends."""
        self.legs: set[Socket] = set()
        """Sockets that are open, admitted or not."""
        self.admission = Admission(
            agents=config.max_waiting,
            providers=config.max_waiting_providers,
            agents_per_address=config.max_waiting_address,
        )
        self.closing = ClosingSockets(asyncio.get_running_loop().call_later)
        self.tasks: set[asyncio.Task[None]] = set()
        """Reports and dials that are under way, also of calls that are forgotten."""
        self.pipes: dict[str, set[StreamWatcher]] = {}
        """The pipes of agents whose calls other relays hold, by call."""
        self.socket_numbers = itertools.count(1)
        """Numbers of the sockets, in the order in which they connect."""
        self.clips = Clips(control.fetch_clip)
        self._calls: dict[str, _Call] = {}

    def __contains__(self, call_id: str | None) -> bool:
        return call_id in self._calls

    def bridge(self, answer: Answer) -> Bridge:
        """Return the bridge of the call in an attach's answer; a new one if there is none yet."""
        call = self._calls.get(answer.call_id)
        if call is None:
            call = self._calls[answer.call_id] = _Call(answer.call_id, self)
            call.bridge.set_agent_detail(answer.agent_detail or "")
            self._count()
        call.take(answer, time.monotonic())
        return call.bridge

    def held(self, call_id: str) -> Bridge | None:
        """Return the bridge of a call that is here, or None."""
        call = self._calls.get(call_id)
        return None if call is None else call.bridge

    def changed(self, answer: Answer) -> None:
        """Follow what the application says about a call without being asked, if it is here."""
        call = self._calls.get(answer.call_id)
        if call is not None:
            call.follow(answer)

    def close(self, code: int, reason: str) -> None:
        """Close every leg of every call, without a report about its state."""
        self.ending.set()
        for call in list(self._calls.values()):
            call.bridge.close(code, reason)

    def forget(self, call: _Call) -> None:
        """Remove a call that has nothing left to do here."""
        if self._calls.get(call.call_id) is call:
            del self._calls[call.call_id]
            self._count()

    def stream_came(self, call_id: str) -> None:
        """Tell the pipes of a call that its stream has come to this relay."""
        for pipe in tuple(self.pipes.get(call_id, ())):
            pipe.stream_came()

    def _count(self) -> None:
        self.counters.calls = len(self._calls)
        if self._calls:
            self.empty.clear()
        else:
            self.empty.set()


class _Call:
    """One call: its bridge, and the actions that the bridge asks for."""

    def __init__(self, call_id: str, calls: Calls) -> None:
        self.call_id = call_id
        self._calls = calls
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._dial_task: asyncio.Task[None] | None = None
        self._peer_task: asyncio.Task[None] | None = None
        send = partial(calls.control.report_keys, call_id)
        self.pressed = KeyReports(call_id, send, spawn=self._spawn).press
        self.tell_of_agent = AgentReports(self._report_agent, spawn=self._spawn).tell
        uploads = RecordingUploads(call_id, calls.control, calls.counters, self._spawn)
        self.recorded, self.recording_over = uploads.add, uploads.add_over
        self.bridge = Bridge(self, calls.timeouts, calls.counters)
        self._facts = FactsReports(
            call_id,
            self.bridge.quality,
            calls.control.report_facts,
            spawn=self._spawn,
            hurry=calls.ending,
        )

    def take(self, answer: Answer, now: float) -> None:
        """Take the application's answer to an attach."""
        self._facts.begin()
        if answer.account_sid and answer.provider_call_id:
            self.bridge.set_sids(Sids(answer.account_sid, answer.provider_call_id))
        self.bridge.set_agent_address(answer.agent)
        self.bridge.update(answer.call, _ends_at(answer), now)
        self.bridge.follow_line(answer.line, now)
        self._record(answer, now)
        self.bridge.detect(answer.detect, now)

    def follow(self, answer: Answer, kind: str | None = None) -> None:
        """Follow what the application says: the answer to a report of this kind, or unasked."""
        bridge, ends_at, now = self.bridge, _ends_at(answer), time.monotonic()
        if bridge.over:
            return
        if answer.agent is not None:
            bridge.set_agent_address(answer.agent)
        bridge.follow_line(answer.line, now)
        self._record(answer, now)
        bridge.detect(answer.detect, now)
        if kind is None:
            bridge.update(answer.call, ends_at, now)
        else:
            bridge.answered(kind, answer.call, ends_at, now)
        if bridge.over:
            reason = answer.call.get("end_reason")
            logs.info("call over", call_id=self.call_id, state=answer.state, reason=reason)

    def _record(self, answer: Answer, now: float) -> None:
        if answer.recording is not None:
            began = now + answer.recording.since_ms / 1000 - time.time()
            self.bridge.record(answer.recording, began, now)

    def wake_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay = max(0.0, at - time.monotonic())
        self._timer = self._loop.call_later(delay, self._wake)

    def report(self, kind: str, why: str | None = None) -> None:
        if kind != "watch":
            logs.info("report", call_id=self.call_id, type=kind, why=why or None)
        self._spawn(self._report_or_retry(kind, why))

    def dial(self, agent: AgentAddress) -> None:
        self._dial_task = self._spawn(self._dial(agent))

    def fetch_clip(self, clip_id: str) -> None:
        self._spawn(self._fetch_clip(clip_id))

    def connect_peer(self, line: Line) -> None:
        self._peer_task = self._spawn(self._connect_peer(line))

    def bridged(self, number: int) -> None:
        logs.info("bridged", call_id=self.call_id, line=number)
        self._spawn(self._report_bridged(number))

    def answer_found(self, found: Found) -> None:
        logs.info("answered", call_id=self.call_id, found=found.by, at_ms=found.at_ms)
        self._spawn(self._report_answer(found))

    def forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._dial_task is not None:
            self._dial_task.cancel()
        if self._peer_task is not None:
            self._peer_task.cancel()
        self._facts.end()
        self._calls.forget(self)

    def _wake(self) -> None:
        self.bridge.tick(time.monotonic())

    def _spawn(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(job)
        self._calls.tasks.add(task)
        task.add_done_callback(self._calls.tasks.discard)
        return task

    async def _dial(self, agent: AgentAddress) -> None:
        host = urlsplit(agent.url).netloc.rpartition("@")[2]
        try:
            await self._calls.dial(self._calls, self.call_id, self.bridge, agent)
        except DialError as error:
            self._calls.counters.unreached[error.code] += 1
            logs.warning("agent not reached", call_id=self.call_id, host=host, why=str(error))
            self.bridge.dial_failed(str(error), time.monotonic(), final=error.final)
        else:
            logs.info("agent dialled", call_id=self.call_id, host=host)

    async def _fetch_clip(self, clip_id: str) -> None:
        ulaw: bytes | None = None
        try:
            ulaw = await self._calls.clips.get(self.call_id, clip_id)
        except (RefusedError, NoAnswerError) as error:
            logs.warning("no clip; music is played", call_id=self.call_id, why=str(error))
        self.bridge.line.clip_fetched(clip_id, ulaw, time.monotonic())

    async def _connect_peer(self, line: Line) -> None:
        if not await self._calls.connect_peer(self._calls, self.call_id, self.bridge, line):
            self.bridge.peer.unreached(time.monotonic())

    async def _report_bridged(self, number: int) -> None:
        try:
            self.follow(await self._calls.control.report_bridged(self.call_id, number))
        except (RefusedError, NoAnswerError) as error:
            logs.warning("not reported as bridged", call_id=self.call_id, why=str(error))

    async def _report_answer(self, found: Found) -> None:
        try:
            self.follow(await self._calls.control.report_answer(self.call_id, found))
        except (RefusedError, NoAnswerError) as error:
            logs.warning("answer not reported", call_id=self.call_id, why=str(error))

    async def _report_or_retry(self, kind: str, why: str | None) -> None:
        if not await self._report(kind, why):
            self.bridge.unanswered(kind, time.monotonic())

    async def _report_agent(self, why: str) -> bool:
        """Report why the agent was not reached. Return False if it is to be reported again."""
        return self.bridge.over or await self._report("watch", why)

    async def _report(self, kind: str, detail: str | None) -> bool:
        """Send a report and follow its answer. Return False if there was none."""
        answer, why = None, ""
        try:
            answer = await self._calls.control.report(self.call_id, kind, detail)
        except RefusedError as error:
            why = error.code or str(error.status)
            if why == "owned_elsewhere":
                self.bridge.hand_over(error.relay_url)
                return True
            if error.call is not None:
                answer = Answer(call=error.call)
        except NoAnswerError as error:
            why = str(error)
        except Exception as error:
            logs.exception("report failed", call_id=self.call_id, type=kind)
            why = type(error).__name__
        if answer is None:
            self._calls.counters.unanswered += 1
            logs.warning("no answer", call_id=self.call_id, type=kind, why=why)
            return False
        self.follow(answer, kind)
        return True


def _ends_at(answer: Answer) -> float | None:
    """Return `ends_at_ms`, which is on the wall clock, on the monotonic clock."""
    if answer.ends_at_ms is None:
        return None
    return time.monotonic() + answer.ends_at_ms / 1000 - time.time()
