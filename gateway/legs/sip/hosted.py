"""The trunks that the children keep registered: the child, the address and the state of each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from gateway.config import Config
from gateway.legs.sip.attribution import origin
from gateway.legs.sip.bounds import Placement
from gateway.legs.sip.link import ChildLink
from gateway.legs.sip.lookup import addresses_of
from gateway.trunks.trunk import Status, Trunk

_LOOK_EVERY = 300.0
_LOOK_AGAIN = 5.0
"""Seconds until a name that was not found is looked up again; doubled each time, up to
`_LOOK_EVERY`."""
_NO_ROOM = "this gateway has as many trunks as it can carry"


class OnStatus(Protocol):
    """The callback for a trunk's status."""

    def __call__(
        self, trunk_id: str, revision: int, status: Status, sip_code: int | None, reason: str
    ) -> None:
        """Take one outcome of one registration."""


class HostedTrunks:
    """The trunks of all children. All data of a trunk is removed with it."""

    def __init__(self, config: Config, children: list[ChildLink], on_status: OnStatus) -> None:
        self._children = children
        self._on_status = on_status
        self._private = config.allow_private_trunks
        self._ipv6 = ":" in config.sip_host
        self._placement = Placement(len(children))
        self._trunks: dict[str, Trunk] = {}
        self._waiting: dict[str, Trunk] = {}
        """Trunks for which no child has room."""
        self._addresses: dict[str, str] = {}
        self._registered: dict[str, str] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}
        """Trunks whose name is being looked up: one look-up at a time for each."""

    @property
    def registered(self) -> Mapping[str, str]:
        """Return the address of each registered trunk, in the form of `origin`."""
        return self._registered

    def get(self, trunk_id: str | None) -> Trunk | None:
        """Return a trunk that a child has; None if there is none."""
        return self._trunks.get(trunk_id or "")

    def child_of(self, trunk_id: str) -> ChildLink | None:
        """Return the child of a trunk; None if it has none."""
        index = self._placement.child_of(trunk_id)
        return self._children[index] if index is not None else None

    def apply(self, trunk: Trunk) -> None:
        """Register a trunk, new or changed."""
        self._registered.pop(trunk.trunk_id, None)
        if self._placement.place(trunk.trunk_id) is None:
            self._waiting[trunk.trunk_id] = trunk
            self._on_status(trunk.trunk_id, trunk.revision, "failed", None, _NO_ROOM)
            return
        self._waiting.pop(trunk.trunk_id, None)
        self._trunks[trunk.trunk_id] = trunk
        self._stop_looking(trunk.trunk_id)
        looking = asyncio.create_task(self._find_and_hand_over(trunk))
        self._looking[trunk.trunk_id] = looking
        looking.add_done_callback(lambda task: self._looked(trunk.trunk_id, task))

    def drop(self, trunk_id: str) -> None:
        """Stop registering a trunk; its calls stay up. Its place goes to a waiting trunk."""
        self._waiting.pop(trunk_id, None)
        self._addresses.pop(trunk_id, None)
        self._registered.pop(trunk_id, None)
        self._stop_looking(trunk_id)
        if self._trunks.pop(trunk_id, None) is None:
            return
        if (child := self.child_of(trunk_id)) is not None:
            child.command(do="drop", trunk_id=trunk_id)
        self._placement.remove(trunk_id)
        if self._waiting:
            self.apply(self._waiting.pop(next(iter(self._waiting))))

    # Events of the children.

    def ready(self, child: ChildLink) -> None:
        """Send the trunks of a child to it, when it has just started."""
        for trunk_id in self._placement.trunks_on(child.index):
            self._hand_over(self._trunks[trunk_id])

    def down(self, child: ChildLink) -> None:
        """Report that a child's trunks are not registered at present."""
        for trunk_id in self._placement.trunks_on(child.index):
            trunk = self._trunks[trunk_id]
            self._registered.pop(trunk_id, None)
            self._on_status(trunk_id, trunk.revision, "registering", None, "the SIP stack restarts")

    def told(self, message: dict[str, Any]) -> None:
        """Take over a child's report on the state of a trunk."""
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

    # Addresses.

    async def keep_looking(self) -> None:
        """Look up the names again from time to time, since carriers change their addresses.

        A trunk keeps its address as long as its name resolves to it. If it is not registered,
        another address of its name is tried.
        """
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            # All at once: a name with slow servers must not hold up the other trunks.
            await asyncio.gather(*(self._look(trunk) for trunk in self._trunks.values()))

    async def _look(self, trunk: Trunk) -> None:
        found = await self._find(trunk)
        now = self._addresses.get(trunk.trunk_id)
        others = [address for address in found if address != now]
        lost = now not in found or trunk.trunk_id not in self._registered
        if others and lost and self._trunks.get(trunk.trunk_id) is trunk:
            self._addresses[trunk.trunk_id] = others[0]
            self._hand_over(trunk)

    async def _find_and_hand_over(self, trunk: Trunk) -> None:
        """Look up the trunk's host until it is found, and give the trunk to its child.

        The stack gets the address that was checked and does not resolve the name again: the next
        answer could be an address of our own network.
        """
        pause = _LOOK_AGAIN
        while not (found := await self._find(trunk)):
            self._on_status(trunk.trunk_id, trunk.revision, "failed", None, "no such host")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LOOK_EVERY)
        if self._trunks.get(trunk.trunk_id) is not trunk:
            return
        if self._addresses.get(trunk.trunk_id) not in found:
            self._addresses[trunk.trunk_id] = found[0]
        self._hand_over(trunk)

    async def _find(self, trunk: Trunk) -> list[str]:
        return await addresses_of(trunk, ipv6=self._ipv6, private=self._private)

    def _hand_over(self, trunk: Trunk) -> None:
        address, child = self._addresses.get(trunk.trunk_id), self.child_of(trunk.trunk_id)
        if address is None or child is None:
            return  # its name is still being looked up
        child.command(
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

    def _stop_looking(self, trunk_id: str) -> None:
        if (looking := self._looking.pop(trunk_id, None)) is not None:
            looking.cancel()

    def _looked(self, trunk_id: str, task: asyncio.Task[None]) -> None:
        if self._looking.get(trunk_id) is task:
            del self._looking[trunk_id]
