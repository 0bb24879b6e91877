"""The methods of a voice host, as the application calls them through the relay (docs/contracts.md).

Each request is a dataclass: `params()` writes it, `read(params)` reads it and raises
`BadRequestError`. The results are plain JSON, whose members the TypedDicts name. Times are in ms;
`started_ms` and `ended_ms` count from the call's answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypedDict

MAX_TEXT = 2000
"""Characters of one `say`."""
MAX_ID = 128
MAX_NAME = 128
MAX_WAIT_S = 20.0
MIN_SPEED, MAX_SPEED = 0.5, 2.0


class BadRequestError(ValueError):
    """A request is malformed; the text says what it must be."""


class Reply(TypedDict):
    """The caller's answer to an utterance."""

    text: str
    started_ms: int
    ended_ms: int
    sequence: int
    """Its place in the transcript."""


class SayResult(TypedDict):
    """The answer to `say`. `state` is queued (not over yet), finished or interrupted. `heard_text`
    and `heard_ms`: what the caller has heard of it by now.
    """

    utterance_id: str
    state: str
    heard_text: str
    heard_ms: int
    reply: Reply | None


class ClearResult(TypedDict):
    """The answer to `clear`: the utterances that were spoken or queued."""

    cleared: list[str]


class Said(TypedDict):
    """A final entry of the caller's in the transcript."""

    sequence: int
    text: str
    started_ms: int
    ended_ms: int
    confidence: float | None


class Uttered(TypedDict):
    """An entry of the agent's in the transcript: an utterance that is over, and was heard."""

    sequence: int
    utterance_id: str
    text: str
    """As much of it as was heard."""
    started_ms: int
    ended_ms: int
    interrupted: bool


class ListenResult(TypedDict):
    """The answer to `listen`: all entries up to `next`, which is the `after` of the next request.
    Nothing is reported later with a number up to it.
    """

    said: list[Said]
    uttered: list[Uttered]
    next: int
    speaking: bool


@dataclass(frozen=True, slots=True)
class Say:
    """A request to speak a text."""

    METHOD: ClassVar = "say"

    utterance_id: str
    text: str
    interrupt: bool = False
    """True: what is spoken or queued is dropped first."""
    barge_in: bool = True
    """False: it is spoken to its end, even while the caller speaks."""
    name: str | None = None
    language: str | None = None
    speed: float | None = None
    """None: as the call's settings have it; so with `name` and `language`."""
    wait: bool = False
    """True: the answer comes when it is over."""
    wait_for_reply_s: float = 0.0
    """Seconds to wait for the caller's reply after the end of the utterance; it implies `wait`. The
    answer comes after 24 s in any case."""

    def params(self) -> dict[str, Any]:
        """Return the request's params."""
        return asdict(self)

    @classmethod
    def read(cls, params: Any) -> Say:
        """Read the request's params. BadRequestError."""
        given = _Params(params)
        text = given.text("text", MAX_TEXT)
        if not text.strip():
            raise BadRequestError("text is blank")
        return cls(
            utterance_id=given.text("utterance_id", MAX_ID),
            text=text,
            interrupt=given.flag("interrupt", False),
            barge_in=given.flag("barge_in", True),
            name=given.optional_text("name", MAX_NAME),
            language=given.optional_text("language", MAX_NAME),
            speed=given.number("speed", MIN_SPEED, MAX_SPEED),
            wait=given.flag("wait", False),
            wait_for_reply_s=given.number("wait_for_reply_s", 0, MAX_WAIT_S) or 0.0,
        )


@dataclass(frozen=True, slots=True)
class Clear:
    """A request to drop what is spoken and queued."""

    METHOD: ClassVar = "clear"

    def params(self) -> dict[str, Any]:
        """Return the request's params."""
        return {}

    @classmethod
    def read(cls, params: Any) -> Clear:
        """Read the request's params. BadRequestError."""
        _Params(params)
        return cls()


@dataclass(frozen=True, slots=True)
class Listen:
    """A request for what the caller has said."""

    METHOD: ClassVar = "listen"

    after: int | None = None
    """The `next` of the answer before, or the sequence of an entry; None: from now on."""
    wait_s: float = 0.0
    """Seconds to wait if there is nothing."""

    def params(self) -> dict[str, Any]:
        """Return the request's params."""
        return asdict(self)

    @classmethod
    def read(cls, params: Any) -> Listen:
        """Read the request's params. BadRequestError."""
        given = _Params(params)
        after = given.number("after", 0, 2**53)
        return cls(
            after=None if after is None else int(after),
            wait_s=given.number("wait_s", 0, MAX_WAIT_S) or 0.0,
        )


Request = Say | Clear | Listen


def read(method: Any, params: Any) -> Request:
    """Read a request. BadRequestError: there is no such method, or its params are malformed."""
    for kind in (Say, Clear, Listen):
        if method == kind.METHOD:
            return kind.read(params)
    raise BadRequestError("method is say, clear or listen")


class _Params:
    """Params, read member by member. Unknown ones are ignored. BadRequestError."""

    def __init__(self, params: Any) -> None:
        if not isinstance(params, Mapping):
            raise BadRequestError("params is an object")
        self._params = params

    def text(self, name: str, most: int) -> str:
        value = self.optional_text(name, most)
        if not value:
            raise BadRequestError(f"{name} is missing")
        return value

    def optional_text(self, name: str, most: int) -> str | None:
        value = self._params.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > most:
            raise BadRequestError(f"{name} is a text of at most {most} characters")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self._params.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise BadRequestError(f"{name} is true or false")
        return value

    def number(self, name: str, least: float, most: float) -> float | None:
        value = self._params.get(name)
        if value is None:
            return None
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not least <= value <= most:
            raise BadRequestError(f"{name} is a number from {least:g} to {most:g}")
        return float(value)
