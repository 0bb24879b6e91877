"""Try again after another write touched the same items: so many times, a random moment apart."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

MAX_TRIES = 25
WAIT_S = 0.03
"""The longest pause: about as long as a transaction takes."""


def tries(limit: int = MAX_TRIES) -> Iterator[int]:
    """Yield the number of each try, from 0, and step aside before each further one.

    for _ in tries():
        before = read()
        try:
            write(decide(before))
        except Contention:
            continue
        return
    raise Contention
    """
    for number in range(limit):
        if number:
            step_aside()
        yield number


def step_aside() -> None:
    """Pause for a random moment, so that the other write gets through."""
    time.sleep(random.uniform(0, WAIT_S))  # noqa: S311 - no secret
