"""Post to URLs that strangers have set, which must not reach our own network or block us.

The host's name is resolved here, *each* of its addresses is checked by the rule of
`common/addresses.py`, and the connection is made to a checked address, so that a name that leads
elsewhere a moment later changes nothing. Proxies of the environment are not used, redirects are not
followed. One deadline covers everything, from the DNS query to the last byte of the answer, however
slowly it comes.
"""

from __future__ import annotations

import functools
import io
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, urlsplit

from chalicelib.domain.delivery import Answer
from common.addresses import forbidden

if TYPE_CHECKING:
    import ssl

TIMEOUT_S = 15.0
MAX_ANSWER = 64 * 1024
"""Bytes of an answer's body that are read."""

MAX_RECEIVED = 1024 * 1024
"""Bytes that are read from a connection in all: headers, interim answers and the sizes of chunks
have no other bound."""

MAX_RETRY_AFTER = 64
"""Characters of `Retry-After`; a date has 29."""

USER_AGENT = "Chamade-Webhooks/1"

Resolver = Callable[[str, int], Iterable[str]]
"""(host, port) -> its addresses. OSError: it has none, or the name servers do not answer."""


class Poster(Protocol):
    """Posts a body and returns the outcome; never raises for a fault of the other side."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post the body once."""


class NotPosted(Exception):
    """There is no answer; the message is what a delivery shows as its `error`."""


def system_resolver(host: str, port: int) -> list[str]:
    """Resolve a name as the operating system does."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedPoster:
    """`Poster` over the network. `private`: addresses of our own network, and http://, are allowed,
    too. `trust` gives the certificate authorities.
    """

    def __init__(
        self,
        *,
        private: bool = False,
        timeout_s: float = TIMEOUT_S,
        resolver: Resolver = system_resolver,
        trust: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._private, self._timeout_s, self._resolver = private, timeout_s, resolver
        self._trust = trust or _system_trust

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See `Poster`."""
        began = time.monotonic()
        deadline = began + self._timeout_s
        status, text, retry_after, error = None, "", None, None
        try:
            status, raw, retry_after = self._exchange(urlsplit(url), headers, body, deadline)
            text = raw.decode("utf-8", "replace")
        except NotPosted as failed:
            error = str(failed)
        latency_ms = int((time.monotonic() - began) * 1000)
        return Answer(status, latency_ms, text, retry_after, error)

    def _exchange(
        self, url: SplitResult, headers: Mapping[str, str], body: bytes, deadline: float
    ) -> tuple[int, bytes, str | None]:
        if url.scheme != "https" and not self._private:
            raise NotPosted("plain_http: an https:// URL is needed")
        host = url.hostname or ""
        try:
            sock = self._connect(host, url.port or (443 if url.scheme == "https" else 80), deadline)
            if url.scheme == "https":
                sock = _secure(sock, host, deadline, self._trust())
            with sock:
                channel = _Channel(sock, deadline)
                channel.send(_request(url, headers, body))
                return _answer(channel)
        except TimeoutError:
            raise NotPosted(f"timeout: no answer within {self._timeout_s:g} s") from None
        except OSError as error:
            raise NotPosted(f"connection_lost: {error.strerror or type(error).__name__}") from None

    def _connect(self, host: str, port: int, deadline: float) -> socket.socket:
        """Connect to one of the host's addresses, tried in their order."""
        addresses = self._addresses(host, port, deadline)
        if not self._private and any(forbidden(address) for address in addresses):
            # The error does not name the address: that would help to map our network.
            raise NotPosted("private_address: the host is not on the public Internet")
        last: OSError | None = None
        for address in addresses:
            try:
                return socket.create_connection((address, port), _left(deadline))
            except TimeoutError:
                raise
            except OSError as error:
                last = error
        why = last.strerror if last is not None and last.strerror else "no address"
        raise NotPosted(f"connect_failed: {why}")

    def _addresses(self, host: str, port: int, deadline: float) -> list[str]:
        """Return the host's addresses. The system's resolver has no time-out, so it runs in a
        thread that is waited for until the deadline only.
        """
        found: list[str] = []
        failed: list[str] = []

        def resolve() -> None:
            try:
                found.extend(self._resolver(host, port))
            except (OSError, UnicodeError) as error:
                failed.append(str(getattr(error, "strerror", None) or type(error).__name__))

        lookup = threading.Thread(target=resolve, daemon=True)
        lookup.start()
        lookup.join(_left(deadline))
        if lookup.is_alive():
            raise TimeoutError
        if failed or not found:
            raise NotPosted(f"unresolvable: {failed[0] if failed else 'no address'}")
        return found


