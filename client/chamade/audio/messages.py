"""Messages of the relay on a call's audio socket, besides audio."""

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
    """Playout has reached a mark (`played`), or it never will, or that is unknown."""

    name: str
    played: bool


@dataclass(frozen=True)
class AnsweredBy:
    """The answer to a call that was dialled with `detect_answer`: `human`, `machine`, `fax` or
    `unknown`, found out `at_ms` after it.
    """

    by: str
    at_ms: int


@dataclass(frozen=True)
class GreetingEnded:
    """The end of a machine's greeting, by `beep`, `silence` or `timeout`: a message is spoken
    now.
    """

    by: str
    at_ms: int


@dataclass(frozen=True)
class Dropped:
    """Audio, or so many `keys`, were thrown away. `direction`: `to_agent` or `to_caller`. `why`: as
    the relay says, or `slow_reader`: this program did not read what it was sent.
    """

    direction: str
    ms: int
    why: str
    keys: int = 0


@dataclass(frozen=True)
class Refusal:
    """The relay refused something that was sent."""

    code: str
    detail: str


@dataclass(frozen=True)
class Stop:
    """The call is over."""

    reason: str | None
    state: str


@dataclass(frozen=True)
class Advice:
    """The relay says that the program seems to make a mistake."""

    code: str
    detail: str


FromRelay: TypeAlias = (
    Start | Dtmf | Mark | AnsweredBy | GreetingEnded | Dropped | Advice | Refusal | Stop
)

Heard: TypeAlias = bytes | Dtmf | Mark | AnsweredBy | GreetingEnded | Dropped | Refusal
"""Audio and messages that reach the program, in order."""


def parse(text: str) -> FromRelay | None:  # noqa: PLR0911 - one return for each type
    """Parse a text message; return None for a type that is newer than this client. Raises
    ValueError if it is no message.

    Missing members are no error, as the protocol demands.
    """
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("not an object")
    match document.get("type"):
        case "start":
            return Start(bool(document.get("resumed")), document.get("call") or {})
        case "dtmf":
            return Dtmf(str(document.get("digit", "")))
        case "mark":
            return Mark(str(document.get("name", "")), bool(document.get("played")))
        case "answered_by":
            by = str(document.get("answered_by", ""))
            return AnsweredBy(by, int(document.get("at_ms") or 0))
        case "greeting_ended":
            by = str(document.get("ended_by", ""))
            return GreetingEnded(by, int(document.get("at_ms") or 0))
        case "dropped":
            return Dropped(
                str(document.get("direction", "")),
                int(document.get("ms") or 0),
                str(document.get("why", "")),
                int(document.get("keys") or 0),
            )
        case "warning":
            return Advice(str(document.get("code", "")), str(document.get("detail", "")))
        case "error":
            return Refusal(str(document.get("code", "")), str(document.get("detail", "")))
        case "stop":
            reason = document.get("reason")
            return Stop(None if reason is None else str(reason), str(document.get("state", "")))
    return None
