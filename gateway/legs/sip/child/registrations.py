"""The registrations of a child: one keeper for each of its trunks."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from weakref import WeakValueDictionary

from baresip import Runtime

from gateway.legs.sip.child import native
from gateway.legs.sip.child.agents import Agents, TrunkAccount
from gateway.legs.sip.child.keeper import Keeper, Kit, Report
from gateway.legs.sip.child.pace import Pace

_CONFIRMED_WITHIN = 3.0


class Registrations:
    """The trunks of one child.

    Each outcome is passed to `report(trunk, status, sip_code, reason)`.
    """

    def __init__(
        self, runtime: Runtime, stack: native.StackThread, agents: Agents, report: Report
    ) -> None:
        self._runtime = runtime
        self._kit = Kit(stack, agents, Pace(), report)
        self._keepers: dict[str, Keeper] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """The lock of each trunk, as long as it has a keeper."""

    def get(self, trunk_id: str) -> Keeper | None:
        """Return the keeper of a trunk; None if there is none."""
        return self._keepers.get(trunk_id)

    def apply(self, trunk: TrunkAccount) -> None:
        """Register a trunk that is new or has changed."""
        keeper = self._keepers.get(trunk.trunk_id)
        if keeper is not None:
            if dataclasses.replace(keeper.trunk, revision=trunk.revision) == trunk:
                keeper.change(trunk)
                return
            keeper.stop()
        turn = self._turns.setdefault(trunk.trunk_id, asyncio.Lock())
        self._keepers[trunk.trunk_id] = Keeper(trunk, turn, self._kit)

    def drop(self, trunk_id: str) -> None:
        """Stop registering a trunk."""
        if (keeper := self._keepers.pop(trunk_id, None)) is not None:
            keeper.stop()

    async def close(self) -> None:
        """Unregister all trunks; do not wait for registrars that do not answer."""
        keepers, self._keepers = list(self._keepers.values()), {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CONFIRMED_WITHIN):
                await asyncio.gather(*(keeper.end(self._runtime) for keeper in keepers))
