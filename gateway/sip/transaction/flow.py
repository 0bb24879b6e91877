"""Flows: the ways by which messages come and go, as plain values (RFC 5626 1.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Transport = Literal["UDP", "TCP", "TLS"]
DEFAULT_PORT = 5060


@dataclass(frozen=True, slots=True)
class Flow:
    """A way to one peer: a UDP socket and an address, or one connection.

    `connection` tells connections apart that have the same addresses; 0 for UDP. Whoever does the
    I/O finds socket or connection by this value.
    """

    transport: Transport
    remote: tuple[str, int]
    local: tuple[str, int]
    connection: int = 0

    @property
    def reliable(self) -> bool:
        """Return whether nothing needs to be sent twice."""
        return self.transport != "UDP"

    def to_port(self, port: int) -> Flow:
        """Return the flow to another port of the same peer."""
        return replace(self, remote=(self.remote[0], port))


class Outbox:
    """The bytes that are to be sent, until whoever does the I/O takes them."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[tuple[Flow, bytes]] = []

    def send(self, flow: Flow, data: bytes) -> None:
        """Send these bytes by that flow, behind all others."""
        self._waiting.append((flow, data))

    def take(self) -> list[tuple[Flow, bytes]]:
        """Return what is waiting, and forget it."""
        waiting, self._waiting = self._waiting, []
        return waiting
