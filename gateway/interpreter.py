"""Runs TwiML: asks for a document, does its verbs in order, follows redirects to the end.

It knows a call only as a `Line` and the application only as a `Fetcher`, and decides nothing about
statuses: it returns the verb that ends the call, or raises `CallFailedError`. Cancel the task that
runs it to interrupt whatever it is doing.
Source: https://www.twilio.com/docs/voice/twiml
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from gateway import twiml
from gateway.errors import INVALID_URL, REDIRECT_LOOP, SCHEMA, CallFailedError


@dataclass(frozen=True, slots=True)
class Fetch:
    """The script is what `url` answers."""

    url: str
    method: twiml.Method = "POST"


@dataclass(frozen=True, slots=True)
class Inline:
    """The script is given, as with the REST API's `Twiml`; it has no URL of its own."""

    document: str


Program = Fetch | Inline


class Line(Protocol):
    """What a script can do to its call."""

    async def answer(self) -> None:
        """Answers the call; nothing if it is answered already."""

    async def connect(self, verb: twiml.Connect) -> bool:
        """Runs a media stream until it closes; returns whether it ever opened."""
        ...


class Fetcher(Protocol):
    """How a document comes from the application."""

    async def fetch(self, url: str, method: twiml.Method) -> bytes:
        """The document at `url`. CallFailedError: there is none to be had."""
        ...


class Interpreter:
    """One call's script. `sleep` is how `<Pause>` waits."""

    def __init__(
        self,
        line: Line,
        fetcher: Fetcher,
        max_redirects: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._line = line
        self._fetcher = fetcher
        self._max_redirects = max_redirects
        self._redirects = 0
        self._sleep = sleep

    async def run(self, program: Program) -> twiml.Hangup | twiml.Reject:
        """The verb that ended the script; its plain end counts as `<Hangup/>`.

        CallFailedError: no document, a broken one, an unsupported verb, or a redirect loop.
        """
        while True:
            if isinstance(program, Fetch):
                document: bytes | str = await self._fetcher.fetch(program.url, program.method)
            else:
                document = program.document
            last = await self._play(twiml.parse(document))
            if not isinstance(last, twiml.Redirect):
                return last
            self._count_redirect()
            program = Fetch(_resolve(last.url, program), last.method)

    async def _play(self, verbs: list[twiml.Verb]) -> twiml.Redirect | twiml.Hangup | twiml.Reject:
        for verb in verbs:
            match verb:
                case twiml.Redirect() | twiml.Hangup() | twiml.Reject():
                    return verb
                case twiml.Pause(length):
                    # Waiting does not answer: this is how an application lets a call ring.
                    await self._sleep(length)
                case twiml.Connect():
                    await self._line.answer()
                    if await self._line.connect(verb):
                        self._redirects = 0
                case twiml.Unsupported(name):
                    raise CallFailedError(SCHEMA, f"<{name}> is not supported by this gateway")
        return twiml.Hangup()

    def _count_redirect(self) -> None:
        self._redirects += 1
        if self._redirects > self._max_redirects:
            raise CallFailedError(REDIRECT_LOOP, f"{self._redirects} redirects in a row")


def _resolve(url: str, program: Program) -> str:
    absolute = urljoin(program.url, url) if isinstance(program, Fetch) else url
    if not is_web_url(absolute):
        raise CallFailedError(INVALID_URL, f"<Redirect> to {url!r}, which is no http(s) URL")
    return absolute


def is_web_url(url: str) -> bool:
    """Whether a webhook could be posted there."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
