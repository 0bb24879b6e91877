"""Requests and responses: read from bytes, written to bytes (RFC 3261 7).

Reading is liberal where senders differ: compact names, folded lines, LF alone, blanks before the
colon, a missing empty line at the end of a datagram, lines that are no header fields. What the
fields mean is checked by `checks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.fields import COMPACT, Headers
from gateway.sip.syntax.grammar import TOKEN
from gateway.sip.syntax.headers import Address, CSeq, Via

MAX_MESSAGE = 65_535
"""Bytes of a message, as of a UDP datagram."""
MAX_FIELDS = 256
"""Header fields of a message."""
_LENGTH = 10
"""Digits of a Content-Length."""
_STATUS = re.compile("[1-6][0-9][0-9]")
_FOLD = re.compile("\r?\n[ \t]+")

REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}
"""Reason phrases of the status codes (RFC 3261 21, 3262, 4028, 6665)."""


@dataclass(slots=True, kw_only=True)
class Message:
    """A request or a response: fields and a body."""

    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    truncated: bool = False
    """True if Content-Length names more bytes than came."""
    version: str = "SIP/2.0"

    @property
    def via(self) -> Via:
        """Return the topmost Via."""
        values = self.headers.values("Via")
        if not values:
            raise SipSyntaxError("the Via is missing")
        return Via.parse(values[0])

    @property
    def cseq(self) -> CSeq:
        """Return the CSeq."""
        return CSeq.parse(self.headers.get("CSeq"))

    @property
    def from_(self) -> Address:
        """Return the From."""
        return Address.parse(self.headers.get("From"))

    @property
    def to(self) -> Address:
        """Return the To."""
        return Address.parse(self.headers.get("To"))

    @property
    def call_id(self) -> str:
        """Return the Call-ID."""
        return self.headers.get("Call-ID")

    def _write(self, start_line: str) -> bytes:
        if "\r" in start_line or "\n" in start_line:
            raise ValueError(f"a start line of more than one line: {start_line[:60]!r}")
        lines = [start_line]
        lines += [
            f"{name}: {value}" for name, value in self.headers if name.lower() != "content-length"
        ]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


@dataclass(slots=True)
class Request(Message):
    """A request. The URI is a text, since strict routers and tests need it letter by letter."""

    method: str
    uri: str

    def __bytes__(self) -> bytes:
        return self._write(f"{self.method} {self.uri} SIP/2.0")


@dataclass(slots=True)
class Response(Message):
    """A response."""

    status: int
    reason: str = ""

    @property
    def final(self) -> bool:
        """Return whether no other response follows."""
        return self.status >= 200

    def __bytes__(self) -> bytes:
        return self._write(f"SIP/2.0 {self.status} {self.reason}".rstrip())


def respond(
    request: Request,
    status: int,
    reason: str = "",
    *,
    tag: str = "",
    headers: Mapping[str, object] = MappingProxyType({}),
) -> Response:
    """Return a response with what must be copied from the request (RFC 3261 8.2.6.2).

    `tag` becomes the To tag if To has none.
    """
    response = Response(status, reason or REASONS.get(status, "Error"))
    for name, value in request.headers:
        match name.lower():
            case "via" | "from" | "call-id" | "cseq":
                response.headers.add(name, value)
            case "to":
                response.headers.add(name, _tagged(value, tag) if status > 100 else value)
            case "record-route" if 100 < status < 300:
                response.headers.add(name, value)
            case "timestamp" if status == 100:
                response.headers.add(name, value)
    for name, extra in headers.items():
        response.headers.put(name, extra)
    return response


def _tagged(to: str, tag: str) -> str:
    try:
        return to if not tag or Address.parse(to).tag else f"{to};tag={tag}"
    except SipSyntaxError:
        return to  # the 400 that follows gives it back as it came


def parse(data: bytes) -> Request | Response:
    """Read a message that is a whole datagram, or was cut out of a stream by `framing`.

    Raises SipSyntaxError if it cannot be cut into start line, fields and body.
    """
    if len(data) > MAX_MESSAGE:
        raise SipSyntaxError(f"the message is longer than {MAX_MESSAGE} bytes")
    head, body = split_head(data.lstrip(b"\r\n"))
    lines = _lines(head.decode("utf-8", "surrogateescape"))
    if not lines:
        raise SipSyntaxError("the message is empty")
    message = _start(lines[0])
    message.headers = _fields(lines[1:])
    try:
        length = content_length(message.headers)
    except SipSyntaxError:
        length = None  # `checks` refuses it, since a request must be answered
    message.truncated = length is not None and length > len(body)
    message.body = body if length is None else body[:length]
    return message


def split_head(data: bytes) -> tuple[bytes, bytes]:
    """Cut at the first empty line. Lines end with CRLF or LF."""
    at = 0
    while (end := data.find(b"\n", at)) >= 0:
        if data[at:end] in (b"", b"\r"):
            return data[:at], data[end + 1 :]
        at = end + 1
    return data, b""


def _lines(head: str) -> list[str]:
    """Return the lines; one that begins with a blank continues the line before (7.3.1)."""
    lines: list[str] = []
    for raw in _FOLD.sub(" ", head).split("\n"):
        line = raw.rstrip("\r")
        # A quoted string may hold any character behind a backslash (25.1).
        if "\r" in line or ("\0" in line and "\0" in line.replace("\\\0", "")):
            raise SipSyntaxError("a line holds a CR or a NUL")
        if line.strip():
            lines.append(line)
    if len(lines) > MAX_FIELDS + 1:
        raise SipSyntaxError(f"the message has more than {MAX_FIELDS} header fields")
    return lines


def _start(line: str) -> Request | Response:
    first, _, rest = line.strip().partition(" ")
    if first.upper().startswith("SIP/"):
        status, _, reason = rest.strip().partition(" ")
        if not _STATUS.fullmatch(status):
            raise SipSyntaxError(f"not a status: {status[:20]!r}")
        return Response(int(status), reason.strip(), version=first.upper())
    uri, _, version = rest.strip().rpartition(" ")
    if not first or not TOKEN.issuperset(first) or not version.upper().startswith("SIP/"):
        raise SipSyntaxError(f"not a request line: {line[:60]!r}")
    return Request(first, uri.strip(), version=version.upper())


def read_fields(head: bytes) -> Headers:
    """Read header fields alone, as a part of a body has them. Raises SipSyntaxError."""
    return _fields(_lines(head.decode("utf-8", "surrogateescape")))


def _fields(lines: list[str]) -> Headers:
    """Read the fields. What is none is skipped: whatever is missing then is refused by name."""
    headers = Headers()
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.strip()
        if colon and name and TOKEN.issuperset(name):
            headers.add(COMPACT.get(name.lower(), name), value.strip())
    return headers


def content_length(headers: Headers) -> int | None:
    """Return the body's length in bytes; None if the sender does not say.

    Raises SipSyntaxError if it is not a number, or says two.
    """
    lengths = set(headers.all("Content-Length"))
    if not lengths:
        return None
    if len(lengths) > 1:
        raise SipSyntaxError(f"Content-Length has {len(lengths)} different values")
    text = lengths.pop()
    if not (text.isascii() and text.isdigit() and len(text) <= _LENGTH):
        raise SipSyntaxError(f"Content-Length must be a number of bytes, not {text[:20]!r}")
    return int(text)
