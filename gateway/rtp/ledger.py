"""The numbers of a stream's packets, as they are played: which are lost, and which were there."""

from __future__ import annotations

from collections import deque

MAX_SILENT_PACKETS = 256
"""Packets without audio that are remembered until the play-out has passed them."""
_MISSED = 16


class Ledger:
    """The numbers (`timeline.py`) up to the packet that is played next."""

    __slots__ = ("_missed", "_silent", "bursts", "expected", "lost")

    def __init__(self) -> None:
        self.expected = 0
        """The number of the packet that is to be played next."""
        self.lost = 0
        """Packets that were missing when it was their turn."""
        self.bursts = 0
        """Runs of such packets, one after the other."""
        self._silent: set[int] = set()
        self._missed: deque[int] = deque(maxlen=_MISSED)

    def begin(self, first: int) -> None:
        """Expect that number next: nothing before it was lost."""
        self.expected = first
        self._silent.clear()

    def skip(self, number: int) -> None:
        """Note a packet without audio."""
        if number >= self.expected and len(self._silent) < MAX_SILENT_PACKETS:
            self._silent.add(number)

    def lacks(self, number: int) -> bool:
        """Return whether a packet of audio is missing before that number."""
        silent = sum(self.expected <= each < number for each in self._silent)
        return number - self.expected > silent

    def has_played(self, number: int) -> bool:
        """Return whether a packet was there when it was its turn."""
        return number < self.expected and number not in self._missed

    def play(self, number: int) -> None:
        """Count what was lost before the packet of that number, which is played now. Hot path."""
        if number == self.expected:
            self.expected = number + 1
        elif number > self.expected:
            silent = {each for each in self._silent if each < number}
            lost = number - self.expected - len(silent)
            self.lost += lost
            self.bursts += lost > 0
            self._missed.extend(range(max(self.expected, number - _MISSED), number))
            self._silent -= silent
            self.expected = number + 1
