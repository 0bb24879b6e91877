"""The TwiML interpreter: fetches a document, runs its verbs in order, follows redirects to the end.

The call is known only as a `Line` and the application only as a `Fetcher`. Statuses are not decided
here: the interpreter returns the verb that ends the call, or raises `CallFailedError`. To interrupt
it, cancel the task that runs it.
Source: https://www.twilio.com/docs/voice/twiml
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from gateway.errors import INVALID_URL, REDIRECT_LOOP, SCHEMA, CallFailedError
from gateway.twiml import verbs


@dataclass(frozen=True, slots=True)
class Fetch:
    """A script that is the answer of `url`."""

    url: str
    method: verbs.Method = "POST"


@dataclass(frozen=True, slots=True)
class Inline:
    """A script that is given as text, as with the REST API's `Twiml`; it has no URL of its own."""

    document: str


Program = Fetch | Inline


class Line(Protocol):
    """The part of a call that a script can control."""

    async def answer(self) -> None:
        """Answer the call; do nothing if it is answered already."""

    async def connect(self, verb: verbs.Connect) -> bool:
        """Run a media stream until it closes; return whether it ever opened."""
        ...


class Fetcher(Protocol):
    """The source of documents: the application."""

    async def fetch(self, url: str, method: verbs.Method) -> bytes:
        """Return the document at `url`. Raises CallFailedError if there is none."""
        ...


class Interpreter:
    """The interpreter of one call's script. `sleep` is the function with which `<Pause>` waits."""

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

    async def run(self, program: Program) -> verbs.Hangup | verbs.Reject:
        """Run the script and return the verb that ended it; the end of the document counts as
        `<Hangup/>`.

        Raises CallFailedError if there is no document, or a broken one, an unsupported verb or a
        redirect loop.
        """
        while True:
            if isinstance(program, Fetch):
                document: bytes | str = await self._fetcher.fetch(program.url, program.method)
            else:
                document = program.document
            last = await self._play(verbs.parse(document))
            if not isinstance(last, verbs.Redirect):
                return last
            self._count_redirect()
            program = Fetch(_resolve(last.url, program), last.method)

    async def _play(
        self, document: list[verbs.Verb]
    ) -> verbs.Redirect | verbs.Hangup | verbs.Reject:
        for verb in document:
            match verb:
                case verbs.Redirect() | verbs.Hangup() | verbs.Reject():
                    return verb
                case verbs.Pause(length):
                    # <Pause> does not answer the call, so an application can use it to let the call
                    # ring.
                    await self._sleep(length)
                case verbs.Connect():
                    await self._line.answer()
                    if await self._line.connect(verb):
                        self._redirects = 0
                case verbs.Unsupported(name):
                    raise CallFailedError(SCHEMA, f"<{name}> is not supported by this gateway")
        return verbs.Hangup()

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
    """Return whether the URL is one to which a webhook can be posted."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
