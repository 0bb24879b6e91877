"""The states of a call."""

from __future__ import annotations

from enum import Enum, auto


class CallState(Enum):
    """How far a call has come."""

    NEW = auto()
    EARLY = auto()
    UP = auto()
    ENDED = auto()
