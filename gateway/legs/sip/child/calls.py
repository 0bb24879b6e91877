"""The calls of a child: turns the stack's events into the gateway's, and the gateway's commands
into the stack's."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from baresip import BaresipError, Call, CallState, Event, Runtime, StackEvent
from baresip.errors import split_status

from gateway.legs.sip.bounds import CALLS_PER_CHILD
from gateway.legs.sip.child import native
from gateway.legs.sip.child.audio import AudioClock
from gateway.legs.sip.child.early import EarlyEvents
from gateway.legs.sip.child.keeper import Keeper

log = logging.getLogger(__name__)

Tell = Callable[..., None]

KEYS = 64
"""Limit of the keys of one call that wait to be sent."""

_USER = re.compile(r"[A-Za-z0-9+*#._~!-]{1,64}", re.ASCII)
"""Matches the characters that need no escape before the @ of a From (RFC 3261 25.1)."""

_FORBIDDEN, _TIMED_OUT, _NOT_ACCEPTABLE, _NOT_REACHED = 403, 408, 488, 503
_NO_AUDIO = "answered without audio that can be used: the edge's log has the reason"
_STATS = (
    "rx_packets", "tx_packets", "rx_lost", "tx_lost", "rx_jitter_ms", "tx_jitter_ms", "rtt_ms",
    "jbuf_late", "jbuf_lost", "audio_tx_starved_frames", "audio_rx_dropped_bytes",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Dialled:
    """An outgoing call that has not rung yet."""

    keeper: Keeper
    to: str
    caller_id: str
    call_sid: str
    by_account: bool

    @property
    def user(self) -> str:
        """Return the user part of From: the calling number, or the account."""
        return self.keeper.trunk.username if self.by_account else self.caller_id

    @property
    def invite(self) -> native.Invite:
        """Return the INVITE. Raises ValueError if the caller ID cannot be put into a header."""
        trunk = self.keeper.trunk
        if not _USER.fullmatch(self.caller_id):
            raise ValueError(f"no caller ID that SIP can carry: {self.caller_id[:64]}")
        return native.Invite(
            user=self.user,
            account=trunk.username,
            domain=trunk.domain,
            to_uri=f"sip:{self.to}@{trunk.domain}",
            headers={
                "P-Asserted-Identity": f"<sip:{self.caller_id}@{trunk.domain}>",
                "X-Call-Sid": self.call_sid,
            },
            encrypted=trunk.encrypted,
        )


class Calls:
    """The calls by number. `tell(on=…, call=…)` sends an event to the gateway."""

    def __init__(
        self, runtime: Runtime, stack: native.StackThread, tell: Tell, clock: AudioClock
    ) -> None:
        self._runtime = runtime
        self._tell = tell
        self._clock = clock
        self._stack = stack
        self._early = EarlyEvents(runtime)
        self._calls: dict[int, Call] = {}
        self._dialled: dict[int, Dialled] = {}
        self._offering: dict[int, int] = {}
        """Calls whose offer was not written at once, each with the agent to be reset afterwards."""
        self._keys: dict[int, deque[str]] = {}
        self._numbers = itertools.count(1, 2)
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._calls)

    def incoming(self, call: Call, trunk_id: str | None) -> None:
        """Take an INVITE, which the stack has answered with 180 already."""
        self._start(self._incoming(call, trunk_id))

    async def _incoming(self, call: Call, trunk_id: str | None) -> None:
        self._early.take(call)  # made at the first event, so it has missed none
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
            registered=trunk_id is not None,
            contact=contact,
            source=source,
            headers=call.headers,
            peer=call.peer or "",
            sip_call_id=call.call_id or "",
        )

    def dial(self, message: dict[str, Any], keeper: Keeper | None) -> None:
        """Carry out the `dial` command."""
        number: int = message["call"]
        if keeper is None:
            self._over(number, _NOT_REACHED, "the trunk is not known here")
            return
        if len(self._calls.keys() | self._dialled.keys()) >= CALLS_PER_CHILD:
            self._over(number, _NOT_REACHED, "the SIP stack has as many calls as it can carry")
            return
        dialled = Dialled(
            keeper=keeper,
            to=message["to"],
            caller_id=message["caller_id"],
            call_sid=message["call_sid"],
            by_account=keeper.dials_by_account,
        )
        self._dialled[number] = dialled
        self._start(self._dial(number, dialled))

    def answer(self, number: int) -> None:
        """Answer with 200 OK."""
        if (call := self._calls.get(number)) is not None:
            # The binding's plain answer is followed by a needless re-INVITE. This one is not, and
            # it takes video only if it was offered, which no gateway does.
            self._start(self._do(number, call.answer(video=True)))

    def reject(self, number: int, code: int, reason: str) -> None:
        """Reject with a final code."""
        call = self._calls.get(number)
        if call is not None and call.state is CallState.INCOMING:
            self._start(self._stack.reject(call.handle, code, reason))

    def hangup(self, number: int) -> None:
        """Hang up with BYE, or CANCEL."""
        self._dialled.pop(number, None)  # an INVITE that is about to go out is then cancelled
        if (call := self._calls.get(number)) is not None:
            self._start(self._do(number, call.hangup()))

    def dtmf(self, number: int, digit: str) -> None:
        """Send a telephone-event of 100 ms, after those before it."""
        if number not in self._calls:
            return
        waiting = self._keys.get(number)
        if waiting is None:
            waiting = self._keys[number] = deque()
            self._start(self._press(number, waiting))
        if len(waiting) < KEYS:
            waiting.append(digit)

    async def _dial(self, number: int, dialled: Dialled) -> None:
        try:
            invite = dialled.invite
            agent = await dialled.keeper.agent()
            if number not in self._dialled:
                self._over(number, _NOT_REACHED, "hung up before it was dialled")
                return
            handle, written = await self._stack.dial(agent.handle, invite)
        except (BaresipError, ValueError) as error:
            self._over(number, _NOT_REACHED, str(error))
            return
        if not written:
            self._offering[number] = agent.handle
        call = Call(
            self._runtime,
            handle=handle,
            ua_handle=agent.handle,
            state=CallState.OUTGOING,
            peer=invite.to_uri,
        )
        self._follow(number, call)
        unwanted = number not in self._dialled
        for event in self._early.take(call):
            call._on_stack_event(event)  # these came before the object existed
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
            # In most cases the call ended at the same moment; its end is or will be reported.
            log.info("%s", error, extra={"call": number})

    def _follow(self, number: int, call: Call) -> None:
        self._calls[number] = call
        call.on(lambda event: self._happened(number, call, event))
        call.on_dtmf(lambda pressed: self._tell(on="dtmf", call=number, digit=pressed.digit))

    def _happened(self, number: int, call: Call, event: StackEvent) -> None:
        if event.event is not Event.CALL_OUTGOING and number in self._offering:
            self._start(self._do(number, self._stack.accept_encryption(self._offering.pop(number))))
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
            code, reason = _without_code(text)
        stats = _stats(call) | ({"tx_skipped_frames": skipped} if skipped else {})
        self._over(number, code, reason, stats, broken="rtp" in text.lower())

    def _settled(self, number: int) -> None:
        """Note that the carrier has accepted the call with the caller ID with which it was
        dialled."""
        dialled = self._dialled.pop(number, None)
        if dialled is not None and dialled.by_account:
            dialled.keeper.dials_by_account = True

    def _dial_by_account(self, number: int) -> bool:
        """Dial once more with the account in From; return False if that was done, or the call is
        unwanted.

        Carriers that accept only the account in From answer 403. The second INVITE has the number
        in P-Asserted-Identity alone (RFC 3325).
        """
        dialled = self._dialled.get(number)
        if dialled is None or dialled.by_account or dialled.user == dialled.keeper.trunk.username:
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


def _without_code(text: str) -> tuple[int, str]:
    """Return the code and reason of a call that was not ended by a SIP response."""
    if "protocol error" in text.lower():
        # The library says no more of a 2xx whose session description does not answer its offer.
        return _NOT_ACCEPTABLE, _NO_AUDIO
    return (_TIMED_OUT if "timed out" in text.lower() else _NOT_REACHED), text


def _stats(call: Call) -> dict[str, Any]:
    if call.final_stats is None:
        return {}
    stats = dataclasses.asdict(call.final_stats)
    return {name: stats[name] for name in _STATS if name in stats}
