"""All SIP of the gateway: its children, which trunk is on which, and the way in and out of them.

Implements `Dialler` for the exchange and `TrunkHost` for the registry of trunks.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import zlib
from typing import Any, Protocol

from gateway.config import Config
from gateway.exchange import Exchange
from gateway.legs.base import Destination, Release
from gateway.legs.sip import headers
from gateway.legs.sip.attribution import Evidence, origin, trunk_of, user_of
from gateway.legs.sip.child.settings import Settings
from gateway.legs.sip.leg import SipLeg
from gateway.legs.sip.link import ChildLink
from gateway.legs.sip.lookup import addresses_of
from gateway.legs.sip.unreachable import UnreachableLeg
from gateway.trunk import Status, Trunk

_LOOK_EVERY = 300.0
_STARTED_WITHIN = 15.0
_MERGED = Release("canceled", 482, "another branch of a call that is here already")
"""RFC 3261 8.2.2.2."""

log = logging.getLogger(__name__)


class OnStatus(Protocol):
    """Whom a trunk's status is told."""

    def __call__(
        self, trunk_id: str, revision: int, status: Status, sip_code: int | None, reason: str
    ) -> None:
        """One outcome of one registration."""


class SipLegs:
    """The pool. `start` it, then `apply` trunks and add it to the exchange's diallers."""

    def __init__(self, config: Config, exchange: Exchange, on_status: OnStatus) -> None:
        self._exchange = exchange
        self._edge = config.sip_edge is not None
        self._on_status = on_status
        self._children = [self._child(config, index) for index in range(config.sip_children)]
        self._legs: dict[tuple[int, int], SipLeg] = {}
        self._numbers = itertools.count(2, 2)
        self._trunks: dict[str, Trunk] = {}
        self._private = config.allow_private_trunks
        self._ipv6 = ":" in config.sip_host
        self._addresses: dict[str, str] = {}
        self._registered: dict[str, str] = {}
        """Where each registered trunk is, as `origin` says it."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def children(self) -> list[ChildLink]:
        """For metrics, and for tests that kill them."""
        return self._children

    async def start(self) -> None:
        """Starts the children; returns when all listen. OSError: one cannot."""
        for child in self._children:
            self._beside(child.run())
        self._beside(self._keep_looking())
        try:
            async with asyncio.timeout(_STARTED_WITHIN):
                await asyncio.gather(*(child.ready.wait() for child in self._children))
        except TimeoutError:
            ports = ", ".join(str(c.settings.port) for c in self._children if not c.up)
            raise OSError(f"SIP does not come up on port {ports}; is it taken?") from None

    async def stop(self) -> None:
        """Unregisters every trunk and ends the children."""
        await asyncio.gather(*(child.stop() for child in self._children))
        for task in list(self._tasks):
            task.cancel()

    # TrunkHost.

    def apply(self, trunk: Trunk) -> None:
        """A trunk to be registered, new or changed."""
        self._trunks[trunk.trunk_id] = trunk
        self._registered.pop(trunk.trunk_id, None)
        self._beside(self._find_and_hand_over(trunk))

    def drop(self, trunk_id: str) -> None:
        """A trunk that is gone; its calls stay up."""
        self._addresses.pop(trunk_id, None)
        self._registered.pop(trunk_id, None)
        if self._trunks.pop(trunk_id, None) is not None:
            self._child_of(trunk_id).command(do="drop", trunk_id=trunk_id)

    # Dialler.

    def route(self, destination: Destination) -> SipLeg | UnreachableLeg | None:
        """A leg through the destination's trunk; None if it names none."""
        if destination.trunk_id is None:
            return None
        trunk = self._trunks.get(destination.trunk_id)
        if trunk is None:
            return UnreachableLeg("the trunk is not connected")
        child = self._child_of(trunk.trunk_id)
        if not child.up:
            return UnreachableLeg("the SIP stack is being restarted")
        number = next(self._numbers)
        asked = {
            "trunk_id": trunk.trunk_id,
            "to": destination.to,
            "caller_id": destination.from_,
        }
        leg = SipLeg(child, number, asked)
        self._legs[child.index, number] = leg
        return leg

    # What the children say.

    def _happened(self, child: ChildLink, message: dict[str, Any]) -> None:
        match message["on"]:
            case "ready":
                for trunk in self._trunks.values():
                    if self._child_of(trunk.trunk_id) is child:
                        self._hand_over(trunk)
            case "incoming":
                self._incoming(child, message)
            case "trunk":
                self._trunk_is(message)
            case "ringing" | "answered" | "dtmf":
                if (leg := self._legs.get((child.index, message["call"]))) is not None:
                    leg.happened(message)
            case "ended":
                if (leg := self._legs.pop((child.index, message["call"]), None)) is not None:
                    leg.happened(message)

    def _trunk_is(self, message: dict[str, Any]) -> None:
        trunk = self._trunks.get(message["trunk_id"])
        if trunk is None or trunk.revision != message["revision"]:
            return
        at = origin(f"{message['at']}:{trunk.port}")
        if message["status"] == "registered" and at is not None:
            self._registered[trunk.trunk_id] = at
        else:
            self._registered.pop(trunk.trunk_id, None)
        self._on_status(
            trunk.trunk_id,
            trunk.revision,
            message["status"],
            message["sip_code"],
            message["reason"],
        )

    def _heard(self, child: ChildLink, number: int, frame: bytes) -> None:
        if (leg := self._legs.get((child.index, number))) is not None:
            leg.heard(frame)

    def _incoming(self, child: ChildLink, message: dict[str, Any]) -> None:
        told = {name.lower(): value for name, value in message["headers"].items()}
        if not self._edge:
            # The edge takes these from strangers; without one anybody might have written them.
            told = {name: value for name, value in told.items() if not name.startswith("x-")}
        source = told.get("x-chamade-source") or message["source"] or ""
        edge_says = told.get("x-chamade-trunk")
        evidence = Evidence(
            chosen=message["trunk_id"],
            registered=message["registered"],
            contact=message["contact"],
            request_user=user_of(told.get("x-chamade-request-uri")),
            source=origin(source),
            edge_says=edge_says if edge_says in self._trunks else None,
        )
        trunk_id = trunk_of(evidence, self._registered)
        leg = SipLeg(child, message["call"], invite=(trunk_id, message["sip_call_id"]))
        merged = self._has(leg.invite)
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
        if merged:
            leg.reject(_MERGED)
            return
        self._exchange.admit(
            leg,
            to=who.to,
            from_=who.from_,
            forwarded_from=who.forwarded_from,
            trunk_id=trunk_id,
            sip_call_id=message["sip_call_id"],
        )

    def _has(self, invite: tuple[str | None, str] | None) -> bool:
        """Whether a call is up that began as another branch of this INVITE. A registrar that still
        has a contact of ours from before a crash forks to both (RFC 3261 16.6)."""
        return any(leg.invite == invite and not leg.over for leg in self._legs.values())

    def _down(self, child: ChildLink) -> None:
        lost = [key for key in self._legs if key[0] == child.index]
        for key in lost:
            self._legs.pop(key).lost("the SIP stack died")
        for trunk in list(self._trunks.values()):
            if self._child_of(trunk.trunk_id) is child:
                self._registered.pop(trunk.trunk_id, None)
                self._on_status(
                    trunk.trunk_id, trunk.revision, "registering", None, "the SIP stack restarts"
                )

    # Trunks and children.

    def _child(self, config: Config, index: int) -> ChildLink:
        low, high = config.rtp_ports
        share = (high - low + 1) // config.sip_children
        settings = Settings(
            host=config.sip_host,
            port=config.sip_ports[index],
            rtp_ports=(low + index * share, low + (index + 1) * share - 1),
            register_interval=int(config.sip_register_interval),
            rtp_timeout=int(config.rtp_timeout),
            edge=config.sip_edge,
            ca_file=config.sip_ca_file,
            log_level=config.log_level,
        )
        child = ChildLink(
            index,
            settings,
            on_event=lambda message: self._happened(child, message),
            on_audio=lambda number, frame: self._heard(child, number, frame),
            on_down=lambda: self._down(child),
        )
        return child

    def _child_of(self, trunk_id: str) -> ChildLink:
        """The same one always, whatever other trunks come and go."""
        return self._children[zlib.crc32(trunk_id.encode()) % len(self._children)]

    def _hand_over(self, trunk: Trunk) -> None:
        address = self._addresses.get(trunk.trunk_id)
        if address is None:
            return  # it is being looked for
        self._child_of(trunk.trunk_id).command(
            do="trunk",
            trunk_id=trunk.trunk_id,
            revision=trunk.revision,
            host=trunk.host,
            address=address,
            port=trunk.port,
            transport=trunk.transport,
            username=trunk.username,
            password=trunk.password,
            realm=trunk.realm,
        )

    async def _find_and_hand_over(self, trunk: Trunk) -> None:
        """The stack is given the address that was checked, and does not ask the name servers again:
        their next answer may be one of our own network."""
        found = await self._find(trunk)
        if self._trunks.get(trunk.trunk_id) is not trunk:
            return
        if not found:
            self._on_status(trunk.trunk_id, trunk.revision, "failed", None, "no such host")
            return
        if self._addresses.get(trunk.trunk_id) not in found:
            self._addresses[trunk.trunk_id] = found[0]
        self._hand_over(trunk)

    async def _find(self, trunk: Trunk) -> list[str]:
        return await addresses_of(trunk, ipv6=self._ipv6, private=self._private)

    async def _keep_looking(self) -> None:
        """Carriers move. A trunk stays where it is as long as its name leads there, and is tried at
        another of its addresses if it is not registered."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            for trunk in list(self._trunks.values()):
                found = await self._find(trunk)
                now = self._addresses.get(trunk.trunk_id)
                others = [address for address in found if address != now]
                lost = now not in found or trunk.trunk_id not in self._registered
                if others and lost and self._trunks.get(trunk.trunk_id) is trunk:
                    self._addresses[trunk.trunk_id] = others[0]
                    self._hand_over(trunk)

    def _beside(self, doing: Any) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
