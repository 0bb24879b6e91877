"""Cuts the bytes of a TCP or TLS connection into messages (RFC 3261 18.3, RFC 5626 3.5.1)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.sip.errors import SipSyntaxError
from gateway.sip.syntax.message import MAX_MESSAGE, Request, Response, content_length, parse

PING = b"\r\n\r\n"
PONG = b"\r\n"


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """A ping of the peer, to be answered by `PONG`; or its answer to ours (RFC 5626 3.5.1)."""

    answer: bool = False
    """True if it answers a ping that `expect_answer` told of."""


class Framer:
    """The unread bytes of one connection, at most `MAX_MESSAGE` and what came last."""

    __slots__ = ("_answers", "_buffer", "_head", "_searched", "_size")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answers = 0
        self._head: Request | Response | None = None
        """The message whose body is on its way; `_size` bytes with it."""
        self._size = 0
        self._searched = 0
        """The bytes in which the end of the head is not."""

    def expect_answer(self) -> None:
        """Take the next CRLF for the answer to a ping of ours, which has just been sent."""
        self._answers += 1

    def feed(self, data: bytes) -> list[Request | Response | KeepAlive]:
        """Return what is complete now.

        Raises SipSyntaxError if the stream cannot be cut into messages any more: no or a wrong
        Content-Length, or a message that is too long. The connection must be closed then. What was
        complete before is returned first: the error comes with the next call.
        """
        self._buffer += data
        found: list[Request | Response | KeepAlive] = []
        while self._buffer:
            try:
                piece = self._keep_alive() or self._message()
            except SipSyntaxError:
                if not found:
                    raise
                break
            if piece is None:
                break
            found.append(piece)
        return found

    def _keep_alive(self) -> KeepAlive | None:
        """Read the line ends before a message, up to a ping or an answer."""
        buffer = self._buffer
        while buffer.startswith((b"\r", b"\n")):
            if self._answers and buffer.startswith(PONG):
                self._answers -= 1
                del buffer[: len(PONG)]
                return KeepAlive(answer=True)
            if buffer.startswith(PING):
                del buffer[: len(PING)]
                return KeepAlive()
            if len(buffer) < len(PING) and PING.startswith(bytes(buffer)):
                return None  # a ping may be on its way
            del buffer[:1]
        return None

    def _message(self) -> Request | Response | None:
        if self._buffer.startswith((b"\r", b"\n")):
            return None
        if self._head is None and not self._read_head():
            return None
        message, size = self._head, self._size
        if message is None or len(self._buffer) < size:
            return None
        message.body = bytes(self._buffer[size - self._length(message) : size])
        message.truncated = False
        del self._buffer[:size]
        self._head, self._searched = None, 0
        return message

    def _read_head(self) -> bool:
        """Read start line and fields if they are here."""
        end = self._find_end()
        if end is None:
            self._check_size(len(self._buffer))
            return False
        head = parse(bytes(self._buffer[:end]))
        self._size = end + self._length(head)
        self._check_size(self._size)
        self._head = head
        return True

    def _find_end(self) -> int | None:
        """Return the number of bytes up to the body; None if the empty line is not here yet."""
        begin = max(0, self._searched - 2)
        ends = [
            at + len(end)
            for end in (b"\n\n", b"\n\r\n")
            if (at := self._buffer.find(end, begin)) >= 0
        ]
        if not ends:
            self._searched = len(self._buffer)
        return min(ends, default=None)

    @staticmethod
    def _length(message: Request | Response) -> int:
        length = content_length(message.headers)
        if length is None:
            raise SipSyntaxError("a message on a stream has no Content-Length")
        return length

    @staticmethod
    def _check_size(size: int) -> None:
        if size > MAX_MESSAGE:
            raise SipSyntaxError(f"the message is longer than {MAX_MESSAGE} bytes")
