"""All calls of this process: lets them in, dials out, finds them, clears them at the end.

Memory only, and bounded: so many live calls, so many ended ones for a while, so that a client can
still fetch how its call went.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from gateway.call import Call
from gateway.interpreter import Fetch
from gateway.legs.base import Destination, Dialler, Leg, Release
from gateway.live_call import LiveCall, Plan, Switch


class Exchange:
    """The gateway's calls."""

    def __init__(self, switch: Switch, clock: Callable[[], float] = time.time) -> None:
        self._switch = switch
        self._clock = clock
        self._diallers: list[Dialler] = []
        self._live: dict[str, LiveCall] = {}
        self._ended: OrderedDict[str, Call] = OrderedDict()
        self.draining = False
        """An operator wants no new calls. The process is healthy: whoever looks after it must not
        replace it, which would end the calls that are to end by themselves."""
        self.stopping = False

    @property
    def full(self) -> bool:
        """Whether another call would be one too many, or none are taken."""
        return self.closed or len(self._live) >= self._switch.config.max_calls

    @property
    def closed(self) -> bool:
        """Whether no more calls are taken, however few there are."""
        return self.draining or self.stopping

    def add_dialler(self, dialler: Dialler) -> None:
        """A further technology that can reach called parties; asked in order of adding."""
        self._diallers.append(dialler)

    def admit(  # noqa: PLR0913 - the facts of a call are what they are
        self,
        leg: Leg,
        *,
        to: str,
        from_: str,
        forwarded_from: str | None = None,
        trunk_id: str | None = None,
        sip_call_id: str | None = None,
    ) -> LiveCall | None:
        """An inbound call on `leg`. None: it was turned away as busy, without any webhook."""
        config = self._switch.config
        if self.full or self._trunk_full(trunk_id):
            self._switch.metrics.refused += 1
            leg.reject(Release("busy", 486, "the gateway takes no more calls"))
            return None
        call = Call(
            account_sid=config.account_sid,
            to=to,
            from_=from_,
            direction="inbound",
            created_at=self._clock(),
            forwarded_from=forwarded_from,
            trunk_id=trunk_id,
            sip_call_id=sip_call_id,
        )
        plan = Plan(Fetch(config.voice_url), config.status_url, time_limit=config.time_limit)
        live = self._enter(call, plan)
        live.receive(leg)
        return live

    def _trunk_full(self, trunk_id: str | None) -> bool:
        """One trunk's callers must not take every place there is."""
        if trunk_id is None:
            return False
        live = sum(live.call.trunk_id == trunk_id for live in self._live.values())
        return live >= self._switch.config.max_calls_per_trunk

    def dial(self, call: Call, plan: Plan, destination: Destination) -> None:
        """An outbound call. Rings a moment later, so that the REST answer says `queued`."""
        live = self._enter(call, plan)

        def ring() -> None:
            if not call.ended:
                live.dial(self._route(destination))

        asyncio.get_running_loop().call_soon(ring)

    def live(self, sid: str) -> LiveCall | None:
        """A call that is not over."""
        return self._live.get(sid)

    def find(self, sid: str) -> Call | None:
        """A call, live or ended a short while ago."""
        self._forget()
        live = self._live.get(sid)
        return live.call if live is not None else self._ended.get(sid)

    def by_status(self) -> Counter[str]:
        """How many live calls there are of each status."""
        return Counter(live.call.status for live in self._live.values())

    async def drain(self) -> None:
        """Takes no more calls, hangs up the live ones and lets their last callbacks out."""
        self.stopping = True
        for live in list(self._live.values()):
            live.give_up("the gateway stops")
        await self._switch.webhooks.drain(self._switch.config.drain)

    def _route(self, destination: Destination) -> Leg | None:
        for dialler in self._diallers:
            if (leg := dialler.route(destination)) is not None:
                return leg
        return None

    def _enter(self, call: Call, plan: Plan) -> LiveCall:
        live = LiveCall(call, plan, self._switch, self._leave)
        self._live[call.sid] = live
        return live

    def _leave(self, live: LiveCall) -> None:
        self._live.pop(live.call.sid, None)
        self._ended[live.call.sid] = live.call
        self._forget()

    def _forget(self) -> None:
        config = self._switch.config
        horizon = self._clock() - config.ended_kept
        while self._ended:
            oldest = next(iter(self._ended.values()))
            if len(self._ended) <= config.ended_kept_max and (oldest.ended_at or 0) > horizon:
                break
            self._ended.popitem(last=False)
