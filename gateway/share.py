"""The share of one gateway process in the trunks of all, and the rule that gives each key a
process.

There is one rule for all keys: trunks, called numbers, tickets. The front and every process use it,
so that they agree without a word to each other.
"""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass

MAX_PROCESSES = 32
"""Limit of the gateway processes behind one front."""

AUTO = "auto"
_SHARE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})", re.ASCII)


def process_of(key: str, count: int) -> int:
    """Return the number, from 0, of the process that a key belongs to."""
    return zlib.crc32(key.encode(errors="surrogatepass")) % count


def count_of(text: str) -> int:
    """Read the number of processes: 1 to `MAX_PROCESSES`, or `auto` for one on each processor.

    Raises ValueError.
    """
    if text == AUTO:
        return min(len(os.sched_getaffinity(0)), MAX_PROCESSES)
    if not re.fullmatch(r"[0-9]{1,2}", text, re.ASCII) or not 1 <= int(text) <= MAX_PROCESSES:
        raise ValueError(f"must be a number from 1 to {MAX_PROCESSES}, or {AUTO}, not {text!r}")
    return int(text)


@dataclass(frozen=True, slots=True)
class Share:
    """One process of `count`; `index` counts from 0."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """Read `2/4`, the second of four. Raises ValueError."""
        found = _SHARE.fullmatch(text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]) <= MAX_PROCESSES:
            raise ValueError(f"must be like 2/4, and at most {MAX_PROCESSES}, not {text!r}")
        return cls(int(found[1]) - 1, int(found[2]))

    def __str__(self) -> str:
        return f"{self.index + 1}/{self.count}"

    def owns(self, key: str) -> bool:
        """Return whether a key belongs to this process."""
        return process_of(key, self.count) == self.index
