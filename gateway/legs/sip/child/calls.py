"""The calls of a child: the stack's events become the gateway's, its commands the stack's."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from baresip import BaresipError, Call, CallState, Event, Runtime, StackEvent
from baresip.errors import split_status

from gateway.legs.sip.child import native
from gateway.legs.sip.child.agents import Agents, TrunkAccount
from gateway.legs.sip.child.audio import AudioClock
from gateway.legs.sip.child.early import EarlyEvents

log = logging.getLogger(__name__)

Tell = Callable[..., None]

_HANDLES = 850
"""Agents and calls after which no more are dialled: a call that the stack has no handle for (it has
1,023) goes out all the same, and nobody could hang it up."""

_KEYS = 64
"""Keys of one call that may wait to be pressed."""

_FORBIDDEN, _TIMED_OUT, _NOT_REACHED = 403, 408, 503
_STATS = (
    "rx_packets", "tx_packets", "rx_lost", "tx_lost", "rx_jitter_ms", "tx_jitter_ms", "rtt_ms",
    "jbuf_late", "jbuf_lost", "audio_tx_starved_frames", "audio_rx_dropped_bytes",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Dialled:
    """A call that goes out and has not rung yet."""

    trunk: TrunkAccount
    agents: Agents
    to: str
    caller_id: str
    call_sid: str
    by_account: bool

    @property
    def user(self) -> str:
        """Who stands in From: the number that calls, or the account."""
        return self.trunk.username if self.by_account else self.caller_id

    @property
    def headers(self) -> dict[str, str]:
        """What goes beside the standard headers."""
        return {
            "P-Asserted-Identity": f"<sip:{self.caller_id}@{self.trunk.domain}>",
            "X-Call-Sid": self.call_sid,
        }


class Calls:
    """By number. `tell(on=…, call=…)` sends an event to the gateway."""

    def __init__(self, runtime: Runtime, tell: Tell, clock: AudioClock) -> None:
        self._tell = tell
        self._clock = clock
        self._stack = native.StackThread(runtime)
        self._early = EarlyEvents(runtime)
        self._calls: dict[int, Call] = {}
        self._dialled: dict[int, Dialled] = {}
        self._by_account: set[tuple[str, int]] = set()
        """Trunks (and revision) whose carrier takes no number in From."""
        self._keys: dict[int, deque[str]] = {}
        self._numbers = itertools.count(1, 2)
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._calls)

    def incoming(self, call: Call, trunk_id: str | None, registered: bool) -> None:
        """The stack has an INVITE, and has answered it with 180."""
        self._start(self._incoming(call, trunk_id, registered))

    async def _incoming(self, call: Call, trunk_id: str | None, registered: bool) -> None:
        self._early.take(call)  # it has listened from the start, since it began with an event
        source, contact = await self._stack.origin(call.handle)
        if call.state is CallState.CLOSED:
            log.info("cancelled at once", extra={"sip_call_id": call.call_id})
            return
        number = next(self._numbers)
        self._follow(number, call)
        self._tell(
            on="incoming",
            call=number,
            trunk_id=trunk_id,
            registered=registered,
            contact=contact,
            source=source,
            headers=call.headers,
            peer=call.peer or "",
            sip_call_id=call.call_id or "",
        )

    def dial(self, message: dict[str, Any], trunk: TrunkAccount | None, agents: Agents) -> None:
        """The `dial` command."""
        number: int = message["call"]
        if trunk is None:
            self._over(number, _NOT_REACHED, "the trunk is not known here")
            return
        if agents.made + len(self._calls) > _HANDLES:
            self._over(number, _NOT_REACHED, "the SIP stack is full until its calls are over")
            return
        dialled = Dialled(
            trunk=trunk,
            agents=agents,
            to=message["to"],
            caller_id=message["caller_id"],
            call_sid=message["call_sid"],
            by_account=(trunk.trunk_id, trunk.revision) in self._by_account,
        )
        self._dialled[number] = dialled
        self._start(self._dial(number, dialled))

    def answer(self, number: int) -> None:
        """200 OK."""
        if (call := self._calls.get(number)) is not None:
            # The binding's plain answer is followed by a needless re-INVITE; this one is not, and
            # takes video only if it was offered, which no gateway does.
            self._start(self._do(number, call.answer(video=True)))

    def reject(self, number: int, code: int, reason: str) -> None:
        """A final code."""
        call = self._calls.get(number)
        if call is not None and call.state is CallState.INCOMING:
            self._start(self._stack.reject(call.handle, code, reason))

    def hangup(self, number: int) -> None:
        """BYE, or CANCEL."""
        self._dialled.pop(number, None)  # an INVITE that is about to go out finds itself unwanted
        if (call := self._calls.get(number)) is not None:
            self._start(self._do(number, call.hangup()))

    def dtmf(self, number: int, digit: str) -> None:
        """A telephone-event of 100 ms, after those before it."""
        if number not in self._calls:
            return
        waiting = self._keys.get(number)
        if waiting is None:
            waiting = self._keys[number] = deque()
            self._start(self._press(number, waiting))
        if len(waiting) < _KEYS:
            waiting.append(digit)

    async def _dial(self, number: int, dialled: Dialled) -> None:
        trunk = dialled.trunk
        try:
            agent = await dialled.agents.dialling(trunk, dialled.user)
            call = await agent.dial(f"sip:{dialled.to}@{trunk.domain}", headers=dialled.headers)
        except (BaresipError, ValueError) as error:
            self._over(number, _NOT_REACHED, str(error))
            return
        self._follow(number, call)
        unwanted = number not in self._dialled
        for event in self._early.take(call):
            call._on_stack_event(event)  # as if it had been there to hear it
        if unwanted:
            self.hangup(number)

    async def _press(self, number: int, waiting: deque[str]) -> None:
        while waiting and (call := self._calls.get(number)) is not None:
            await self._do(number, call.send_dtmf(waiting.popleft()))
        self._keys.pop(number, None)

    async def _do(self, number: int, doing: Awaitable[None]) -> None:
        try:
            await doing
        except BaresipError as error:
            # Mostly a call that ended at the same moment; its end has been told, or will be.
            log.info("%s", error, extra={"call": number})

    def _follow(self, number: int, call: Call) -> None:
        self._calls[number] = call
        call.on(lambda event: self._happened(number, call, event))
        call.on_dtmf(lambda pressed: self._tell(on="dtmf", call=number, digit=pressed.digit))

    def _happened(self, number: int, call: Call, event: StackEvent) -> None:
        match event.event:
            case Event.CALL_RINGING | Event.CALL_PROGRESS:
                self._settled(number)
                self._tell(on="ringing", call=number)
            case Event.CALL_ESTABLISHED:
                self._settled(number)
                self._clock.add(number, call)
                self._tell(on="answered", call=number)
            case Event.CALL_CLOSED:
                self._closed(number, call, event.text or "")

    def _closed(self, number: int, call: Call, text: str) -> None:
        if self._calls.pop(number, None) is None:
            return
        skipped = self._clock.discard(number)
        code, reason = split_status(text)
        if code == _FORBIDDEN and self._dial_by_account(number):
            return
        if code is None:
            code = _TIMED_OUT if "timed out" in text.lower() else _NOT_REACHED
        stats = _stats(call) | ({"tx_skipped_frames": skipped} if skipped else {})
        self._over(number, code, reason, stats, broken="rtp" in text.lower())

    def _settled(self, number: int) -> None:
        """The carrier has taken the call as it was dialled."""
        dialled = self._dialled.pop(number, None)
        if dialled is not None and dialled.by_account:
            self._by_account.add((dialled.trunk.trunk_id, dialled.trunk.revision))

    def _dial_by_account(self, number: int) -> bool:
        """Carriers that take only the account in From say 403: once more, the number in
        P-Asserted-Identity alone (RFC 3325). False if that was it already, or nobody waits."""
        dialled = self._dialled.get(number)
        if dialled is None or dialled.by_account or dialled.user == dialled.trunk.username:
            return False
        again = self._dialled[number] = dataclasses.replace(dialled, by_account=True)
        self._start(self._dial(number, again))
        return True

    def _over(
        self,
        number: int,
        code: int,
        reason: str,
        stats: dict[str, Any] | None = None,
        *,
        broken: bool = False,
    ) -> None:
        self._dialled.pop(number, None)
        self._tell(
            on="ended", call=number, code=code, reason=reason, stats=stats or {}, broken=broken
        )

    def _start(self, doing: Any) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _stats(call: Call) -> dict[str, Any]:
    if call.final_stats is None:
        return {}
    stats = dataclasses.asdict(call.final_stats)
    return {name: stats[name] for name in _STATS if name in stats}
