"""SIP messages as text, valid and malformed, that are sent to an edge or come from it."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass, field

from tests.sip.peers.messages import COMPACT

_NAMES = {"call-id": "Call-ID", "cseq": "CSeq"}
_serial = itertools.count(1)

SDP = (
    "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n"
)


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
            headers.append((COMPACT.get(name, name), value.strip()))
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


def reply(message, status, *, contact=None, body="", tag="totag", extra=(), **options):
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
        lines.append(f"Content-Type: {options.get('content_type', 'application/sdp')}")
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
    """Return the destination of a request: its first Route, or its request URI."""
    found = re.search(r"^Route: <sip:([0-9.]+):(\d+)", text, re.MULTILINE) or re.search(
        r"^[A-Z]+ sip:(?:[^@ ]*@)?([0-9.]+):(\d+)", text
    )
    return found[1], int(found[2])
