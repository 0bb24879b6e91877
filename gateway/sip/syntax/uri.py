"""SIP, SIPS and tel URIs: RFC 3261 19.1 and RFC 3966.

The user part is kept as it was written, since a Route or Contact must be given back letter by
letter; `decoded_user` is for reading.
"""

from __future__ import annotations

import ipaddress
import re
import string
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.grammar import TOKEN, Params, Scanner

_HOST = frozenset(string.ascii_letters + string.digits + "-._")
"""The characters of a host name. The underscore is not the RFC's; PBXs use it."""
_SCHEME = frozenset(string.ascii_letters + string.digits + "+-.")
_NUMBER = frozenset(string.hexdigits + "+*#")
_PORT = 5
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-_.!~*'()")
_PARAM = TOKEN | frozenset("[]/:&+$()@#^{|}")
"""The characters of a URI parameter. Wider than the RFC; without `?`, which begins the headers."""
_PARAM_VALUE = _PARAM | {"="}
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")


class UriParams(Params):
    """The parameters of a URI, which know no quoted strings (RFC 3261 19.1.1)."""

    def __str__(self) -> str:
        return "".join(
            f";{name}" if value is None else f";{name}={value}" for name, value in self.items()
        )


@dataclass(frozen=True, slots=True)
class SipUri:
    """`sip:user:password@host:port;params?headers`."""

    host: str
    user: str = ""
    port: int | None = None
    params: Params = field(default_factory=UriParams)
    scheme: str = "sip"
    password: str | None = field(default=None, repr=False)
    headers: str = ""

    @property
    def decoded_user(self) -> str:
        """Return the user with its escapes decoded and without parameters of its own
        (`+33…;cpc=ordinary@host`)."""
        return unquote(self.user.partition(";")[0])

    @property
    def user_params(self) -> Params:
        """Return the parameters in the user part, which is a telephone-subscriber then."""
        return read_uri_params(Scanner(self.user[len(self.user.partition(";")[0]) :]))

    @property
    def secure(self) -> bool:
        """Return whether the scheme is `sips`."""
        return self.scheme == "sips"

    @property
    def transport(self) -> str:
        """Return the `transport` parameter in capitals, "" without one."""
        return self.params.text("transport").upper()

    def bare(self) -> SipUri:
        """Return scheme, user and host alone: what From and To of a new request may hold."""
        return replace(self, password=None, port=None, params=UriParams(), headers="")

    def __str__(self) -> str:
        user = self.user
        if self.password is not None:
            user += f":{self.password}"
        at = f"{user}@" if user else ""
        port = f":{self.port}" if self.port is not None else ""
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{at}{format_host(self.host)}{port}{self.params}{headers}"


@dataclass(frozen=True, slots=True)
class TelUri:
    """`tel:+33612345678` or `tel:0612345678;phone-context=+33`. Visual separators are removed."""

    number: str
    params: Params = field(default_factory=UriParams)

    def __str__(self) -> str:
        return f"tel:{self.number}{self.params}"


@dataclass(frozen=True, slots=True)
class OtherUri:
    """A URI of a scheme that is not read, e.g. `urn:service:sos`."""

    scheme: str
    rest: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}"


Uri = SipUri | TelUri | OtherUri


def parse_uri(text: str) -> Uri:
    """Return a URI. Raises SipSyntaxError."""
    scanner = Scanner(text.strip())
    scheme = scanner.run(_SCHEME).lower()
    if not scheme or scanner.peek() != ":":
        raise SipSyntaxError(f"expected a URI, found {text[:40]!r}")
    scanner.at += 1
    if scheme in ("sip", "sips"):
        return _sip(scanner, scheme)
    if scheme == "tel":
        return _tel(scanner)
    if not scanner.rest or any(char.isspace() or char in "<>" for char in scanner.rest):
        raise SipSyntaxError(f"not a URI: {text[:40]!r}")
    return OtherUri(scheme, scanner.rest)


def parse_sip_uri(text: str) -> SipUri:
    """Return a SIP or SIPS URI. Raises SipSyntaxError, also if it is of another scheme."""
    uri = parse_uri(text)
    if not isinstance(uri, SipUri):
        raise SipSyntaxError(f"expected a SIP URI, found {text[:40]!r}")
    return uri


def format_host(host: str) -> str:
    """Return the host as it stands in a URI or Via: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def read_host(scanner: Scanner) -> str:
    """Read a host name, an IPv4 address, or an IPv6 address in brackets (returned without)."""
    if scanner.peek() == "[":
        scanner.at += 1
        host = scanner.until("]")
        scanner.expect("]")
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError:
            raise SipSyntaxError(f"not an IPv6 address: {host[:60]!r}") from None
        if address.scope_id is not None:  # the zone of another machine, in which anything may stand
            raise SipSyntaxError(f"an IPv6 address with a zone: {host[:60]!r}")
        return str(address)
    if not (host := scanner.run(_HOST)):
        raise scanner.error("a host")
    return host.lower()


def read_port(scanner: Scanner) -> int | None:
    """Read `:port` if it is here."""
    if not scanner.take(":"):
        return None
    port = scanner.number(_PORT)
    if port > 65535:
        raise SipSyntaxError(f"not a port: {port}")
    return port


def read_uri_params(scanner: Scanner) -> UriParams:
    """Read `;name=value` as long as there are any. Empty ones (`;;`) are skipped."""
    params = UriParams()
    while scanner.take(";"):
        name = _without_needless_escapes(scanner.run(_PARAM)).lower()
        value = None
        if scanner.take("="):
            value = _without_needless_escapes(scanner.run(_PARAM_VALUE))
        if name:
            params.setdefault(name, value)
    return params


def _without_needless_escapes(text: str) -> str:
    """Decode the escapes of characters that need none: `%6C%72` is `lr` (RFC 3261 19.1.4)."""
    if "%" not in text:
        return text
    return _ESCAPE.sub(
        lambda found: char if (char := chr(int(found[1], 16))) in _UNRESERVED else found[0], text
    )


def _sip(scanner: Scanner, scheme: str) -> SipUri:
    # `?`, `;` and `/` may stand in the user, but no @ that is not escaped (RFC 3261 25.1).
    user, password = "", None
    rest = scanner.rest
    at = rest.find("@")
    if at >= 0:
        userinfo = rest[:at]
        if any(char.isspace() or char in '<>"' for char in userinfo):
            raise SipSyntaxError(f"not a user: {userinfo[:40]!r}")
        user, colon, secret = userinfo.partition(":")
        password = secret if colon else None
        scanner.at += at + 1
    host = read_host(scanner)
    port = read_port(scanner)
    params = read_uri_params(scanner)
    headers = ""
    if scanner.take("?"):
        headers = scanner.until(' \t<>"')
    if not scanner.ended:
        raise scanner.error("the end of the URI")
    return SipUri(host, user, port, params, scheme, password, headers)


def _tel(scanner: Scanner) -> TelUri:
    number = "".join(c for c in unquote(scanner.until(";")) if c not in "-.() \t")
    if not number.lstrip("+") or not _NUMBER.issuperset(number) or "+" in number[1:]:
        raise SipSyntaxError(f"not a telephone number: {number[:40]!r}")
    params = read_uri_params(scanner)
    if not scanner.ended:
        raise scanner.error("the end of the URI")
    return TelUri(number, params)


def escape_user(user: str) -> str:
    """Return a user name as it stands in a URI: everything else is escaped (25.1, `user`)."""
    return quote(user, safe="-_.!~*'()&=+$,;?/")
