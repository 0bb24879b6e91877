"""Helpers at the stack's side of SIP calls: the account that owns a trunk and its events, the agent
that hears and talks, and the processes that hold the calls.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from local.agent import Rest, Talk, event_of
from local.listening import find
from tests.sip.peers import HOST, Carrier
from tests.sip.peers.rtp import ULAW, Samples, encode

USER, PASSWORD, DID = "acct42", "s3cret", "+15551230000"
"""The account at the carrier, and the number that the carrier sends its way."""

CALLED = "+33199001234"
"""The number that tests dial: set aside for fiction."""

PATIENCE_S = 10.0
_OVER = ("ended", "failed", "missed", "declined")
_POLL_S = 0.1
BREATH_S = 0.8
"""Silence before what a microphone says."""
_callers = itertools.count(1)


def fresh_caller() -> str:
    """A number that nobody else calls from."""
    return f"+3361{os.getpid() % 1000:03d}{next(_callers):05d}"


@dataclass
class Tenant:
    """An account of the running stack, by its key."""

    rest: Rest

    async def connect(self, port: int, **settings: Any) -> dict[str, Any]:
        """PUT /api/trunk; the trunk, most likely not registered yet."""
        trunk = {"host": HOST, "port": port, "username": USER, "password": PASSWORD}
        more = {"caller_id": DID, "allowed_countries": ["FR"], **settings}
        return dict(await self.rest("PUT", "/api/trunk", trunk | more))

    async def register(self, carrier: Carrier, **settings: Any) -> dict[str, Any]:
        """The trunk, registered."""
        await self.connect(settings.pop("port", carrier.port), **settings)
        return dict((await self.happens("trunk.registered"))["trunk"])

    async def add(self, e164: str, **settings: Any) -> None:
        """POST /api/trunk/dids."""
        await self.rest("POST", "/api/trunk/dids", {"e164": e164, **settings})

    async def happens(
        self,
        type_: str,
        wanted: Callable[[dict[str, Any]], bool] = lambda data: True,
        within_s: float = PATIENCE_S,
    ) -> dict[str, Any]:
        """`data` of the account's first event of that type that is wanted, once it is there."""
        try:
            async with asyncio.timeout(within_s):
                event = await event_of(
                    self.rest, lambda event: event["type"] == type_ and wanted(event["data"])
                )
        except TimeoutError:
            happened = json.dumps(await self.events(), indent=1)
            raise AssertionError(f"no {type_} within {within_s} s:\n{happened}") from None
        return dict(event["data"])

    async def events(self) -> list[dict[str, Any]]:
        """All there have been."""
        return list((await self.rest("GET", "/api/events?wait=0"))["events"])

    async def rings(self, from_: str | None = None) -> dict[str, Any]:
        """The first call, of that caller, that came in."""
        data = await self.happens(
            "call.ringing", lambda data: from_ in (None, data["call"]["from"])
        )
        return await self.call(data["call"]["call_id"])

    async def call(self, call_id: str) -> dict[str, Any]:
        """As it is now."""
        return dict(await self.rest("GET", f"/api/call/{call_id}"))

    async def dial(self, number: str = CALLED, *, host: str = HOST, **more: Any) -> dict[str, Any]:
        """POST /api/call."""
        url = f"sip:{number}@{host}"
        return dict(
            await self.rest("POST", "/api/call", {"platform": "sip", "meeting_url": url, **more})
        )

    async def accept(self, call: dict[str, Any]) -> dict[str, Any]:
        """The call, active."""
        return dict(await self.rest("POST", f"/api/call/{call['call_id']}/accept"))

    async def leave(self, call: dict[str, Any]) -> dict[str, Any]:
        """The call, ended."""
        return dict(await self.rest("POST", f"/api/call/{call['call_id']}/leave"))

    async def is_active(self, call: dict[str, Any]) -> None:
        """Until it is."""
        await self.rest.wait_for(call["call_id"], "active")

    async def over(self, call: dict[str, Any], within_s: float = PATIENCE_S) -> dict[str, Any]:
        """The call, once it is over."""
        return dict(await self.rest.wait_for(call["call_id"], *_OVER, within_s=within_s))

    async def ending(self, call: dict[str, Any], within_s: float = PATIENCE_S) -> tuple[str, str]:
        """State and reason, once it is over."""
        over = await self.over(call, within_s)
        return over["state"], over["end_reason"]

    async def story(self, call: dict[str, Any]) -> list[str]:
        """The types of the call's events so far."""
        mine = (event for event in await self.events() if event["call_id"] == call["call_id"])
        return [event["type"] for event in mine]


