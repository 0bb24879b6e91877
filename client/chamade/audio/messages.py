"""What the relay says on a call's audio socket, besides audio."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Start:
    """Audio flows from here on. `resumed`: it did before, on an earlier connection."""

    resumed: bool
    call: Mapping[str, Any]


@dataclass(frozen=True)
class Dtmf:
    """The caller pressed a key: one of `0-9*#ABCD`."""

    digit: str


@dataclass(frozen=True)
class Mark:
    """Playout got to a mark (`played`), or never will, or nobody can tell."""

    name: str
    played: bool


@dataclass(frozen=True)
class Dropped:
    """Audio was thrown away. `direction`: `to_agent` or `to_caller`. `why`: as the relay says, or
    `slow_reader`: this program did not read what it was sent.
    """

    direction: str
    ms: int
    why: str


@dataclass(frozen=True)
class Refusal:
    """Something that was sent was not done."""

    code: str
    detail: str


@dataclass(frozen=True)
class Stop:
    """The call is over."""

    reason: str | None
    state: str


FromRelay: TypeAlias = Start | Dtmf | Mark | Dropped | Refusal | Stop

Heard: TypeAlias = bytes | Dtmf | Mark | Dropped | Refusal
"""What reaches the program: audio, and what else happens on the line, in order."""


def parse(text: str) -> FromRelay | None:  # noqa: PLR0911 - a table
    """A text message; None for a type that is newer than this client. ValueError if it is neither.

    Members that are missing are taken kindly, as the protocol asks for.
    """
    said = json.loads(text)
    if not isinstance(said, dict):
        raise ValueError("not an object")
    match said.get("type"):
        case "start":
            return Start(bool(said.get("resumed")), said.get("call") or {})
        case "dtmf":
            return Dtmf(str(said.get("digit", "")))
        case "mark":
            return Mark(str(said.get("name", "")), bool(said.get("played")))
        case "dropped":
            return Dropped(
                str(said.get("direction", "")), int(said.get("ms") or 0), str(said.get("why", ""))
            )
        case "error":
            return Refusal(str(said.get("code", "")), str(said.get("detail", "")))
        case "stop":
            reason = said.get("reason")
            return Stop(None if reason is None else str(reason), str(said.get("state", "")))
    return None
