"""The lines of all trunks: which host address each has, and the state of each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.config import Config
from gateway.legs.sip.attribution import origin
from gateway.legs.sip.lookup import Servers
from gateway.legs.sip.pace import Pace
from gateway.legs.sip.stack import SipStack
from gateway.legs.sip.trunk_line import Kit, News, TrunkLine
from gateway.sip.events import PingAnswered, PingUnanswered, Unregistered
from gateway.sip.network.locate import Target
from gateway.sip.registration import Registration
from gateway.sip.transaction.flow import Flow
from gateway.trunks.trunk import Status, Trunk

MAX_TRUNKS = 2_080
"""Trunks that one gateway process registers."""
MAX_OTHERS = 10_000
"""Trunks of other processes that one gateway process knows."""
_LOOK_EVERY = 300.0
_LOOK_AGAIN = 5.0
"""Seconds until a name that was not found is looked up again; doubled each time, up to
`_LOOK_EVERY`."""
_GONE_WITHIN = 3.0
"""Seconds for which a stopping gateway waits for registrars to confirm that trunks are gone."""
_NO_ROOM = "this gateway has as many trunks as it can carry"


class OnStatus(Protocol):
    """The callback for a trunk's status."""

    def __call__(
        self, trunk_id: str, revision: int, status: Status, sip_code: int | None, reason: str
    ) -> None:
        """Take one outcome of one registration."""


