"""The states of a call."""

from __future__ import annotations

from enum import Enum, auto


class CallState(Enum):
    """The progress of a call."""

    NEW = auto()
    EARLY = auto()
    UP = auto()
    ENDED = auto()
