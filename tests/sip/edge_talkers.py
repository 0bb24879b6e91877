"""Peers of an edge: plain UDP sockets, and a carrier over TCP or TLS.

127.0.0.1 is the inside, 127.0.0.2 what the edge calls public, other 127.0.0.x are the world.
"""

from __future__ import annotations

import contextlib
import queue
import re
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

from tests.sip.edge_messages import Message, reply

INSIDE = "127.0.0.1"
PUBLIC = "127.0.0.2"
PEER = "127.0.0.10"


class Talker:
    """A UDP socket that says and hears SIP; answers OPTIONS by itself if it is told to."""

    def __init__(self, ip, port=0, *, answers_options=False, user="talker"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ip, port))
        self.socket.settimeout(0.2)
        self.ip, self.port = self.socket.getsockname()
        self.user = user
        self.domain = "trunk.example" if self.ip == INSIDE else self.ip
        self.received: queue.Queue[Message] = queue.Queue()
        self.everything: list[Message] = []
        self._answers_options = answers_options
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def at(self):
        return f"{self.ip}:{self.port}"

    def _run(self):
        while not self._closed:
            try:
                raw, source = self.socket.recvfrom(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            message = Message.parse(raw, source)
            if (answer := self.answer_to(message)) is not None:
                self.send(answer, source)
                continue
            self.everything.append(message)
            self.received.put(message)

    def answer_to(self, message):
        """Return the automatic answer to a message; None: it is for the test to answer."""
        is_probe = self._answers_options and message.method == "OPTIONS"
        return reply(message, 200) if is_probe else None

    def send(self, text, to):
        self.socket.sendto(text.encode() if isinstance(text, str) else text, to)

    def expect(self, what, timeout=3.0):
        """The next message that is the method or status `what`; others are skipped."""
        until = time.monotonic() + timeout
        skipped = []
        while (left := until - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                message = self.received.get(timeout=left)
                if what in (message.method, message.status):
                    return message
                skipped.append(message.first)
        raise AssertionError(f"{self.at} heard no {what}, but {skipped}")

    def expect_nothing(self, timeout=0.5):
        with contextlib.suppress(queue.Empty):
            raise AssertionError(f"{self.at} heard {self.received.get(timeout=timeout).raw!r}")

    def forget(self):
        while not self.received.empty():
            self.received.get_nowait()

    def close(self):
        self._closed = True
        self._thread.join(1)
        self.socket.close()


def server_context(directory: Path):
    """TLS with a certificate that nobody has signed."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=carrier"]
    subprocess.run([*make, "-keyout", key, "-out", cert], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


class StreamCarrier:
    """A carrier that takes one TCP or TLS connection of the edge's after the other."""

    def __init__(self, ip, context=None):
        self._listener = socket.create_server((ip, 0))
        self._listener.settimeout(5)
        self._context = context
        self.ip, self.port = self._listener.getsockname()
        self.at = f"{self.ip}:{self.port}"
        self.user, self.domain = "carrier", self.ip
        self.everything: list[Message] = []
        self._connection = None
        self._buffer = b""

    def accept(self):
        connection, _ = self._listener.accept()
        connection.settimeout(5)
        self.adopt(connection)

    def adopt(self, connection):
        if self._context and not isinstance(connection, ssl.SSLSocket):
            connection = self._context.wrap_socket(connection, server_side=True)
        self._connection = connection
        self._buffer = b""

    def send(self, text):
        self._connection.sendall(text.encode())

    def expect(self, what):
        while True:
            while b"\r\n\r\n" not in self._buffer.lstrip(b"\r\n"):
                data = self._connection.recv(65536)
                assert data, f"closed before {what}"
                self._buffer += data
            self._buffer = self._buffer.lstrip(b"\r\n")
            head = self._buffer.index(b"\r\n\r\n") + 4
            length = int(re.search(rb"(?i)content-length: *(\d+)", self._buffer[:head])[1])
            while len(self._buffer) < head + length:
                self._buffer += self._connection.recv(65536)
            message = Message.parse(self._buffer[: head + length], self._connection.getpeername())
            self._buffer = self._buffer[head + length :]
            self.everything.append(message)
            if what in (message.method, message.status):
                return message

    def close(self):
        for one in (self._connection, self._listener):
            if one:
                one.close()
