"""The carrier of `make run` and `make demo`: a registrar that wants a password, a proxy to a phone.

Enough of SIP over UDP for a trunk to register, dial out and be called, and no more: stateless
forwarding, no TCP, nothing kept. Not a product, and not for a network.
Sources: RFC 3261 (10 registrars, 16.11 stateless proxies), RFC 7616/2617 (digest, MD5, qop=auth).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

from local.layout import HOST

Address = tuple[str, int]
LONGEST = 16 * 1024
"""Bytes of a message; an INVITE has two thousand. Longer messages are not read."""
_COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
}


@dataclass
class Message:
    """A SIP message: its first line, its header lines in order, its body."""

    first: str
    headers: list[tuple[str, str]]
    body: str

    @classmethod
    def parse(cls, datagram: bytes) -> Message:
        """Parse a datagram. Raises ValueError if it is no SIP message."""
        head, _, body = datagram.decode("utf-8", "replace").partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        headers = [
            (name.strip(), value.strip()) for name, _, value in (x.partition(":") for x in lines)
        ]
        message = cls(first, headers, body)
        if not message.get("via") or not message.get("cseq"):
            raise ValueError("no SIP message")
        return message

    def get(self, name: str) -> str:
        """Return the first header of that name, or ""."""
        return next((v for n, v in self.headers if _COMPACT.get(n.lower(), n.lower()) == name), "")

    def encode(self) -> bytes:
        """Return the message as bytes, ready to be sent."""
        lines = [self.first, *(f"{name}: {value}" for name, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()

    @property
    def method(self) -> str:
        """Return the method, as `INVITE`; for a response the method that it answers."""
        return self.get("cseq").split()[-1]

    @property
    def is_response(self) -> bool:
        """Return whether the message is a response."""
        return self.first.startswith("SIP/2.0 ")


class Carrier(asyncio.DatagramProtocol):
    """A carrier with one customer (`username`, `password`) and one phone for every number."""

    def __init__(self, port: int, username: str, password: str, phone: Address) -> None:
        self.port, self.username, self.phone = port, username, phone
        self.registered = asyncio.Event()
        self.contact = ""
        self._password = password
        self._nonce = secrets.token_hex(16)
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport of the open socket."""
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Answer or forward a message; one that cannot be read is dropped."""
        if len(data) > LONGEST:
            return
        with contextlib.suppress(ValueError):
            message = Message.parse(data)
            if message.is_response:
                self._back(message)
            else:
                self._request(message, addr)

    def _request(self, message: Message, source: Address) -> None:
        match message.method:
            case "REGISTER":
                self._register(message, source)
            case "INVITE" if source == self.phone and not self.contact:
                self._answer(message, source, "480 Temporarily Unavailable")
            case "INVITE" if source == self.phone:
                self._forward(message, source, self.contact)
            case "INVITE" if not self._proven(message, "proxy-authorization"):
                challenge = ("Proxy-Authenticate", self._challenge())
                self._answer(message, source, "407 Proxy Authentication Required", challenge)
            case "ACK" if "tag=carrier" in message.get("to"):
                pass  # it ends what the carrier itself has refused
            case _:
                onwards = self.contact if source == self.phone else self._phone_uri
                self._forward(message, source, onwards)

    @property
    def _phone_uri(self) -> str:
        return f"sip:phone@{self.phone[0]}:{self.phone[1]}"

    def _register(self, message: Message, source: Address) -> None:
        if not self._proven(message, "authorization"):
            challenge = ("WWW-Authenticate", self._challenge())
            self._answer(message, source, "401 Unauthorized", challenge)
            return
        contact = message.get("contact")
        found = re.search(r"<([^>]+)>", contact)
        uri = found[1] if found else contact
        if message.get("expires") != "0" and not re.search(r";expires=0\b", contact):
            self.contact = uri
        elif uri == self.contact:  # not if a newer registration has replaced it
            self.contact = ""
        self._answer(message, source, "200 OK", ("Contact", contact))
        self.registered.set()

    def _forward(self, message: Message, source: Address, uri: str) -> None:
        """Forward a request to `uri`: the phone's, or the customer's contact. The new branch is
        computed from the one below it, so that a CANCEL has the same branch as its INVITE."""
        top = message.get("via")
        branch = hashlib.sha256(top.encode()).hexdigest()[:16]
        headers = [
            h for h in message.headers if h[0].lower() not in ("route", "proxy-authorization")
        ]
        at = next(i for i, (name, _) in enumerate(headers) if name.lower() in ("via", "v"))
        headers[at] = (
            "Via",
            f"{top};received={source[0]};rport={source[1]}".replace(";rport;", ";"),
        )
        headers.insert(at, ("Via", f"SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bK{branch}"))
        method, _, version = message.first.split(" ")
        host, _, port = uri.partition("@")[2].partition(";")[0].partition(":")
        self._send(Message(f"{method} {uri} {version}", headers, message.body), (host, int(port)))

    def _back(self, message: Message) -> None:
        """Send a response back to the address in the next Via."""
        headers = list(message.headers)
        del headers[next(i for i, (name, _) in enumerate(headers) if name.lower() in ("via", "v"))]
        onwards = Message(message.first, headers, message.body)
        port = re.search(r"rport=(\d+)", onwards.get("via"))
        if port:
            self._send(onwards, (HOST, int(port[1])))

    def _answer(
        self, message: Message, source: Address, status: str, *extra: tuple[str, str]
    ) -> None:
        copied = ("via", "v", "from", "f", "call-id", "i", "cseq")
        headers = [(n, v) for n, v in message.headers if n.lower() in copied]
        headers += [("To", f"{message.get('to')};tag=carrier"), *extra, ("Content-Length", "0")]
        self._send(Message(f"SIP/2.0 {status}", headers, ""), source)

    def _challenge(self) -> str:
        return f'Digest realm="carrier", nonce="{self._nonce}", qop="auth", algorithm=MD5'

    def _proven(self, message: Message, header: str) -> bool:
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', message.get(header)))
        if given.get("username") != self.username or given.get("nonce") != self._nonce:
            return False
        secret = _md5(f"{self.username}:carrier:{self._password}")
        request_hash = _md5(f"{message.method}:{given.get('uri')}")
        parts = (
            secret,
            self._nonce,
            given.get("nc"),
            given.get("cnonce"),
            given.get("qop"),
            request_hash,
        )
        response = given.get("response", "").encode()
        return hmac.compare_digest(_md5(":".join(map(str, parts))).encode(), response)

    def _send(self, message: Message, to: Address) -> None:
        """Send a message to an address. Raises ValueError if the address is invalid: to look a name
        up would block, and an impossible port would close the socket.
        """
        ipaddress.ip_address(to[0])
        if not 0 < to[1] < 1 << 16:
            raise ValueError(f"no port: {to[1]}")
        assert self._transport is not None
        self._transport.sendto(message.encode(), to)


@contextlib.asynccontextmanager
async def carrier(
    port: int, username: str, password: str, phone: Address
) -> AsyncIterator[Carrier]:
    """Run a carrier on loopback."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: Carrier(port, username, password, phone), local_addr=(HOST, port)
    )
    try:
        yield protocol
    finally:
        transport.close()


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
