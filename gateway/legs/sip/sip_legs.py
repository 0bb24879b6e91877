"""All SIP of the gateway: the calls in and out, and the trunks.

Implements `Dialler` for the exchange and `TrunkHost` for the registry of trunks.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import Any

from common.sip_headers import Introduction
from gateway.calls.exchange import Exchange
from gateway.calls.leg import Destination, Route, Standing
from gateway.config import Config
from gateway.legs.sip.attribution import (
    Attribution,
    Evidence,
    Origin,
    attribute,
    origin,
    standing_of,
    told_by_edge,
    user_of,
)
from gateway.legs.sip.bounds import CallPlaces
from gateway.legs.sip.dialled_leg import DialledLeg
from gateway.legs.sip.edge_networks import EdgeNetworks
from gateway.legs.sip.fall_over import HEARD_WITHIN, FallOver, Fitness
from gateway.legs.sip.leg import InboundLeg, SipLeg
from gateway.legs.sip.lookup import Servers
from gateway.legs.sip.parties import Parties, parties
from gateway.legs.sip.routed_leg import RoutedLeg
from gateway.legs.sip.stack import SipStack
from gateway.legs.sip.trunk_line import TrunkLine
from gateway.legs.sip.trunk_lines import OnStatus, TrunkLines
from gateway.sip.dialog.call import Call
from gateway.sip.dialog.inbound import InboundCall
from gateway.sip.events import (
    Ended,
    Event,
    IncomingCall,
    NotRegistered,
    PingAnswered,
    PingUnanswered,
    Registered,
    Unregistered,
)
from gateway.sip.network.locate import is_address
from gateway.sip.session.offer_answer import SrtpPolicy
from gateway.sip.syntax.uri import format_host
from gateway.trunks.networks import Networks
from gateway.trunks.trunk import Status, Trunk

_FULL = "this trunk has as many calls as it may have at a time"
_NO_ROOM = "this gateway knows as many networks of trunks as it can"
_LOOK_EVERY = 1.0
"""Seconds between two looks for calls from which nothing is heard any more."""

log = logging.getLogger(__name__)


def _not_ours(
    trunk_id: str, revision: int, status: Status, sip_code: int | None, reason: str
) -> None:
    """Ignore the state of a line of another process's trunk: that process reports it."""


