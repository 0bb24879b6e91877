"""Tests of the demonstrations' carrier with malformed SIP."""

from __future__ import annotations

import asyncio
import hashlib
import re
from contextlib import asynccontextmanager

import pytest

from local.carrier import LONGEST, carrier
from local.layout import HOST
from tests.support.ports import free_port


class Peer(asyncio.DatagramProtocol):
    """A socket, and what came to it."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data, addr):
        self.received.put_nowait(data)


def register(port: int, extra: str = "") -> bytes:
    return (
        f"REGISTER sip:{HOST}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:1;branch=z9hG4bKx\r\n"
        f"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\n"
        f"Contact: <sip:a@{HOST}:1>\r\n{extra}Content-Length: 0\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\xff" * 1000,
        b"x" * (LONGEST + 1),
        b"SIP/2.0 200 OK\r\nVia: a;rport=99999\r\nVia: b;rport=99999\r\nCSeq: 1 INVITE\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: a;rport=1\r\nVia: b;rport=0\r\nCSeq: 1 INVITE\r\n\r\n",
        b"BYE sip:x SIP/2.0\r\nVia: \r\nCSeq: 1 BYE\r\n\r\n",
        b"INVITE\r\nVia: a\r\nCSeq: 1 INVITE\r\n\r\n",
        "wrong digest",
    ],
)
async def test_no_datagram_stops_the_carrier(bad):
    port = free_port()
    loop = asyncio.get_running_loop()
    async with carrier(port, "user", "password", (HOST, free_port())) as running:
        transport, peer = await loop.create_datagram_endpoint(Peer, remote_addr=(HOST, port))
        if bad == "wrong digest":  # of letters that a digest cannot have
            nonce = running._nonce
            header = (
                f'Authorization: Digest username="user", nonce="{nonce}", response="\u00e9"\r\n'
            )
            bad = register(port, header)
        failed = []
        loop.set_exception_handler(lambda _, context: failed.append(context))
        transport.sendto(bad)
        transport.sendto(register(port))
        answers = [await asyncio.wait_for(peer.received.get(), 5)]
        while not answers[-1].startswith(b"SIP/2.0 401"):
            answers.append(await asyncio.wait_for(peer.received.get(), 5))
        transport.close()
        assert failed == []


async def test_a_contact_that_is_a_name_is_not_looked_up():
    port = free_port()
    loop = asyncio.get_running_loop()
    phone, phone_heard = await loop.create_datagram_endpoint(Peer, local_addr=(HOST, 0))
    async with carrier(port, "user", "password", phone.get_extra_info("sockname")) as running:
        running.contact = "sip:a@name.example:5060"
        invite = register(port).replace(b"REGISTER", b"INVITE")
        phone.sendto(invite, (HOST, port))
        phone.sendto(register(port), (HOST, port))
        challenge = await asyncio.wait_for(phone_heard.received.get(), 5)
        assert challenge.startswith(b"SIP/2.0 401")
        phone.close()


class Customer:
    """A customer who knows the password."""

    def __init__(self, port: int, peer: Peer, transport) -> None:
        self.port, self.peer, self.transport, self.count = port, peer, transport, 0

    async def register(self, extra: str = "", contact: int = 1) -> bytes:
        """Register, or what `extra` says; return the answer."""
        self.transport.sendto(register(self.port))
        challenge = (await asyncio.wait_for(self.peer.received.get(), 5)).decode()
        nonce = re.search(r'nonce="(\w+)"', challenge)[1]
        secret = md5("user:carrier:password")
        method_hash = md5(f"REGISTER:sip:{HOST}:{self.port}")
        proof = md5(f"{secret}:{nonce}:00000001:c:auth:{method_hash}")
        digest = (
            f'Authorization: Digest username="user", realm="carrier", nonce="{nonce}", '
            f'uri="sip:{HOST}:{self.port}", qop=auth, nc=00000001, cnonce="c", '
            f'response="{proof}"\r\n'
        )
        whole = register(self.port, digest + extra)
        self.transport.sendto(whole.replace(f"{HOST}:1>".encode(), f"{HOST}:{contact}>".encode()))
        return await asyncio.wait_for(self.peer.received.get(), 5)


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@asynccontextmanager
async def customer():
    """A carrier, and its customer."""
    port = free_port()
    async with carrier(port, "user", "password", (HOST, free_port())) as running:
        transport, peer = await asyncio.get_running_loop().create_datagram_endpoint(
            Peer, remote_addr=(HOST, port)
        )
        yield running, Customer(port, peer, transport)
        transport.close()


async def test_a_customer_who_knows_the_password_is_registered():
    async with customer() as (running, one):
        assert (await one.register()).startswith(b"SIP/2.0 200")
        assert running.registered.is_set()
        assert running.contact == f"sip:a@{HOST}:1"


async def test_a_customer_who_leaves_has_no_contact_any_more():
    async with customer() as (running, one):
        await one.register()
        assert (await one.register("Expires: 0\r\n")).startswith(b"SIP/2.0 200")
        assert running.contact == ""


async def test_a_registration_that_was_replaced_leaves_without_harm():
    async with customer() as (running, one):
        await one.register(contact=1)
        await one.register(contact=2)
        await one.register("Expires: 0\r\n", contact=1)
        assert running.contact == f"sip:a@{HOST}:2"
