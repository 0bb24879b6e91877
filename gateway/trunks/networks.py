"""The networks from which trunks take calls, and which trunks each belongs to. No I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from gateway.trunks.fields import Network

MAX_NETWORKS = 20_000
"""Networks of all trunks that one gateway process knows; one of two trunks counts twice."""
KEPT_BY_EDGE_S = 90
"""Seconds for which the edge lets calls from a network in after it was told."""
TOLD_AT_ONCE = 64
"""Networks of one message to the edge."""

_IPV4 = 4
_SEVERAL = 2
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Trunks = dict[int, set[str]]
"""Trunks by the first bits of their networks' addresses."""


class Holders(NamedTuple):
    """The longest network that holds an address, and the trunk; None if several trunks hold it."""

    network: Network
    trunk_id: str | None


class Networks:
    """The networks of trunks, found by an address without looking at each."""

    def __init__(self) -> None:
        self._of_trunk: dict[str, tuple[Network, ...]] = {}
        self._trunks: dict[tuple[int, int], _Trunks] = {}
        """Trunks by version and length of prefix, and by these first bits."""
        self._held = 0

    def put(self, trunk_id: str, networks: Iterable[Network]) -> bool:
        """Set the networks of a trunk. Return False, and leave it without any, if there is no
        room."""
        self.remove(trunk_id)
        wanted = tuple(dict.fromkeys(networks))
        if self._held + len(wanted) > MAX_NETWORKS:
            return False
        self._of_trunk[trunk_id] = wanted
        self._held += len(wanted)
        for network in wanted:
            by_bits = self._trunks.setdefault((network.version, network.prefixlen), {})
            by_bits.setdefault(_first_bits(network.network_address, network), set()).add(trunk_id)
        return True

    def remove(self, trunk_id: str) -> None:
        """Forget a trunk's networks."""
        networks = self._of_trunk.pop(trunk_id, ())
        self._held -= len(networks)
        for network in networks:
            key = network.version, network.prefixlen
            bits = _first_bits(network.network_address, network)
            self._trunks[key][bits].discard(trunk_id)
            if not self._trunks[key][bits]:
                del self._trunks[key][bits]
            if not self._trunks[key]:
                del self._trunks[key]

    def holding(self, address: str) -> Holders | None:
        """Return who holds an address; None if nobody does, or it is no address."""
        found = _address(address)
        if found is None:
            return None
        longest: int | None = None
        trunks: set[str] = set()
        for length in range(found.max_prefixlen, -1, -1):
            by_bits = self._trunks.get((found.version, length))
            there = by_bits.get(int(found) >> found.max_prefixlen - length) if by_bits else None
            if there:
                longest = length if longest is None else longest
                trunks.update(islice(there, _SEVERAL))
            if len(trunks) >= _SEVERAL:
                break
        if longest is None:
            return None
        network = ipaddress.ip_network((found, longest), strict=False)
        return Holders(network, trunks.pop() if len(trunks) == 1 else None)

    def all_ipv4(self) -> Iterator[ipaddress.IPv4Network]:
        """Return each present IPv4 network once. They are made one by one, as they are taken."""
        present = [
            (length, list(by_bits))
            for (version, length), by_bits in self._trunks.items()
            if version == _IPV4
        ]
        return (
            ipaddress.IPv4Network((bits << 32 - length, length))
            for length, all_bits in present
            for bits in all_bits
        )


def _first_bits(address: _Address, network: Network) -> int:
    return int(address) >> network.max_prefixlen - network.prefixlen


def _address(text: str) -> _Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    inner = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return inner or found