class SipLegs:
    """The SIP side of the exchange.

    `start` it, then `apply` trunks and add it to the exchange's diallers.
    """

    def __init__(
        self,
        config: Config,
        exchange: Exchange,
        on_status: OnStatus,
        servers: Servers | None = None,
    ) -> None:
        self._config = config
        self._exchange = exchange
        self.stack = SipStack(config, self._happened, self._lost)
        self._on_status = on_status
        self._lines = TrunkLines(config, self.stack, on_status, servers)
        self._others = TrunkLines(config, self.stack, _not_ours, servers, ours=False)
        """The trunks of other processes: calls may go out by them."""
        self._networks = Networks()
        """The networks from which trunks take calls."""
        self._without_room: dict[str, Trunk] = {}
        """Trunks for whose networks there is no room."""
        self._secured: set[str] = set()
        """The trunks that take calls with SRTP only."""
        self._edge = (
            EdgeNetworks(self.stack, config.sip_edge, self._networks) if config.sip_edge else None
        )
        self._places = CallPlaces(config.max_calls_per_trunk)
        self._legs: dict[Call, SipLeg] = {}
        """The legs by call. Each call of a leg has taken a place."""
        self._placed: dict[SipLeg, str | None] = {}
        """The legs that hold a place, and their trunks, or the network of several trunks."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        try:
            await self.stack.start()
        except OSError:
            raise OSError(
                f"SIP does not come up on port {self._config.sip_port}, which another program may "
                "have taken. Stop that program, or set GATEWAY_SIP_PORT"
            ) from None
        self._spawn(self._lines.keep_looking())
        self._spawn(self._others.keep_looking())
        self._spawn(self._keep_listening())
        if self._edge is not None:
            self._spawn(self._edge.run())

    async def stop(self) -> None:
        """Unregister every trunk and close all sockets."""
        if self.stack.up:
            await self._others.close()
            await self._lines.close()
        for task in list(self._tasks):
            task.cancel()
        self.stack.stop()

    # TrunkHost.

    def apply(self, trunk: Trunk) -> None:
        """Register a trunk, new or changed, and take the calls of its networks."""
        if self._take_networks(trunk):
            self._lines.apply(trunk)
            self._without_room.pop(trunk.trunk_id, None)
        else:
            self._without_room[trunk.trunk_id] = trunk
            self._lines.drop(trunk.trunk_id)
            self._on_status(trunk.trunk_id, trunk.revision, "failed", None, _NO_ROOM)

    def recognise(self, trunk: Trunk) -> None:
        """Take the calls of the networks of a trunk that another process registers, and let calls
        go out by it."""
        self._take_networks(trunk)
        self._others.apply(trunk)

    def _take_networks(self, trunk: Trunk) -> bool:
        """Take the calls of a trunk's networks. Return False if there is no room for them."""
        self._secured.discard(trunk.trunk_id)
        if trunk.srtp == "required":
            self._secured.add(trunk.trunk_id)
        if not self._networks.put(trunk.trunk_id, trunk.networks):
            return False
        if self._edge is not None:
            self._edge.add(trunk.networks)
        return True

    def drop(self, trunk_id: str) -> None:
        """Stop registering a trunk; its calls stay up. Its room goes to a waiting trunk."""
        self._networks.remove(trunk_id)
        self._secured.discard(trunk_id)
        self._lines.drop(trunk_id)
        self._others.drop(trunk_id)
        self._without_room.pop(trunk_id, None)
        if self._without_room:
            self.apply(next(iter(self._without_room.values())))

    # Dialler.

    def route(self, destination: Destination) -> RoutedLeg | None:
        """Return a leg through the destination's trunks; None if it names none."""
        ways = destination.ways
        if not ways:
            return None
        leg: RoutedLeg
        routes = FallOver(ways, lambda route: self._fitness(route, leg.trunk_id))
        begin = functools.partial(self._begin, destination.introduction)
        leg = RoutedLeg(
            routes, begin, destination.trunk_id, lambda: self._why_unfit(ways[0].trunk_id)
        )
        return leg

    def _begin(self, told: Introduction, route: Route, more: bool) -> DialledLeg | None:
        """Return a leg by a route, which has taken a place; None if there is none."""
        line = self._line_of(route.trunk_id)
        if line is None or not self._places.take(route.trunk_id):
            return None
        leg = DialledLeg(
            self.stack,
            line,
            route,
            self._follow,
            introduction=told,
            heard_within=HEARD_WITHIN if more else None,
        )
        leg.on_over = self._give_back
        self._placed[leg] = route.trunk_id
        return leg

    def _fitness(self, route: Route, present: str | None) -> Fitness:
        """Return how fit a route is for a call whose trunk is `present`: that counts it already."""
        trunk_id, line = route.trunk_id, self._line_of(route.trunk_id)
        if line is None or line.flow is None or not self._places.has_room(trunk_id):
            return Fitness.UNFIT
        if trunk_id != present and self._exchange.trunk_full(trunk_id):
            return Fitness.UNFIT
        return Fitness.UP if line.up else Fitness.DOWN

    def _line_of(self, trunk_id: str) -> TrunkLine | None:
        """Return a trunk's line, whichever process registers it."""
        return self._lines.line_of(trunk_id) or self._others.line_of(trunk_id)

    def _why_unfit(self, trunk_id: str) -> str:
        line = self._line_of(trunk_id)
        if line is None:
            return "the trunk is not connected"
        return _FULL if line.flow is not None else "the trunk has no connection to its carrier"

    def _follow(self, call: Call, leg: SipLeg) -> None:
        self._legs[call] = leg

    # Events of the user agent.

    def _happened(self, event: Event) -> None:
        match event:
            case IncomingCall(call=call):
                self._incoming(call)
            case Registered() | NotRegistered() | Unregistered():
                self._lines.happened(event)
            case PingAnswered() | PingUnanswered():
                self._lines.happened(event)
            case _:
                leg = self._legs.get(event.call)
                if isinstance(event, Ended):
                    self._legs.pop(event.call, None)
                if leg is not None:
                    leg.happened(event)

    def _lost(self, flow: Any) -> None:
        self._lines.lose(flow)
        self._others.lose(flow)

    def _incoming(self, call: InboundCall) -> None:
        origin_ = self._origin_of(call)
        found = self._attribute(origin_)
        standing = standing_of(
            found,
            edge_lists=origin_.listed,
            behind_edge=self._config.sip_edge is not None,
            sip_host=self._config.sip_host,
        )
        who = parties(call.invite.headers, origin_.request_uri)
        facts = {"sip_call_id": call.call_id, "from": who.from_, "to": who.to}
        log.info("INVITE", extra={**facts, "trunk_id": found.trunk_id, "source": origin_.source})
        leg = InboundLeg(self.stack, call, found.trunk_id, srtp=self._srtp_of(found.trunk_id))
        place = found.network if standing == "carrier" else found.trunk_id
        if not self._places.take(place):
            leg.refuse(486, "This trunk's calls take all the places they may have")
            return
        self._placed[leg] = place
        leg.on_over = self._give_back
        self._legs[call] = leg
        # A stranger is refused before he costs a port.
        if standing == "stranger" or leg.take():
            self._admit(leg, who, found, standing)

    def _srtp_of(self, trunk_id: str | None) -> SrtpPolicy:
        """Return how much SRTP a caller must speak: what he offers is taken, unless it is too
        little for the trunk."""
        return "required" if trunk_id in self._secured else "offered"

    def _admit(self, leg: InboundLeg, who: Parties, found: Attribution, standing: Standing) -> None:
        try:
            self._exchange.admit(
                leg,
                to=who.to,
                from_=who.from_,
                forwarded_from=who.forwarded_from,
                trunk_id=found.trunk_id,
                trunk_source=found.source,
                sip_call_id=leg.sip_call_id,
                standing=standing,
                introduction=who.introduction,
            )
        except Exception:
            leg.refuse(500)  # whatever is wrong, its place and its port are free again
            raise

    def _origin_of(self, call: InboundCall) -> Origin:
        """Return where an INVITE came from. Only the edge may say that it was elsewhere."""
        if self._comes_by_edge(call):
            return told_by_edge(call.invite.headers, with_lines=self._config.share is not None)
        host, port = call.flow.remote
        return Origin(source=f"{format_host(host)}:{port}", request_uri=call.invite.uri)

    def _comes_by_edge(self, call: InboundCall) -> bool:
        """Return whether an INVITE came from the edge's address, if the edge is named by one."""
        edge = (self._config.sip_edge or "").rpartition(":")[0].strip("[]")
        return bool(edge) and (not is_address(edge) or call.flow.remote[0] == edge)

    def _attribute(self, origin_: Origin) -> Attribution:
        known = self._lines.line_of(origin_.trunk) is not None
        evidence = Evidence(
            contact_of=self._lines.of_contact(user_of(origin_.request_uri)),
            source=origin(origin_.source),
            edge_says=origin_.trunk if known else None,
            lines=origin_.lines,
        )
        return attribute(
            evidence, self._lines.registered, self._networks, edge_lists=origin_.listed
        )

    def _give_back(self, leg: SipLeg) -> None:
        if leg in self._placed:
            self._places.give_back(self._placed.pop(leg))

    async def _keep_listening(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            now = self.stack.now
            for leg in list(self._legs.values()):
                leg.look(now, self._config.rtp_timeout)

    def _spawn(self, doing: Any) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