@dataclass
class Line:
    """A routing number: whose, and where a softphone calls it."""

    owner: Tenant
    number: str
    port: int

    @property
    def uri(self) -> str:
        """Straight at the gateway."""
        return f"sip:{self.number}@{HOST}:{self.port}"


class Agent:
    """An agent on a call's audio socket. May come while the call still rings."""

    def __init__(self, call: dict[str, Any]) -> None:
        self.talk = Talk(call["audio"])

    async def __aenter__(self) -> Self:
        self._talking = asyncio.create_task(self.talk.run(b""))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._talking.cancel()
        await asyncio.gather(self._talking, return_exceptions=True)
        print(f"==== agent: heard {len(self.talk.heard)} bytes, was told {self.talk.told}")

    async def say(self, samples: Samples) -> None:
        """As soon as the call is up; returns when all of it has been played."""
        async with asyncio.timeout(PATIENCE_S):
            await self.talk.started.wait()
            await self.talk.socket.send(encode(samples, ULAW))
            await self.talk.tell(type="mark", name="said")
            await self.talk.played.wait()
        self.talk.played.clear()

    def heard(self) -> Samples:
        """Return the audio of the far end so far."""
        return ULAW[np.frombuffer(bytes(self.talk.heard), np.uint8)]

    async def press(self, keys: str) -> None:
        """Once the call is up."""
        async with asyncio.timeout(PATIENCE_S):
            await self.talk.started.wait()
        await self.talk.tell(type="dtmf", digits=keys)

    def keys(self) -> str:
        """Those that the far end has pressed so far."""
        return "".join(message["digit"] for message in self.talk.told if message["type"] == "dtmf")

    async def dismissed(self) -> dict[str, Any]:
        """The last it was told, once its socket is closed."""
        await asyncio.wait_for(self.talk.stopped.wait(), PATIENCE_S)
        return self.talk.told[-1]


class Ear(Protocol):
    """Whoever records: an agent, a softphone, sipp's `rtp`."""

    def heard(self) -> Samples:
        """All so far, 8 kHz."""


@dataclass
class Since:
    """The audio that an ear hears from now on."""

    ear: Ear

    def __post_init__(self) -> None:
        self.begin, self.samples = time.monotonic(), len(self.ear.heard())

    def heard(self) -> Samples:
        """The same, without what was before."""
        return self.ear.heard()[self.samples :]

    @property
    def flow(self) -> float:
        """Return the share of the time since then for which audio came, silent or not."""
        return len(self.heard()) / 8000 / (time.monotonic() - self.begin)


async def hears(ear: Ear, said: Samples, within_s: float = PATIENCE_S) -> None:
    """Until all of `said` has been heard, sample by sample."""
    try:
        await until(lambda: find(said, ear.heard()).heard, within_s)
    except TimeoutError:
        found, recorded = find(said, ear.heard()), len(ear.heard())
        raise AssertionError(f"{ear} heard {found} in {recorded} samples") from None


async def until(ready: Callable[[], Any], within_s: float = PATIENCE_S) -> None:
    """Until `ready()`: for what no event tells. TimeoutError."""
    async with asyncio.timeout(within_s):
        while not ready():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_POLL_S)


def spoken(samples: Samples, times: int = 4) -> Samples:
    """Return a microphone's audio: some silence, as nobody listens before the media stream is up,
    and all of it more than once: a busy machine may well tear a hole into one of them.
    """
    return np.tile(np.concatenate([np.zeros(int(8000 * BREATH_S), np.int16), samples]), times)
