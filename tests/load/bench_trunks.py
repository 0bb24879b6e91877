"""The trunks of a gateway under measurement, and the registrar where they are registered.

The registrar accepts everybody. It runs in a thread of the bench and does not matter to the load.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from local.carrier import Message
from tests.load.programs import DidNotStart
from tests.load.trunk_list import TrunkList, trunk_id
from tests.support.ports import HOST, free_port

_CONTACT = re.compile(r"<sips?:([^@>;]+)@")
_WITHIN_S = 20.0


class Registrar:
    """A registrar over UDP."""

    def __init__(self, port: int) -> None:
        self.contacts: dict[str, str] = {}
        """By Call-ID of the registration: the user of the Contact."""
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind((HOST, port))
        self._socket.settimeout(0.2)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the socket."""
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                data, source = self._socket.recvfrom(65_536)
                self._answer(Message.parse(data), source)
            except (TimeoutError, ValueError):
                continue

    def _answer(self, message: Message, source: tuple[str, int]) -> None:
        if message.is_response:
            return
        found = _CONTACT.search(message.get("contact"))
        if message.method == "REGISTER" and found is not None:
            self.contacts[message.get("call-id")] = found[1]
        copied = ("via", "from", "call-id", "cseq", "contact", "expires")
        headers = [(name, value) for name, value in message.headers if name.lower() in copied]
        headers += [("To", f"{message.get('to')};tag=bench"), ("Content-Length", "0")]
        self._socket.sendto(Message("SIP/2.0 200 OK", headers, "").encode(), source)


@contextmanager
def registrar(trunks: TrunkList, count: int) -> Iterator[Registrar]:
    """Add that many trunks to the list, and let them register meanwhile."""
    port = free_port()
    for at in range(count):
        trunks.add(trunk_id(at), port=port, username=f"acct{at}")
    made = Registrar(port)
    try:
        yield made
    finally:
        made.stop()


def contacts(made: Registrar, count: int) -> list[str]:
    """Wait until all trunks have registered; return the users to which calls are sent."""
    deadline = time.monotonic() + _WITHIN_S
    while len(made.contacts) < count:
        if time.monotonic() > deadline:
            raise DidNotStart(f"{len(made.contacts)} of {count} trunks have registered")
        time.sleep(0.05)
    return sorted(made.contacts.values())
