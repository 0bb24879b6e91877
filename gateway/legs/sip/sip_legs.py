"""All SIP of the gateway: its children, and the calls in and out of them.

Implements `Dialler` for the exchange and `TrunkHost` for the registry of trunks.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Any

from gateway.calls.exchange import Exchange
from gateway.calls.leg import Destination, Release
from gateway.config import Config
from gateway.legs.sip import headers
from gateway.legs.sip.attribution import Evidence, origin, standing_of, trunk_of, user_of
from gateway.legs.sip.bounds import CallPlaces
from gateway.legs.sip.child_settings import ChildSettings
from gateway.legs.sip.hosted import HostedTrunks, OnStatus
from gateway.legs.sip.leg import SipLeg
from gateway.legs.sip.link import ChildLink
from gateway.legs.sip.unreachable import UnreachableLeg
from gateway.trunks.trunk import Trunk

_STARTED_WITHIN = 15.0
_FULL = "this trunk has as many calls as it may have at a time"
_MERGED = Release("canceled", 482, "another branch of a call that is here already")
"""RFC 3261 8.2.2.2."""
_BUSY = Release("busy", 486, "this trunk's calls take all the places they may have")

log = logging.getLogger(__name__)


class SipLegs:
    """The pool of SIP children.

    `start` it, then `apply` trunks and add it to the exchange's diallers.
    """

    def __init__(self, config: Config, exchange: Exchange, on_status: OnStatus) -> None:
        self._exchange = exchange
        self._edge = config.sip_edge is not None
        self._sip_host = config.sip_host
        self._children = [self._child(config, index) for index in range(config.sip_children)]
        self._trunks = HostedTrunks(config, self._children, on_status)
        self._places = CallPlaces(config.max_calls_per_trunk)
        self._legs: dict[tuple[int, int], SipLeg] = {}
        """The legs by child and number; each has taken a place."""
        self._numbers = itertools.count(2, 2)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def children(self) -> list[ChildLink]:
        """Return the children, for metrics and for tests that kill them."""
        return self._children

    async def start(self) -> None:
        """Start the children; return when all listen. Raises OSError if one cannot."""
        for child in self._children:
            self._spawn(child.run())
        self._spawn(self._trunks.keep_looking())
        try:
            async with asyncio.timeout(_STARTED_WITHIN):
                await asyncio.gather(*(child.ready.wait() for child in self._children))
        except TimeoutError:
            ports = ", ".join(str(c.settings.port) for c in self._children if not c.up)
            raise OSError(
                f"SIP does not come up on port {ports}, which another program may have taken. Stop "
                "that program, or set GATEWAY_SIP_PORT"
            ) from None

    async def stop(self) -> None:
        """Unregister every trunk and end the children."""
        await asyncio.gather(*(child.stop() for child in self._children))
        for task in list(self._tasks):
            task.cancel()

    # TrunkHost.

    def apply(self, trunk: Trunk) -> None:
        """Register a trunk, new or changed."""
        self._trunks.apply(trunk)

    def drop(self, trunk_id: str) -> None:
        """Stop registering a trunk; its calls stay up."""
        self._trunks.drop(trunk_id)

    # Dialler.

    def route(self, destination: Destination) -> SipLeg | UnreachableLeg | None:
        """Return a leg through the destination's trunk; None if it names no trunk."""
        trunk_id = destination.trunk_id
        if trunk_id is None:
            return None
        child = self._trunks.child_of(trunk_id)
        if child is None:
            return UnreachableLeg("the trunk is not connected")
        if not child.up:
            return UnreachableLeg("the SIP stack is being restarted")
        if not self._places.take(child.index, trunk_id):
            return UnreachableLeg(_FULL)
        number = next(self._numbers)
        asked = {"trunk_id": trunk_id, "to": destination.to, "caller_id": destination.from_}
        leg = SipLeg(child, number, asked, trunk_id=trunk_id)
        self._legs[child.index, number] = leg
        return leg

    # Events of the children.

    def _happened(self, child: ChildLink, message: dict[str, Any]) -> None:
        match message["on"]:
            case "ready":
                self._trunks.ready(child)
            case "incoming":
                self._incoming(child, message)
            case "trunk":
                self._trunks.told(message)
            case "ringing" | "answered" | "dtmf":
                if (leg := self._legs.get((child.index, message["call"]))) is not None:
                    leg.happened(message)
            case "ended":
                if (leg := self._take_out(child, message["call"])) is not None:
                    leg.happened(message)

    def _take_out(self, child: ChildLink, number: int) -> SipLeg | None:
        leg = self._legs.pop((child.index, number), None)
        if leg is not None and leg.placed:
            self._places.give_back(child.index, leg.trunk_id)
        return leg

    def _heard(self, child: ChildLink, number: int, frame: bytes) -> None:
        if (leg := self._legs.get((child.index, number))) is not None:
            leg.heard(frame)

    def _incoming(self, child: ChildLink, message: dict[str, Any]) -> None:
        told = {name.lower(): value for name, value in message["headers"].items()}
        if not self._edge:
            # The edge removes these headers from outside messages. Without an edge, anybody could
            # set them.
            told = {name: value for name, value in told.items() if not name.startswith("x-")}
        source = told.get("x-chamade-source") or message["source"] or ""
        edge_says = told.get("x-chamade-trunk")
        evidence = Evidence(
            chosen=message["trunk_id"],
            registered=message["registered"],
            contact=message["contact"],
            request_user=user_of(told.get("x-chamade-request-uri")),
            source=origin(source),
            edge_says=edge_says if self._trunks.get(edge_says) else None,
        )
        trunk_id = trunk_of(evidence, self._trunks.registered)
        leg = SipLeg(child, message["call"], trunk_id=trunk_id, sip_call_id=message["sip_call_id"])
        merged = self._has(leg)
        leg.placed = not merged and self._places.take(child.index, trunk_id)
        self._legs[child.index, message["call"]] = leg
        who = headers.parties(told, message["peer"])
        log.info(
            "INVITE",
            extra={
                "sip_call_id": message["sip_call_id"],
                "source": source,
                "trunk_id": trunk_id,
                "from": who.from_,
                "to": who.to,
                "merged": merged,
            },
        )
        if not leg.placed:
            leg.reject(_MERGED if merged else _BUSY)
            return
        self._exchange.admit(
            leg,
            to=who.to,
            from_=who.from_,
            forwarded_from=who.forwarded_from,
            trunk_id=trunk_id,
            sip_call_id=message["sip_call_id"],
            standing=standing_of(
                trunk_id,
                edge_lists="x-chamade-peer" in told,
                behind_edge=self._edge,
                sip_host=self._sip_host,
            ),
        )

    def _has(self, branch: SipLeg) -> bool:
        """Return whether a call is up that began as another branch of the same INVITE.

        A registrar that still has a contact of ours from before a crash forks to both (RFC 3261
        16.6).
        """
        invite = (branch.trunk_id, branch.sip_call_id)
        return any(
            (leg.trunk_id, leg.sip_call_id) == invite and not leg.over
            for leg in self._legs.values()
        )

    def _down(self, child: ChildLink) -> None:
        for index, number in list(self._legs):
            if index == child.index and (leg := self._take_out(child, number)) is not None:
                leg.lost("the SIP stack died")
        self._trunks.down(child)

    def _child(self, config: Config, index: int) -> ChildLink:
        low, high = config.rtp_ports
        share = (high - low + 1) // config.sip_children
        settings = ChildSettings(
            host=config.sip_host,
            port=config.sip_ports[index],
            rtp_ports=(low + index * share, low + (index + 1) * share - 1),
            register_interval=int(config.sip_register_interval),
            rtp_timeout=int(config.rtp_timeout),
            edge=config.sip_edge,
            ca_file=config.sip_ca_file,
            log_level=config.log_level,
        )
        return ChildLink(
            index,
            settings,
            on_event=self._happened,
            on_audio=self._heard,
            on_down=self._down,
        )

    def _spawn(self, doing: Any) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
