"""Tests of the demonstrations' carrier with malformed SIP."""

from __future__ import annotations

import asyncio
import hashlib
import re

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


async def test_a_customer_who_knows_the_password_is_registered():
    port = free_port()
    loop = asyncio.get_running_loop()
    async with carrier(port, "user", "password", (HOST, free_port())) as running:
        transport, peer = await loop.create_datagram_endpoint(Peer, remote_addr=(HOST, port))
        transport.sendto(register(port))
        challenge = (await asyncio.wait_for(peer.received.get(), 5)).decode()
        nonce = re.search(r'nonce="(\w+)"', challenge)[1]

        def md5(text):
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        secret, method_hash = md5("user:carrier:password"), md5(f"REGISTER:sip:{HOST}:{port}")
        response = md5(f"{secret}:{nonce}:00000001:c:auth:{method_hash}")
        transport.sendto(
            register(
                port,
                f'Authorization: Digest username="user", realm="carrier", nonce="{nonce}", '
                f'uri="sip:{HOST}:{port}", qop=auth, nc=00000001, cnonce="c", '
                f'response="{response}"\r\n',
            )
        )
        await asyncio.wait_for(running.registered.wait(), 5)
        transport.close()
