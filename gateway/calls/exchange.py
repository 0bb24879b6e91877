"""All calls of this process: admits them, dials out, finds them, and ends them at the stop.

Kept in memory only, with limits: for live calls, and for ended ones, which are kept for a while so
that a client can still fetch their result.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from common.sip_headers import NO_INTRODUCTION, Introduction
from gateway.calls.call import Call
from gateway.calls.leg import Destination, Dialler, Leg, Release, Standing
from gateway.calls.live_call import LiveCall, Plan, Switch
from gateway.sids import new_sid
from gateway.twiml.interpreter import Fetch

BEHIND = Release("busy", 503, "the application is behind with its answers")
"""The refusal of calls while the application is overloaded."""


class Exchange:
    """The gateway's calls."""

    def __init__(self, switch: Switch, clock: Callable[[], float] = time.time) -> None:
        self._switch = switch
        self._clock = clock
        self._diallers: list[Dialler] = []
        self._live: dict[str, LiveCall] = {}
        self._ended: OrderedDict[str, Call] = OrderedDict()
        self.draining = False
        """True while the operator wants no new calls. The process is still healthy: a supervisor
        must not replace it, since that would end the calls which are to end by themselves.
        """
        self.stopping = False
        self.on_shed: Callable[[str | None], None] = lambda _: None
        """Called with the trunk of each call that is refused because the application is behind."""

    @property
    def full(self) -> bool:
        """Return whether no more calls are taken, or another call would be one too many."""
        return self.closed or len(self._live) >= self._switch.config.max_calls

    @property
    def closed(self) -> bool:
        """Return whether no more calls are taken, whatever their number."""
        return self.draining or self.stopping

    def add_dialler(self, dialler: Dialler) -> None:
        """Add a technology that can reach called parties; they are asked in the order of adding."""
        self._diallers.append(dialler)

    def admit(  # noqa: PLR0913 - the facts of a call are what they are
        self,
        leg: Leg,
        *,
        to: str,
        from_: str,
        forwarded_from: str | None = None,
        trunk_id: str | None = None,
        trunk_source: str | None = None,
        sip_call_id: str | None = None,
        standing: Standing = "local",
        introduction: Introduction = NO_INTRODUCTION,
    ) -> LiveCall | None:
        """Admit an inbound call on `leg`.

        Return None if it was refused; then no webhook is sent.
        """
        config = self._switch.config
        if (refusal := self._refusal(trunk_id, standing)) is not None:
            self._switch.metrics.refused += 1
            if refusal is BEHIND:
                self._switch.metrics.shed += 1
                self.on_shed(trunk_id)
            leg.reject(refusal)
            return None
        call = Call(
            sid=new_sid("CA", config.process, config.tag),
            account_sid=config.account_sid,
            to=to,
            from_=from_,
            direction="inbound",
            created_at=self._clock(),
            forwarded_from=forwarded_from,
            trunk_id=trunk_id,
            trunk_source=trunk_source,
            sip_call_id=sip_call_id,
            standing=standing,
            introduction=introduction,
        )
        plan = Plan(Fetch(config.voice_url), config.status_url, time_limit=config.time_limit)
        live = self._enter(call, plan)
        live.receive(leg)
        return live

    def trunk_full(self, trunk_id: str | None) -> bool:
        """Return whether a trunk has as many calls as it may have.

        It never has more than half of all places: one trunk must not take every place.
        """
        if trunk_id is None:
            return False
        config = self._switch.config
        most = min(config.max_calls_per_trunk, max(1, config.max_calls // 2))
        return sum(live.call.trunk_id == trunk_id for live in self._live.values()) >= most

    def _refusal(self, trunk_id: str | None, standing: Standing) -> Release | None:
        """Return the release for an inbound call that is refused; None if it is admitted."""
        if standing == "stranger":
            return Release("failed", 404, "a call for no trunk, from an address that is no peer's")
        if self.full or self.trunk_full(trunk_id) or self._standing_full(standing):
            return Release("busy", 486, "the gateway takes no more calls")
        if self._switch.webhooks.behind:
            return BEHIND
        return None

    def _standing_full(self, standing: Standing) -> bool:
        """Return whether the calls without a trunk of this standing have reached their limit: at
        most a quarter of all places for peers', and half for those of carriers' addresses."""
        config = self._switch.config
        match standing:
            case "peer":
                most = min(config.max_calls_without_trunk, max(1, config.max_calls // 4))
            case "carrier":
                most = max(1, config.max_calls // 2)
            case _:
                return False
        return sum(live.call.standing == standing for live in self._live.values()) >= most

    def dial(self, call: Call, plan: Plan, destination: Destination) -> None:
        """Start an outbound call.

        It rings a moment later, so that the REST answer says `queued`.
        """
        live = self._enter(call, plan)

        def ring() -> None:
            if not call.ended:
                live.dial(self._route(destination))

        asyncio.get_running_loop().call_soon(ring)

    def live(self, sid: str) -> LiveCall | None:
        """Return a call that is not over; None if there is none."""
        return self._live.get(sid)

    def find(self, sid: str) -> Call | None:
        """Return a call that is live or has ended a short while ago; None if there is none."""
        self._forget()
        live = self._live.get(sid)
        return live.call if live is not None else self._ended.get(sid)

    def by_status(self) -> Counter[str]:
        """Return the number of live calls of each status."""
        return Counter(live.call.status for live in self._live.values())

    async def drain(self) -> None:
        """Take no more calls, hang up the live ones and wait for their last callbacks."""
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
