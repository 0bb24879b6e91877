"""Messages as they must not be: real ones with bytes, lines and lengths changed."""

from __future__ import annotations

import random
import re

from tests.unit.sip.torture.verdicts import FILES

INVITE = b"""INVITE sip:+33123456789@192.0.2.1:5060;user=phone SIP/2.0\r
Record-Route: <sip:203.0.113.5;lr;ftag=as6f1>\r
Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK6f1.d2a4b;rport\r
Via: SIP/2.0/UDP 198.51.100.7:5060;received=198.51.100.7;branch=z9hG4bKaf12bc;rport=5060\r
Max-Forwards: 69\r
From: "Jean Dupont" <sip:+33612345678@carrier.example;user=phone>;tag=as58f4201b\r
To: <sip:+33123456789@192.0.2.1>\r
Contact: <sip:+33612345678@198.51.100.7:5060;transport=udp>\r
Call-ID: 3848276298220188511@198.51.100.7\r
CSeq: 102 INVITE\r
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO\r
Supported: replaces, timer\r
P-Asserted-Identity: "Jean Dupont" <sip:+33612345678@carrier.example>\r
Content-Type: application/sdp\r
Content-Length: 11\r
\r
v=0\r
s=-\r
\r
"""
FOLLOWING = [
    re.sub(b"INVITE", method, INVITE.replace(b"102", number), count=1).replace(
        number + b" INVITE", number + b" " + method
    )
    for method, number in (
        (b"ACK", b"102"),
        (b"CANCEL", b"102"),
        (b"BYE", b"103"),
        (b"OPTIONS", b"104"),
    )
]
_WORDS = [*b'" < > ; , \\ @ : [ ] %00 ? = sip: z9hG4bK \xff'.split(), b" ", b"\t", b"\0", b"\r"]
_WORDS += [b"\n", b"\r\n ", b"\r\n\r\n"]
MESSAGES = [INVITE, *FOLLOWING, *(file.read_bytes() for file in sorted(FILES.glob("*.dat")))]


class Mutator:
    """Makes messages of messages by chance."""

    def __init__(self, chance: random.Random, messages: list[bytes] = MESSAGES) -> None:
        self.chance = chance
        self.messages = messages
        self.lines = [line for message in messages for line in message.split(b"\r\n")]
        self.ways = [
            self.flip,
            self.put_in,
            self.cut,
            self.drop_line,
            self.double_line,
            self.swap_lines,
            self.replace_line,
            self.replace_value,
            self.change_number,
            self.repeat,
        ]

    def message(self, data: bytes | None = None) -> bytes:
        """Return a message with up to four changes."""
        if data is None:
            data = self.chance.choice(self.messages)
        for _ in range(self.chance.randrange(5)):
            data = self.chance.choice(self.ways)(data)
        return data

    def flip(self, data: bytes) -> bytes:
        """Change a few bytes."""
        out = bytearray(data)
        for _ in range(self.chance.randrange(1, 4)):
            if out:
                out[self.chance.randrange(len(out))] = self.chance.randrange(256)
        return bytes(out)

    def put_in(self, data: bytes) -> bytes:
        """Put in what means something somewhere."""
        at = self.chance.randrange(len(data) + 1)
        word = self.chance.choice(_WORDS)
        return data[:at] + word + data[at:]

    def cut(self, data: bytes) -> bytes:
        """Drop a piece."""
        begin = self.chance.randrange(len(data) + 1)
        return data[:begin] + data[begin + self.chance.randrange(40) :]

    def drop_line(self, data: bytes) -> bytes:
        """Drop a line."""
        lines, at = self._lines(data)
        return b"\r\n".join(lines[:at] + lines[at + 1 :])

    def double_line(self, data: bytes) -> bytes:
        """Say a line twice."""
        lines, at = self._lines(data)
        return b"\r\n".join([*lines[: at + 1], *lines[at:]])

    def swap_lines(self, data: bytes) -> bytes:
        """Exchange two lines."""
        lines, at = self._lines(data)
        other = self.chance.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
        return b"\r\n".join(lines)

    def replace_line(self, data: bytes) -> bytes:
        """Take a line of another message."""
        lines, at = self._lines(data)
        lines[at] = self.chance.choice(self.lines)
        return b"\r\n".join(lines)

    def replace_value(self, data: bytes) -> bytes:
        """Take the value of another field."""
        lines, at = self._lines(data)
        value = self.chance.choice(self.lines).partition(b":")[2]
        lines[at] = lines[at].partition(b":")[0] + b":" + value
        return b"\r\n".join(lines)

    def change_number(self, data: bytes) -> bytes:
        """Change a number: a length, a port, a status."""
        numbers = list(re.finditer(rb"\d+", data))
        if not numbers:
            return data
        found = self.chance.choice(numbers)
        new = self.chance.choice(
            [b"0", b"-1", b"99999", b"2147483648", b"4" * 40, b"", b"1e9", b"0x10", b"00007"]
        )
        return data[: found.start()] + new + data[found.end() :]

    def repeat(self, data: bytes) -> bytes:
        """Repeat a piece very often."""
        begin = self.chance.randrange(len(data) + 1)
        piece = data[begin : begin + self.chance.randrange(1, 9)]
        return data[:begin] + piece * self.chance.choice([2, 10, 300, 3000]) + data[begin:]

    def _lines(self, data: bytes) -> tuple[list[bytes], int]:
        lines = data.split(b"\r\n")
        return lines, self.chance.randrange(len(lines))
