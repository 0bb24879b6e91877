"""A name server on this machine, by UDP: it knows what a test says, and fails or is silent where a
test wants it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dns.asyncresolver
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

HOST = "127.0.0.1"


class NameServer(asyncio.DatagramProtocol):
    """Records by name and type, e.g. `("c.example.", "A"): ["192.0.2.1"]`.

    A name below broken.example fails; another that it does not know does not exist.
    """

    def __init__(self, records: dict[tuple[str, str], list[str]] | None = None) -> None:
        self.records = records or {}
        self.asked: list[tuple[str, str]] = []
        self.port = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        reply = dns.message.make_response(query)
        if found := self.records.get((name, kind)):
            reply.answer.append(dns.rrset.from_text(name, 1, "IN", kind, *found))
        elif name.endswith("broken.example."):
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif name not in {known for known, _ in self.records}:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(reply.to_wire(), addr)

    def resolver(self) -> dns.asyncresolver.Resolver:
        """A resolver that asks nobody else."""
        found = dns.asyncresolver.Resolver(configure=False)
        found.nameservers, found.port = [HOST], self.port
        return found


@asynccontextmanager
async def name_server(
    records: dict[tuple[str, str], list[str]] | None = None,
) -> AsyncIterator[NameServer]:
    """A running one."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameServer(records), local_addr=(HOST, 0)
    )
    try:
        yield protocol
    finally:
        transport.close()
