"""The process's limit of open files, and how many connections it leaves room for."""

from __future__ import annotations

import resource

RESERVED = 256
"""Files that are needed for other things: requests to the application, logs, libraries."""
LEAST = 64
"""Connections that are accepted however few files may be open."""


def raise_limit() -> int:
    """Raise the number of files that may be open to the most that the system allows; return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def affordable(connections: int, files: int) -> int:
    """Return how many of `connections` there is room for with so many `files`.

    Each needs up to two: the relay may open another connection for it, to an agent that is dialled
    or to the relay that holds the call.
    """
    return max(LEAST, min(connections, (files - RESERVED) // 2))
