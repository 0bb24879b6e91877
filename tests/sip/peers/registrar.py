"""A registrar over UDP for a crowd: it challenges, keeps whom it has, and takes calls if it is told
how. What Kamailio does for a few accounts, this does for thousands without a process.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from local.carrier import Address, Message
from tests.support.ports import HOST

Answer = Callable[[Message], str | None]
"""The answer to an INVITE: a status line's end, such as `486 Busy Here`; None: no answer."""

_KEPT = ("via", "v", "from", "f", "call-id", "i", "cseq")
_CONTACT = re.compile(r"<sips?:([^@>;]+)@[^>]*>(?:.*?expires=(\d+))?")
_AOR = re.compile(r"sips?:([^@>;]+)@")
_BUFFER = 4 << 20


def busy(_invite: Message) -> str:
    """Every INVITE is refused."""
    return "486 Busy Here"


def rings(_invite: Message) -> str:
    """Every INVITE rings on."""
    return "180 Ringing"


class Registrar(asyncio.DatagramProtocol):
    """`answer` says what becomes of an INVITE; `sdp` goes with a 200."""

    def __init__(self, answer: Answer = busy, *, challenges: bool = True, expires: int = 3600):
        self.answer, self.challenges, self.expires = answer, challenges, expires
        self.sdp = ""
        self.options: str | None = "200 OK"
        """The answer to OPTIONS; None: no answer."""
        self.challenges_calls = False
        """True if INVITEs need credentials."""
        self.bindings: dict[str, set[str]] = defaultdict(set)
        """By user: the contacts that are registered."""
        self.began: list[float] = []
        """The time of each registration's first REGISTER."""
        self.requests: Counter[str] = Counter()
        """Received requests, by method."""
        self.invites: list[Message] = []
        self._asked: set[str] = set()
        self._calls: dict[str, Message] = {}
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(HOST, 0)
        )
        socket = self._transport.get_extra_info("socket")
        socket.setsockopt(1, 33, _BUFFER)  # SO_RCVBUFFORCE: a crowd comes at once
        self.port: int = socket.getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._transport.close()

    @property
    def registered(self) -> int:
        """Return how many users have a contact here."""
        return sum(1 for contacts in self.bindings.values() if contacts)

    async def until(self, ready: Callable[[], Any], within_s: float = 10) -> None:
        """Until `ready()`, which is asked after each message. TimeoutError."""
        async with asyncio.timeout(within_s):
            while not ready():
                self._news.clear()
                await self._news.wait()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        try:
            message = Message.parse(data)
        except ValueError:
            return  # a keep-alive
        if not message.is_response:
            self.requests[message.method] += 1
            self._take(message, addr)
            self._news.set()

    def _take(self, message: Message, addr: Address) -> None:
        match message.method:
            case "REGISTER":
                self._register(message, addr)
            case "OPTIONS":
                if self.options is not None:
                    self.respond(message, addr, self.options)
            case "INVITE" if self.challenges_calls and not message.get("authorization"):
                challenge = 'Digest realm="here", nonce="call", algorithm=MD5'
                self.respond(message, addr, "401 Unauthorized", ("WWW-Authenticate", challenge))
            case "INVITE":
                self.invites.append(message)
                self._calls[message.get("call-id")] = message
                if (status := self.answer(message)) is not None:
                    self.respond(message, addr, status)
            case "CANCEL":
                self.respond(message, addr, "200 OK")
                if (invite := self._calls.get(message.get("call-id"))) is not None:
                    self.respond(invite, addr, "487 Request Terminated")
            case "ACK":
                pass
            case _:
                self.respond(message, addr, "200 OK")

    def _register(self, message: Message, addr: Address) -> None:
        call_id = message.get("call-id")
        if call_id not in self._asked:
            self._asked.add(call_id)
            self.began.append(time.monotonic())
        if self.challenges and not message.get("authorization"):
            challenge = f'Digest realm="here", nonce="{len(self._asked)}", algorithm=MD5'
            self.respond(message, addr, "401 Unauthorized", ("WWW-Authenticate", challenge))
            return
        contact, aor = _CONTACT.search(message.get("contact")), _AOR.search(message.get("to"))
        assert contact is not None
        assert aor is not None
        requested = contact[2] or message.get("expires") or str(self.expires)
        if requested == "0":
            self.bindings[aor[1]].discard(contact[1])
        else:
            self.bindings[aor[1]].add(contact[1])
        granted = f"{contact[0].partition('>')[0]}>;expires={min(int(requested), self.expires)}"
        self.respond(message, addr, "200 OK", ("Contact", granted))

    def respond(self, message: Message, addr: Address, status: str, *more: tuple[str, str]) -> None:
        """Answers a request."""
        body = self.sdp if status.startswith("200") and message.method == "INVITE" else ""
        headers = [(n, v) for n, v in message.headers if n.lower() in _KEPT]
        to = message.get("to")
        headers += [("To", to if "tag=" in to else f"{to};tag=here"), *more]
        if message.method == "INVITE":
            headers.append(("Contact", f"<sip:here@{HOST}:{self.port}>"))
        if body:
            headers.append(("Content-Type", "application/sdp"))
        headers.append(("Content-Length", str(len(body))))
        self._transport.sendto(Message(f"SIP/2.0 {status}", headers, body).encode(), addr)
