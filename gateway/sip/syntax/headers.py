"""The header values that a user agent must understand: addresses, Via, CSeq.

Each has `parse` from a text, which raises SipSyntaxError, and `str()` back to one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.grammar import Params, Scanner, quote, read_params
from gateway.sip.syntax.uri import SipUri, Uri, format_host, parse_uri, read_host, read_port

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
        name = _read_name(scanner)
        uri = _read_bare_uri(scanner) if name is None else _read_bracketed_uri(scanner)
        params = read_params(scanner)
        if not scanner.ended:
            raise scanner.error("the end of the address")
        return cls(uri, name or "", params)


def _read_name(scanner: Scanner) -> str | None:
    """Read the name before "<". None: no "<" is to come, since the address is a URI alone.

    Without quotes the RFC has tokens there, and people write anything. What they do not write is a
    semicolon: behind one there are parameters, and a "<" in their quotes begins no address.
    """
    if scanner.peek() == '"':
        name = scanner.quoted()
        scanner.space()
        return name
    begin = scanner.at
    name = scanner.until("<;").strip()
    if scanner.peek() == "<":
        return name
    scanner.at = begin
    return None


def _read_bracketed_uri(scanner: Scanner) -> Uri:
    if scanner.peek() != "<":
        raise scanner.error("'<'")
    scanner.at += 1
    uri = parse_uri(scanner.until(">"))
    if scanner.peek() != ">":
        raise scanner.error("'>'")
    scanner.at += 1
    return uri


def _read_bare_uri(scanner: Scanner) -> Uri:
    uri = parse_uri(scanner.until(";, \t"))
    if isinstance(uri, SipUri) and uri.headers:
        raise SipSyntaxError("a URI with headers must stand in <> (RFC 3261 20)")
    return uri


@dataclass(frozen=True, slots=True)
class Via:
    """`SIP/2.0/UDP host:port;branch=…` (RFC 3261 20.42)."""

    transport: str
    host: str
    port: int | None = None
    params: Params = field(default_factory=Params)
    version: str = "2.0"

    @property
    def branch(self) -> str:
        """Return the branch, "" without one."""
        return self.params.text("branch")

    def __str__(self) -> str:
        port = f":{self.port}" if self.port is not None else ""
        return f"SIP/{self.version}/{self.transport} {format_host(self.host)}{port}{self.params}"

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one Via. Blanks may stand around the slashes. The version may be another than ours,
        since whoever speaks it must be told so.
        """
        scanner = Scanner(text)
        scanner.space()
        protocol = scanner.token()
        scanner.expect("/")
        version = scanner.token()
        scanner.expect("/")
        if protocol.upper() != "SIP":
            raise SipSyntaxError(f"the Via is of {protocol[:20]}, not of SIP")
        transport = scanner.token().upper()
        scanner.space()
        host = read_host(scanner)
        port = read_port(scanner)
        params = read_params(scanner)
        if not scanner.ended:
            raise scanner.error("the end of the Via")
        return cls(transport, host, port, params, version)


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
