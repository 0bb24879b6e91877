"""Cuts the bytes of a TCP or TLS connection into messages (RFC 3261 18.3, RFC 5626 3.5.1)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.message import MAX_MESSAGE, Request, Response, parse

PING = b"\r\n\r\n"
PONG = b"\r\n"


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """A ping of the peer, to be answered by `PONG`."""


class Framer:
    """The unread bytes of one connection, at most `MAX_MESSAGE`."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Request | Response | KeepAlive]:
        """Return what is complete now.

        Raises SipSyntaxError if the stream cannot be cut into messages any more: no
        Content-Length, or a message that is too long. The connection must be closed then.
        """
        self._buffer += data
        found: list[Request | Response | KeepAlive] = []
        while self._buffer:
            if self._buffer.startswith(PING):
                found.append(KeepAlive())
                del self._buffer[: len(PING)]
            elif self._buffer.startswith((b"\r", b"\n")):
                if PING.startswith(bytes(self._buffer)):
                    break  # a ping may be on its way
                del self._buffer[:1]
            elif (message := self._message()) is not None:
                found.append(message)
            else:
                break
        return found

    def _message(self) -> Request | Response | None:
        head = self._head()
        if head is None:
            self._check_size()
            return None
        message = parse(bytes(self._buffer[:head]))
        length = message.headers.get("Content-Length")
        if not length:
            raise SipSyntaxError("a message on a stream has no Content-Length")
        size = head + int(length)
        if size > MAX_MESSAGE:
            raise SipSyntaxError(f"the message is longer than {MAX_MESSAGE} bytes")
        if len(self._buffer) < size:
            return None
        message.body, message.truncated = bytes(self._buffer[head:size]), False
        del self._buffer[:size]
        return message

    def _head(self) -> int | None:
        """Return the number of bytes up to the body; None if the empty line is not here yet."""
        ends = [
            at + len(end)
            for end in (b"\r\n\r\n", b"\n\n", b"\n\r\n")
            if (at := self._buffer.find(end)) >= 0
        ]
        return min(ends, default=None)

    def _check_size(self) -> None:
        if len(self._buffer) > MAX_MESSAGE:
            raise SipSyntaxError(f"the message is longer than {MAX_MESSAGE} bytes")
