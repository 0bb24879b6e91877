"""A real edge on loopback, and plain UDP talkers on both sides of it.

127.0.0.1 is the inside, 127.0.0.2 what the edge calls public, other 127.0.0.x are the world.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config import Config
from tests.unit.gateway.sip.conftest import free_sip_ports

INSIDE = "127.0.0.1"
PUBLIC = "127.0.0.2"
PEER = "127.0.0.10"
_ROOT = Path(__file__).parents[2]
_COMPACT = {
    **{"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"},
    **{"c": "content-type", "k": "supported"},
}
_NAMES = {"call-id": "Call-ID", "cseq": "CSeq"}
_serial = itertools.count(1)

SDP = (
    "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n"
)


def free_port(ip=INSIDE, kind=socket.SOCK_DGRAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((ip, 0))
        return probe.getsockname()[1]


@dataclass
class Message:
    """A SIP message as it was on the wire."""

    raw: bytes
    source: tuple[str, int]
    first: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""

    @classmethod
    def parse(cls, raw, source):
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode(errors="replace").split("\r\n")
        headers = []
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            headers.append((_COMPACT.get(name, name), value.strip()))
        return cls(raw, source, first, headers, body.decode(errors="replace"))

    def all(self, name):
        return [value for found, value in self.headers if found == name.lower()]

    def __getitem__(self, name):
        found = self.all(name)
        assert found, f"no {name} in {self.raw!r}"
        return found[0]

    @property
    def method(self):
        return self.first.split(" ")[0]

    @property
    def status(self):
        return int(self.first.split(" ")[1]) if self.first.startswith("SIP/2.0 ") else 0

    @property
    def text(self):
        return self.raw.decode(errors="replace")


class Talker:
    """A UDP socket that says and hears SIP; answers OPTIONS by itself if it is told to."""

    def __init__(self, ip, port=0, *, answers_options=False, user="talker"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ip, port))
        self.socket.settimeout(0.2)
        self.ip, self.port = self.socket.getsockname()
        self.user = user
        self.domain = "trunk.example" if self.ip == INSIDE else self.ip
        self.heard: queue.Queue[Message] = queue.Queue()
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
            self.heard.put(message)

    def answer_to(self, message):
        """What it says by itself; None: it is for the test to answer."""
        asked = self._answers_options and message.method == "OPTIONS"
        return reply(message, 200) if asked else None

    def send(self, text, to):
        self.socket.sendto(text.encode() if isinstance(text, str) else text, to)

    def expect(self, what, timeout=3.0):
        """The next message that is the method or status `what`; others are skipped."""
        until = time.monotonic() + timeout
        skipped = []
        while (left := until - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                message = self.heard.get(timeout=left)
                if what in (message.method, message.status):
                    return message
                skipped.append(message.first)
        raise AssertionError(f"{self.at} heard no {what}, but {skipped}")

    def expect_nothing(self, timeout=0.5):
        with contextlib.suppress(queue.Empty):
            raise AssertionError(f"{self.at} heard {self.heard.get(timeout=timeout).raw!r}")

    def forget(self):
        while not self.heard.empty():
            self.heard.get_nowait()

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


def request(method, uri, talker, **options):
    """A request of `talker`. `extra`: more header lines; `drop`: names left out; `body`."""
    number = next(_serial)
    call_id = options.get("call_id") or f"call-{os.getpid()}-{number}"
    body = options.get("body", "")
    branch = options.get("branch") or f"z9hG4bK-{os.getpid()}-{number}"
    headers = {
        "Via": f"SIP/2.0/UDP {talker.at};branch={branch};rport",
        "Max-Forwards": "70",
        "From": options.get("from_") or f"<sip:{talker.user}@{talker.domain}>;tag=from{number}",
        "To": options.get("to") or f"<{uri}>",
        "Call-ID": call_id,
        "CSeq": f"{options.get('cseq', 1)} {options.get('cseq_method', method)}",
        "Contact": f"<sip:{talker.user}@{talker.at}>",
        "User-Agent": "test",
    }
    headers.update(options.get("headers", {}))
    for name in options.get("drop", ()):
        headers.pop(name)
    lines = [f"{method} {uri} SIP/2.0"]
    lines += [f"Route: {route}" for route in options.get("routes", ())]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += options.get("extra", ())
    if body:
        lines.append(f"Content-Type: {options.get('content_type', 'application/sdp')}")
    if "Content-Length" not in options.get("drop", ()) and "Content-Length" not in headers:
        lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join(lines) + "\r\n\r\n" + body


def sdp(ip, port=40000):
    return SDP.format(ip=ip, port=port)


def reply(message, status, *, contact=None, body="", tag="totag", extra=()):
    """An answer to a request that was heard."""
    lines = [f"SIP/2.0 {status} Whatever"]
    for name, value in message.headers:
        if name in ("via", "from", "call-id", "cseq", "record-route"):
            lines.append(f"{_NAMES.get(name, name.title())}: {value}")
        if name == "to":
            tagged = value if ";tag=" in value or status == 100 else f"{value};tag={tag}"
            lines.append(f"To: {tagged}")
    if contact:
        lines.append(f"Contact: {contact}")
    lines += extra
    if body:
        lines.append("Content-Type: application/sdp")
    lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join(lines) + "\r\n\r\n" + body


def within(method, dialog_reply, talker, *, cseq, target=None, **options):
    """A request of the caller in the dialog that this 2xx made."""
    contact = re.search(r"<([^>]*)>", dialog_reply["Contact"])[1]
    return request(
        method,
        target or contact,
        talker,
        call_id=dialog_reply["Call-ID"],
        from_=dialog_reply["From"],
        to=dialog_reply["To"],
        cseq=cseq,
        routes=list(reversed(routes(dialog_reply))),
        **options,
    )


def within_called(method, invite, talker, *, cseq, tag="totag", **options):
    """A request of the called party in the dialog of this INVITE."""
    contact = re.search(r"<([^>]*)>", invite["Contact"])[1]
    return request(
        method,
        contact,
        talker,
        call_id=invite["Call-ID"],
        from_=f"{invite['To']};tag={tag}",
        to=invite["From"],
        cseq=cseq,
        routes=routes(invite),
        **options,
    )


def routes(message):
    return [part.strip() for value in message.all("Record-Route") for part in value.split(",")]


def next_hop(text):
    """Where a request goes that begins with its Route, or to its request URI."""
    found = re.search(r"^Route: <sip:([0-9.]+):(\d+)", text, re.MULTILINE) or re.search(
        r"^[A-Z]+ sip:(?:[^@ ]*@)?([0-9.]+):(\d+)", text
    )
    return found[1], int(found[2])


class Edge:
    """`python -m gateway.edge` with these settings."""

    def __init__(self, children, log: Path, **settings):
        self.port = free_port(PUBLIC)
        self.tls_port = free_port(PUBLIC, socket.SOCK_STREAM)
        self.inside = (INSIDE, free_port())
        self.public = (PUBLIC, self.port)
        self.log = log
        environ = {
            "EDGE_PUBLIC_IP": PUBLIC,
            "EDGE_SIP_PORT": str(self.port),
            "EDGE_TLS_PORT": str(self.tls_port),
            "EDGE_INSIDE": f"{INSIDE}:{self.inside[1]}",
            "EDGE_CHILDREN": ",".join(children),
            "EDGE_PEERS": f"{PEER}/32",
            "EDGE_TLS_VERIFY": "no",
            "EDGE_REQUESTS_PER_S": "100000",
            "EDGE_STRANGERS_PER_S": "100000",
            "EDGE_INVITES_PER_S": "10000",
            "EDGE_INVITES_PER_SOURCE_S": "10000",
            "EDGE_ALLOW_PRIVATE": "yes",
            **{f"EDGE_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway.edge"],
            cwd=_ROOT,
            env={"PATH": os.environ["PATH"], "HOME": "/tmp", "TMPDIR": str(log.parent), **environ},
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._wait()

    def _wait(self):
        probe = Talker("127.0.0.90")
        try:
            for _ in range(60):
                if self.process.poll() is not None:
                    raise AssertionError(self.text())
                probe.send(request("OPTIONS", f"sip:{PUBLIC}:{self.port}", probe), self.public)
                with contextlib.suppress(AssertionError):
                    probe.expect(200, timeout=0.2)
                    return
            raise AssertionError(f"the edge does not answer:\n{self.text()}")
        finally:
            probe.close()

    def text(self):
        return self.log.read_text(errors="replace")

    def wait_logged(self, text, timeout=3.0):
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if text in self.text():
                return
            time.sleep(0.05)
        raise AssertionError(f"not logged: {text}\n{self.text()[-3000:]}")

    def pids(self):
        found = [self.process.pid]
        with contextlib.suppress(OSError):
            path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            found += [int(pid) for pid in path.read_text().split()]
        return found

    def uri(self, user):
        return f"sip:{user}@{PUBLIC}:{self.port}"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
        self._log.close()


def edge_and_gateway(log: Path, **settings) -> tuple[Edge, Config]:
    """An edge for two children, and the settings of a gateway that has them behind it."""
    port = free_sip_ports()
    edge = Edge([f"{INSIDE}:{port}", f"{INSIDE}:{port + 2}"], log)
    defaults = {
        "account_sid": "AC" + "0" * 32,
        "auth_token": "t",
        "voice_url": "http://127.0.0.1:1/",
        "allow_private_trunks": True,
        "sip_port": port,
        "sip_edge": f"{INSIDE}:{edge.inside[1]}",
    }
    return edge, Config(**(defaults | settings))


def own_kb(pids):
    """Kilobytes that these processes have written to, and what they share counted once. Not what
    they have of files: libraries count for more as soon as others that use them have ended."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += sum(map(int, re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+)", text, re.MULTILINE)))
    return total
