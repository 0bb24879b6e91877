"""What registers trunks, and what takes its place where there is no SIP stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway import remedies
from gateway.trunk import Status, Trunk


class TrunkHost(Protocol):
    """What registers trunks. Plain calls that must be quick; outcomes go to `Trunks.on_status`."""

    def apply(self, trunk: Trunk) -> None:
        """A trunk that is new, or another revision of one: registered from now on."""

    def drop(self, trunk_id: str) -> None:
        """A trunk that is to be registered no longer."""


class NoSip:
    """The host of a gateway without a SIP stack: every trunk has failed. Implements `TrunkHost`."""

    def __init__(self, on_status: Callable[[str, int, Status, int | None, str], None]) -> None:
        self._on_status = on_status

    def apply(self, trunk: Trunk) -> None:
        """Says so."""
        self._on_status(trunk.trunk_id, trunk.revision, "failed", None, remedies.NO_SIP)

    def drop(self, trunk_id: str) -> None:
        """There is nothing to unregister."""
