"""Posts to URLs that strangers wrote, without letting them reach our own network or hold us up.

The host's name is resolved here, *every* address of it held against the rule of
`wire/addresses.py`, and the connection made to the address that was looked at, so that a name that
leads elsewhere a moment later changes nothing. Proxies of the environment are not asked, redirects
not followed. One deadline covers it all, from the first question to the name servers to the last
byte of the answer, however slowly that drips.
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
from wire.addresses import forbidden

if TYPE_CHECKING:
    import ssl

TIMEOUT_S = 15.0
MAX_ANSWER = 64 * 1024
"""Bytes of an answer's body that are read."""

USER_AGENT = "Chamade-Webhooks/1"

Resolver = Callable[[str, int], Iterable[str]]
"""(host, port) -> its addresses. OSError: it has none, or the name servers do not answer."""


class Poster(Protocol):
    """Posts a body and says what came of it; never raises for what the other side does."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One POST, one answer."""


class NotPosted(Exception):
    """No answer; the message is what a delivery shows as its `error`."""


def system_resolver(host: str, port: int) -> list[str]:
    """As the operating system resolves."""
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
            status, raw, retry_after = self._ask(urlsplit(url), headers, body, deadline)
            text = raw.decode("utf-8", "replace")
        except NotPosted as failed:
            error = str(failed)
        latency_ms = int((time.monotonic() - began) * 1000)
        return Answer(status, latency_ms, text, retry_after, error)

    def _ask(
        self, url: SplitResult, headers: Mapping[str, str], body: bytes, deadline: float
    ) -> tuple[int, bytes, str | None]:
        import http.client

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
        except http.client.HTTPException as error:
            raise NotPosted(f"bad_answer: {type(error).__name__}") from None

    def _connect(self, host: str, port: int, deadline: float) -> socket.socket:
        """A connection to one of the host's addresses, tried in their order."""
        addresses = self._addresses(host, port, deadline)
        if not self._private and any(forbidden(address) for address in addresses):
            # Which one it is nobody learns: it would be a map of our network.
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
        """The host's addresses. The system's resolver knows no time-out, so it is not waited for
        longer than there is time.
        """
        found: list[str] = []
        failed: list[str] = []

        def resolve() -> None:
            try:
                found.extend(self._resolver(host, port))
            except (OSError, UnicodeError) as error:
                failed.append(str(getattr(error, "strerror", None) or type(error).__name__))

        asking = threading.Thread(target=resolve, daemon=True)
        asking.start()
        asking.join(_left(deadline))
        if asking.is_alive():
            raise TimeoutError
        if failed or not found:
            raise NotPosted(f"unresolvable: {failed[0] if failed else 'no address'}")
        return found


class _Channel(io.RawIOBase):
    """A socket on which every wait ends at the deadline; `http.client` reads its answers off it."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline

    def send(self, data: bytes) -> None:
        """All of it. TimeoutError, OSError."""
        rest = memoryview(data)
        while rest:
            self._sock.settimeout(_left(self._deadline))
            rest = rest[self._sock.send(rest) :]

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """What is there, at least a byte unless it is the end. TimeoutError, OSError."""
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        """As `http.client` asks for what it reads."""
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
    """TLS for the host's name, whichever address it has. Closes the socket if that fails."""
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
    """Without blocking, so that the deadline covers the handshake as a whole."""
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
    """HTTP/1.1. The URL was checked when it was set: printable ASCII without spaces."""
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
    """Status, body as far as it is read, `Retry-After`."""
    import http.client

    response = http.client.HTTPResponse(channel, method="POST")  # type: ignore[arg-type]
    response.begin()
    try:
        body = response.read(MAX_ANSWER)
    except http.client.IncompleteRead as cut:
        raise ConnectionResetError(None, f"after {len(cut.partial)} bytes") from None
    if response.length and len(body) < MAX_ANSWER:
        raise ConnectionResetError(None, f"after {len(body)} bytes")
    return response.status, body, response.getheader("Retry-After")
