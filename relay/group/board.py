"""A board in shared memory, on which each process of a group tells how it is.

Each has a place of its own, writes a document there now and then, and reads those of the others.
Nobody waits for anybody: a document that is half written when it is read counts as none.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib

PLACE = 64 << 10
"""Bytes of one place: a page of metrics has about 4,000."""
_HEADER = struct.Struct("<II")
"""Length and CRC-32 of the document."""


class Board:
    """The board with `places`, behind the file descriptor `file`."""

    def __init__(self, file: int, places: int) -> None:
        self.file, self.places = file, places
        self._memory = mmap.mmap(file, places * PLACE)

    @classmethod
    def new(cls, places: int) -> Board:
        """Make an empty board. Its descriptor can be inherited by name of number."""
        file = os.memfd_create("relay-board", 0)
        os.ftruncate(file, places * PLACE)
        return cls(file, places)

    def write(self, place: int, document: bytes) -> None:
        """Put a document in the place of the one before. ValueError if it is too long."""
        if len(document) > PLACE - _HEADER.size:
            raise ValueError("the document is too long for its place")
        at = place * PLACE
        header = _HEADER.pack(len(document), zlib.crc32(document))
        self._memory[at : at + _HEADER.size + len(document)] = header + document

    def read(self, place: int) -> bytes:
        """Return the document in a place; b"" if there is none."""
        at = place * PLACE
        length, checksum = _HEADER.unpack_from(self._memory, at)
        begin = at + _HEADER.size
        document = self._memory[begin : begin + min(length, PLACE - _HEADER.size)]
        return document if zlib.crc32(document) == checksum else b""

    def clear(self, place: int) -> None:
        """Remove the document of a process that has ended."""
        self.write(place, b"")
