"""SIP messages as they were on the wire, for tests to look into."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property

COMPACT = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact",
    "l": "content-length", "c": "content-type", "k": "supported",
}  # fmt: skip
_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^",\s]+))')


@dataclass(frozen=True)
class Message:
    """One request or answer; `sent` is seen from the peer that logged it, `at` is in seconds."""

    sent: bool
    at: float
    text: str

    @cached_property
    def start_line(self) -> str:
        """`INVITE sip:… SIP/2.0` or `SIP/2.0 200 OK`."""
        return self._head[0]

    @cached_property
    def code(self) -> int | None:
        """Of an answer."""
        is_answer = self.start_line.startswith("SIP/2.0 ")
        return int(self.start_line.split()[1]) if is_answer else None

    @cached_property
    def method(self) -> str:
        """Of a request; of an answer, that of the request it answers."""
        return self.start_line.split()[0] if self.code is None else self.header("CSeq").split()[1]

    @property
    def uri(self) -> str:
        """Of a request."""
        return self.start_line.split()[1]

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """In order; names in lower case, never compact."""
        found = (line.partition(":") for line in self._head[1:])
        named = ((name.strip().lower(), value.strip()) for name, _, value in found)
        return [(COMPACT.get(name, name), value) for name, value in named]

    def header(self, name: str) -> str:
        """The first of that name, "" if there is none."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    @property
    def body(self) -> str:
        """Behind the headers."""
        return self.text.partition("\n\n")[2]

    @property
    def media(self) -> tuple[str, int]:
        """Return the address to which its SDP wants the audio."""
        address = re.search(r"^c=IN IP4 (\S+)", self.body, re.MULTILINE)
        port = re.search(r"^m=audio (\d+)", self.body, re.MULTILINE)
        assert address, self.text
        assert port, self.text
        return address[1], int(port[1])

    @property
    def payload_types(self) -> list[int]:
        """Of its SDP, preferred first."""
        line = re.search(r"^m=audio \d+ \S+ ([\d ]+)", self.body, re.MULTILINE)
        return [int(number) for number in line[1].split()] if line else []

    def is_a(self, what: str | int) -> bool:
        """`what`: a method means that request; a code, an answer with it."""
        return self.code == what if isinstance(what, int) else self.start_line.startswith(what)

    def proves(self, password: str) -> bool:
        """True if its digest credentials were made with that password (RFC 2617, MD5)."""
        given = self.header("Proxy-Authorization") or self.header("Authorization")
        part = {key.lower(): quoted or bare for key, quoted, bare in _PARAMETER.findall(given)}
        if "response" not in part:
            return False
        secret = _md5(f"{part['username']}:{part['realm']}:{password}")
        request = _md5(f"{self.method}:{part['uri']}")
        middle = [part["nonce"]]
        if "qop" in part:
            middle += [part["nc"], part["cnonce"], part["qop"]]
        return part["response"] == _md5(":".join([secret, *middle, request]))

    def __str__(self) -> str:
        return f"{'-->' if self.sent else '<--'} {self.at:.3f}\n{self.text}"

    @cached_property
    def _head(self) -> list[str]:
        head = self.text.partition("\n\n")[0]
        return re.sub(r"\n[ \t]+", " ", head).split("\n")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