class TrunkLines:
    """The trunks that are kept registered, or those that other processes keep registered. All data
    of a trunk is removed with it."""

    def __init__(
        self,
        config: Config,
        stack: SipStack,
        on_status: OnStatus,
        servers: Servers | None = None,
        *,
        ours: bool = True,
    ) -> None:
        """`servers` finds the servers of trunks; None: by the name servers of this machine. `ours`
        is False for the trunks of other processes."""
        self._on_status = on_status
        self._kit = Kit(stack, config.sip_edge, Pace(), self._told, {}, ours)
        self._servers = servers or Servers()
        self._private = config.allow_private_trunks
        self._ipv6 = ":" in config.sip_host
        self._trunks: dict[str, Trunk] = {}
        self._waiting: dict[str, Trunk] = {}
        """Trunks for which there is no room."""
        self._lines: dict[str, TrunkLine] = {}
        self._registered: dict[str, str] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}
        """Trunks whose name is being looked up: one look-up at a time for each."""
        self._leaving: set[Registration] = set()
        """The registrations that are being removed."""
        self._gone = asyncio.Event()
        """Set when none is left of them."""

    @property
    def registered(self) -> Mapping[str, str]:
        """Return the address of each registered trunk, in the form of `origin`."""
        return self._registered

    def line_of(self, trunk_id: str | None) -> TrunkLine | None:
        """Return a trunk's line; None if the trunk is not known, or its host is being looked up."""
        return self._lines.get(trunk_id or "")

    def of_contact(self, user: str) -> str | None:
        """Return the trunk that has registered that contact; None if none has."""
        return next((each for each, line in self._lines.items() if line.contact == user), None)

    def apply(self, trunk: Trunk) -> None:
        """Register a trunk, new or changed."""
        known = trunk.trunk_id in self._trunks
        most = MAX_TRUNKS if self._kit.ours else MAX_OTHERS
        if not known and len(self._trunks) >= most:
            self._waiting[trunk.trunk_id] = trunk
            self._on_status(trunk.trunk_id, trunk.revision, "failed", None, _NO_ROOM)
            return
        self._waiting.pop(trunk.trunk_id, None)
        self._trunks[trunk.trunk_id] = trunk
        self._stop_looking(trunk.trunk_id)
        looking = asyncio.create_task(self._find_and_open(trunk))
        self._looking[trunk.trunk_id] = looking
        looking.add_done_callback(lambda task: self._looked(trunk.trunk_id, task))

    def drop(self, trunk_id: str) -> None:
        """Stop registering a trunk; its calls stay up. Its place goes to a waiting trunk."""
        self._waiting.pop(trunk_id, None)
        self._stop_looking(trunk_id)
        self._close(trunk_id)
        if self._trunks.pop(trunk_id, None) is not None and self._waiting:
            self.apply(self._waiting.pop(next(iter(self._waiting))))

    async def close(self) -> None:
        """Unregister all trunks; do not wait long for registrars that do not answer."""
        for trunk_id in list(self._looking):
            self._stop_looking(trunk_id)
        self._gone.clear()
        for trunk_id in list(self._lines):
            self._close(trunk_id)
        if self._leaving:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GONE_WITHIN):
                    await self._gone.wait()

    # Events of the user agent.

    def happened(self, event: News | Unregistered) -> None:
        """Take the outcome of a REGISTER or of OPTIONS."""
        if isinstance(event, Unregistered):
            self._leaving.discard(event.registration)
            if not self._leaving:
                self._gone.set()
            return
        answered = (PingAnswered, PingUnanswered)
        source = event.ping if isinstance(event, answered) else event.registration
        line = self._kit.owners.get(source)
        if line is not None:
            line.happened(event)

    def lose(self, flow: Flow) -> None:
        """Note that a connection broke."""
        for line in list(self._lines.values()):
            line.lose(flow)

    def _told(self, line: TrunkLine, status: Status, sip_code: int | None, reason: str) -> None:
        trunk = line.trunk
        at = origin(f"{line.target.address}:{line.target.port}")
        if status == "registered" and at is not None:
            self._registered[trunk.trunk_id] = at
        else:
            self._registered.pop(trunk.trunk_id, None)
        self._on_status(trunk.trunk_id, trunk.revision, status, sip_code, reason)

    # Servers.

    async def keep_looking(self) -> None:
        """Look up the names again from time to time, since carriers change their addresses.

        A trunk keeps its server as long as its name leads to it.
        """
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            # All at once: a name with slow servers must not hold up the other trunks.
            await asyncio.gather(*(self._look(trunk) for trunk in self._trunks.values()))

    async def _look(self, trunk: Trunk) -> None:
        found = await self._find(trunk)
        if found and self._trunks.get(trunk.trunk_id) is trunk:
            line = self._lines.get(trunk.trunk_id)
            if line is not None and line.target in found:
                line.retarget(found)
            else:
                self._open(trunk, found)

    async def _find_and_open(self, trunk: Trunk) -> None:
        """Look up the trunk's servers until some are found, and open its line.

        The addresses that were checked are used from then on and the name not resolved again: the
        next answer could be an address of our own network.
        """
        pause = _LOOK_AGAIN
        while not (found := await self._find(trunk)):
            self._on_status(trunk.trunk_id, trunk.revision, "failed", None, "no such host")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LOOK_EVERY)
        if self._trunks.get(trunk.trunk_id) is trunk:
            self._open(trunk, found)

    async def _find(self, trunk: Trunk) -> list[Target]:
        return await self._servers.of(trunk, ipv6=self._ipv6, private=self._private)

    def _open(self, trunk: Trunk, found: Sequence[Target]) -> None:
        """Open a line, unless the present one has the same settings and a server that was found."""
        old = self._lines.get(trunk.trunk_id)
        if old is not None:
            if old.target in found and old.suits(trunk):
                old.retarget(found)
                old.change(trunk)
                return
            if old.target in found:  # and it is the first that a new line tries
                at = found.index(old.target)
                found = [*found[at:], *found[:at]]
            self._close(trunk.trunk_id)
        self._lines[trunk.trunk_id] = TrunkLine(trunk, found, self._kit)

    def _close(self, trunk_id: str) -> None:
        self._registered.pop(trunk_id, None)
        if (line := self._lines.pop(trunk_id, None)) is not None:
            if line.registration is not None:
                self._leaving.add(line.registration)
            line.end()

    def _stop_looking(self, trunk_id: str) -> None:
        if (looking := self._looking.pop(trunk_id, None)) is not None:
            looking.cancel()

    def _looked(self, trunk_id: str, task: asyncio.Task[None]) -> None:
        if self._looking.get(trunk_id) is task:
            del self._looking[trunk_id]
