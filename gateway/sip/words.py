"""Random words: tags, branches and Call-IDs that nobody can guess (RFC 3261 8.1.1.7, 19.3)."""

from __future__ import annotations

from collections.abc import Callable

RandomBytes = Callable[[int], bytes]


class Words:
    """Makes words out of a source of randomness, which tests replace."""

    def __init__(self, random_bytes: RandomBytes) -> None:
        self.random_bytes = random_bytes

    def tag(self) -> str:
        """Return a tag of 64 random bits."""
        return self.random_bytes(8).hex()

    def branch(self) -> str:
        """Return a branch that says it is of RFC 3261."""
        return f"z9hG4bK{self.random_bytes(10).hex()}"

    def call_id(self, host: str) -> str:
        """Return a Call-ID."""
        return f"{self.random_bytes(12).hex()}@{host}"

    def between(self, low: float, high: float) -> float:
        """Return a random number of that range."""
        share = int.from_bytes(self.random_bytes(4), "big") / (1 << 32)
        return low + (high - low) * share
