"""The calls of a child: the stack's events become the gateway's, its commands the stack's."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from baresip import BaresipError, Call, CallState, Event, StackEvent
from baresip.errors import split_status

from gateway.legs.sip.child import native
from gateway.legs.sip.child.agents import Agents, TrunkAccount
from gateway.legs.sip.child.audio import AudioClock

log = logging.getLogger(__name__)

Tell = Callable[..., None]

_NOT_REACHED, _TIMED_OUT, _ENDED = 503, 408, 200
_STATS = (
    "rx_packets", "tx_packets", "rx_lost", "tx_lost", "rx_jitter_ms", "tx_jitter_ms", "rtt_ms",
    "jbuf_late", "jbuf_lost", "audio_tx_starved_frames", "audio_rx_dropped_bytes",
)  # fmt: skip


class Calls:
    """By number. `tell(on=…, call=…)` sends an event to the gateway."""

    def __init__(self, tell: Tell, clock: AudioClock, stack: native.StackThread) -> None:
        self._tell = tell
        self._stack = stack
        self._clock = clock
        self._calls: dict[int, Call] = {}
        self._numbers = itertools.count(1, 2)
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._calls)

    def incoming(self, call: Call, trunk_id: str | None, registered: bool) -> None:
        """The stack has an INVITE, and has answered it with 180."""
        self._start(self._incoming(call, trunk_id, registered))

    async def _incoming(self, call: Call, trunk_id: str | None, registered: bool) -> None:
        source, contact = await self._stack.origin(call.call_id or "")
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
        self._start(self._dial(number, message, trunk, agents))

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
            self._start(self._stack.reject(call.call_id or "", code, reason))

    def hangup(self, number: int) -> None:
        """BYE, or CANCEL."""
        if (call := self._calls.get(number)) is not None:
            self._start(self._do(number, call.hangup()))

    def dtmf(self, number: int, digit: str) -> None:
        """A telephone-event of 100 ms."""
        if (call := self._calls.get(number)) is not None:
            self._start(self._do(number, call.send_dtmf(digit)))

    async def _dial(
        self, number: int, message: dict[str, Any], trunk: TrunkAccount, agents: Agents
    ) -> None:
        caller_id = message["caller_id"]
        uri = f"sip:{message['to']}@{trunk.domain}"
        headers = {
            "P-Asserted-Identity": f"<sip:{caller_id}@{trunk.domain}>",
            "X-Call-Sid": message["call_sid"],
        }
        try:
            agent = await agents.dialling(trunk, caller_id)
            call = await agent.dial(uri, headers=headers)
        except (BaresipError, ValueError) as error:
            self._over(number, _NOT_REACHED, str(error))
            return
        self._follow(number, call)
        if call.state is CallState.CLOSED:  # refused before we could listen
            self._closed(number, call, call._close_reason or "")

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
                self._tell(on="ringing", call=number)
            case Event.CALL_ESTABLISHED:
                self._clock.add(number, call)
                self._tell(on="answered", call=number)
            case Event.CALL_CLOSED:
                self._closed(number, call, event.text or "")

    def _closed(self, number: int, call: Call, text: str) -> None:
        if self._calls.pop(number, None) is None:
            return
        self._clock.discard(number)
        code, reason = split_status(text)
        if code is None:
            code = _TIMED_OUT if "timed out" in text.lower() else _NOT_REACHED
        self._over(number, code, reason, _stats(call), broken="rtp" in text.lower())

    def _over(
        self,
        number: int,
        code: int,
        reason: str,
        stats: dict[str, Any] | None = None,
        *,
        broken: bool = False,
    ) -> None:
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