class _Channel(io.RawIOBase):
    """A socket on which every wait ends at the deadline; `http.client` reads answers from it."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline, self._received = sock, deadline, 0

    def send(self, data: bytes) -> None:
        """Send all of `data`. Raises TimeoutError, OSError."""
        rest = memoryview(data)
        while rest:
            self._sock.settimeout(_left(self._deadline))
            rest = rest[self._sock.send(rest) :]

    def readable(self) -> bool:
        """Return True: `http.client` reads from it."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read what is there, at least a byte unless it is the end. Raises TimeoutError, OSError,
        and NotPosted beyond `MAX_RECEIVED` bytes.
        """
        self._sock.settimeout(_left(self._deadline))
        got = self._sock.recv_into(buffer)
        self._received += got
        if self._received > MAX_RECEIVED:
            raise NotPosted(f"bad_answer: more than {MAX_RECEIVED} bytes")
        return got

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        """Return the file from which `http.client` reads."""
        return io.BufferedReader(self)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@functools.cache
def _system_trust() -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _secure(
    sock: socket.socket, host: str, deadline: float, trust: ssl.SSLContext
) -> ssl.SSLSocket:
    """Start TLS for the host's name, whichever address it has. Closes the socket if that fails."""
    import ssl

    try:
        secured = trust.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    except BaseException:
        sock.close()
        raise
    try:
        _shake_hands(secured, deadline)
    except BaseException as error:
        secured.close()
        if isinstance(error, ssl.SSLCertVerificationError):
            raise NotPosted(f"tls_failed: {error.verify_message}") from None
        if isinstance(error, ssl.SSLError):
            raise NotPosted(f"tls_failed: {error.reason or 'handshake'}") from None
        raise
    return secured


def _shake_hands(secured: ssl.SSLSocket, deadline: float) -> None:
    """Do the TLS handshake without blocking, so that the deadline covers all of it."""
    import select
    import ssl

    secured.settimeout(0)
    while True:
        waiting = select.poll()
        try:
            secured.do_handshake()
            return
        except ssl.SSLWantReadError:
            waiting.register(secured, select.POLLIN)
        except ssl.SSLWantWriteError:
            waiting.register(secured, select.POLLOUT)
        if not waiting.poll(_left(deadline) * 1000):
            raise TimeoutError


def _request(url: SplitResult, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the bytes of an HTTP/1.1 request. The URL was checked when it was set: printable ASCII
    without spaces.
    """
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [
        f"POST {target} HTTP/1.1",
        f"Host: {url.netloc}",
        f"User-Agent: {USER_AGENT}",
        "Accept: application/json, */*;q=0.5",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body


def _answer(channel: _Channel) -> tuple[int, bytes, str | None]:
    """Return status, body as far as it is read, and `Retry-After`. Raises NotPosted for what is no
    HTTP.

    `http.client` has exceptions of its own for some invalid answers; for others, such as a chunk of
    -5 bytes, any exception may come. All of them are the other side's fault.
    """
    try:
        return _read_answer(channel)
    except (OSError, NotPosted):
        raise
    except Exception as error:
        raise NotPosted(f"bad_answer: {type(error).__name__}") from None


def _read_answer(channel: _Channel) -> tuple[int, bytes, str | None]:
    import http.client

    response = http.client.HTTPResponse(channel, method="POST")  # type: ignore[arg-type]
    response.begin()
    try:
        body = response.read(MAX_ANSWER)
    except http.client.IncompleteRead as cut:
        raise ConnectionResetError(None, f"after {len(cut.partial)} bytes") from None
    if response.length and len(body) < MAX_ANSWER:
        raise ConnectionResetError(None, f"after {len(body)} bytes")
    retry_after = response.getheader("Retry-After")
    return response.status, body, retry_after and retry_after[:MAX_RETRY_AFTER]
