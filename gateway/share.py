"""The share of one gateway process in the trunks of all, and the rule that gives each key a
process.

There is one rule for all keys: trunks, called numbers, tickets. The front and every process use it,
so that they agree without a word to each other.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from runtime.processors import MAX_PROCESSES

_SHARE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})", re.ASCII)


def process_of(key: str, count: int) -> int:
    """Return the number, from 0, of the process that a key belongs to."""
    return zlib.crc32(key.encode(errors="surrogatepass")) % count


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
