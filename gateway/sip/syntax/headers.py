"""The header values that a user agent must understand: addresses, Via, CSeq.

Each has `parse` from a text, which raises SipSyntaxError, and `str()` back to one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.grammar import Params, Scanner, quote, read_params
from gateway.sip.syntax.uri import Uri, format_host, parse_uri, read_host, read_port

_CSEQ_END = 1 << 31


@dataclass(frozen=True, slots=True)
class Address:
    """A name-addr or addr-spec (RFC 3261 20.10): display name, URI and header parameters."""

    uri: Uri
    name: str = ""
    params: Params = field(default_factory=Params)

    @property
    def tag(self) -> str:
        """Return the `tag` parameter, "" without one."""
        return self.params.text("tag")

    def tagged(self, tag: str) -> Address:
        """Return the address with that tag."""
        return replace(self, params=Params({**self.params, "tag": tag}))

    def __str__(self) -> str:
        name = f"{quote(self.name)} " if self.name else ""
        return f"{name}<{self.uri}>{self.params}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read one address. Without brackets, parameters are the header's (RFC 3261 20)."""
        scanner = Scanner(text)
        scanner.space()
        name = ""
        if scanner.peek() == '"':
            name = scanner.quoted()
            scanner.space()
        elif "<" in text:
            name = _read_bare_name(scanner)
        if scanner.peek() == "<":
            scanner.at += 1
            uri = parse_uri(scanner.until(">"))
            if scanner.peek() != ">":
                raise scanner.error("'>'")
            scanner.at += 1
        elif name:
            raise scanner.error("'<'")
        else:
            uri = parse_uri(scanner.until(";, \t"))
        params = read_params(scanner)
        if not scanner.ended:
            raise scanner.error("the end of the address")
        return cls(uri, name, params)


def _read_bare_name(scanner: Scanner) -> str:
    """Read a name without quotes, up to "<". The RFC has tokens there, people write anything."""
    return scanner.until("<").strip()


@dataclass(frozen=True, slots=True)
class Via:
    """`SIP/2.0/UDP host:port;branch=…` (RFC 3261 20.42)."""

    transport: str
    host: str
    port: int | None = None
    params: Params = field(default_factory=Params)

    @property
    def branch(self) -> str:
        """Return the branch, "" without one."""
        return self.params.text("branch")

    def __str__(self) -> str:
        port = f":{self.port}" if self.port is not None else ""
        return f"SIP/2.0/{self.transport} {format_host(self.host)}{port}{self.params}"

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one Via. Blanks may stand around the slashes."""
        scanner = Scanner(text)
        scanner.space()
        protocol = scanner.token()
        scanner.expect("/")
        version = scanner.token()
        scanner.expect("/")
        if (protocol.upper(), version) != ("SIP", "2.0"):
            raise SipSyntaxError(f"the Via is of {protocol}/{version}, not of SIP/2.0")
        transport = scanner.token().upper()
        scanner.space()
        host = read_host(scanner)
        port = read_port(scanner)
        params = read_params(scanner)
        if not scanner.ended:
            raise scanner.error("the end of the Via")
        return cls(transport, host, port, params)


@dataclass(frozen=True, slots=True)
class CSeq:
    """A request's number in its dialog, and its method (RFC 3261 20.16)."""

    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Read a CSeq. The number is below 2**31 (RFC 3261 8.1.1.5)."""
        scanner = Scanner(text)
        scanner.space()
        number = scanner.number()
        if number >= _CSEQ_END:
            raise SipSyntaxError(f"the CSeq {number} is not below 2**31")
        scanner.space()
        method = scanner.token()
        if not scanner.ended:
            raise scanner.error("the end of the CSeq")
        return cls(number, method)


@dataclass(frozen=True, slots=True)
class Valued:
    """A word with parameters, e.g. `1800;refresher=uac`, `refer;id=2`, `application/sdp`."""

    value: str
    params: Params = field(default_factory=Params)

    def __str__(self) -> str:
        return f"{self.value}{self.params}"

    @classmethod
    def parse(cls, text: str) -> Valued:
        """Read the text before the first semicolon, and the parameters after it."""
        scanner = Scanner(text.strip())
        value = scanner.until(";").strip()
        if not value:
            raise scanner.error("a value")
        return cls(value, read_params(scanner))


def parse_seconds(text: str) -> int:
    """Return delta-seconds; parameters and comments behind the number are skipped."""
    scanner = Scanner(text.strip())
    return scanner.number()
