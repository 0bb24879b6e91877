"""A whole temporary stack for a bench, with a phone at the caller's end and REST at the owner's."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from chalicelib.services.account import accounts
from chalicelib.services.operator import account_admin
from chalicelib.store.places import MAX_PLACES
from gateway.softphone.phone import Softphone
from local.agent import Rest
from local.credentials import Credentials
from local.layout import Layout
from local.stack import application_dependencies, temporary_stack


@dataclass(frozen=True)
class World:
    """A running stack, from both ends."""

    rest: Rest
    layout: Layout
    phone_account: tuple[str, str, str]
    voice_pids: tuple[int, ...] = ()
    """The processes of its voice hosts."""

    def phone(self) -> Softphone:
        """A new phone; it belongs to the event loop in which it is first used."""
        return Softphone(*self.phone_account)

    async def numbers(self, wanted: int) -> list[str]:
        """Return that many numbers of the account; an account may hold five."""
        held = [str(n["e164"]) for n in (await self.rest("GET", "/api/numbers"))["numbers"]]
        while len(held) < wanted:
            held.append(str((await self.rest("POST", "/api/number"))["e164"]))
        return held[:wanted]

    async def calls(self, state: str | None = None) -> list[dict[str, Any]]:
        """All calls of the account, newest first."""
        query = "?limit=100" + (f"&state={state}" if state else "")
        page = await self.rest("GET", f"/api/calls{query}")
        calls = list(page["calls"])
        while page["next_cursor"]:
            page = await self.rest("GET", f"/api/calls{query}&cursor={page['next_cursor']}")
            calls.extend(page["calls"])
        return calls

    async def ringing_from(self, caller: str) -> dict[str, Any]:
        """The ringing call of a caller, once the application knows it."""
        async with asyncio.timeout(10):
            while True:
                page = await self.rest("GET", "/api/calls?state=ringing&limit=20")
                for call in page["calls"]:
                    if call["from"] == caller:
                        return dict(call)
                await asyncio.sleep(0.02)


@contextmanager
def stack(voice_hosts: int = 0, **settings: str) -> Iterator[World]:
    """A stack that is up meanwhile, with so many voice hosts and these environment variables."""
    with (
        _environment(settings),
        tempfile.TemporaryDirectory(prefix="chamade-bench-") as folder,
        temporary_stack(Path(folder), say, voice_hosts=voice_hosts) as running,
    ):
        layout, credentials = running.layout, running.credentials
        allow_many_calls(layout, credentials)
        yield World(
            Rest(layout.api_url, credentials.api_key),
            layout,
            (
                layout.gateway_url,
                credentials.provider_account_sid,
                credentials.provider_auth_token,
            ),
            tuple(part.process.pid for part in running.voice.parts),
        )


def allow_many_calls(layout: Layout, credentials: Credentials) -> None:
    """Raise the limits of the stack's account, as its operator would."""
    deps = application_dependencies(layout, credentials)
    account_id = accounts.account_of(deps, credentials.api_key)
    assert account_id is not None
    limits = {"max_concurrent_calls": MAX_PLACES, "rate_factor": 1000}
    account_admin.set_limits(deps, account_id, limits)


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def say(line: str) -> None:
    """To the person who waits."""
    print(line, file=sys.stderr, flush=True)


def epoch_s(text: str) -> float:
    """RFC 3339 as epoch seconds."""
    return datetime.fromisoformat(text).timestamp()


def quantile(values: list[float], share: float) -> float:
    """The least value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
