"""The host that registers trunks, and its stand-in where there is no SIP stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.trunks import remedies
from gateway.trunks.trunk import Status, Trunk


class TrunkHost(Protocol):
    """The host that registers trunks.

    Its methods are synchronous and must be quick; outcomes go to `Trunks.on_status`.
    """

    def apply(self, trunk: Trunk) -> None:
        """Register a trunk that is new, or a new revision of one."""

    def recognise(self, trunk: Trunk) -> None:
        """Know a trunk that another process registers, new or changed: a call may go out by it,
        and calls from its networks are its."""

    def drop(self, trunk_id: str) -> None:
        """Forget a trunk, and stop registering it."""


class NoSip:
    """The host of a gateway without a SIP stack: every trunk has failed. Implements `TrunkHost`."""

    def __init__(self, on_status: Callable[[str, int, Status, int | None, str], None]) -> None:
        self._on_status = on_status

    def apply(self, trunk: Trunk) -> None:
        """Report that the trunk has failed."""
        self._on_status(trunk.trunk_id, trunk.revision, "failed", None, remedies.NO_SIP)

    def recognise(self, trunk: Trunk) -> None:
        """Do nothing: no call can go out."""

    def drop(self, trunk_id: str) -> None:
        """Do nothing: there is nothing to unregister."""
