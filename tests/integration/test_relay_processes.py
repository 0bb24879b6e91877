"""Two relay processes on one port: calls of both, agents piped between them, one killed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from local.stack import application_dependencies, temporary_stack
from tests.support.rolling import on
from tests.support.toned_calls import Call, begin, end

MOST = 12
"""Calls until both processes carry one, and an agent is piped: each is an even chance."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELAY_PROCESSES", "2")
        with temporary_stack(tmp_path_factory.mktemp("two") / "state", lambda _: None) as stack:
            yield stack


async def hears(call: Call, side: str, within_s: float = 10) -> None:
    """Wait until a side hears the other one's tone, and nothing else, for half a second."""
    since = time.monotonic()
    async with asyncio.timeout(within_s):
        while len(call.heard(side, since)) < 25:  # noqa: ASYNC110 - looks at what came
            await asyncio.sleep(0.05)


async def both_hear(*calls: Call) -> None:
    await asyncio.gather(*(hears(call, side) for call in calls for side in ("caller", "agent")))


def process_of(owner: str, port: int) -> int:
    """Return the pid of the relay process that has this name, of the group at this port."""
    member = f"RELAY_MEMBER={owner.split('-')[-2]}/2".encode()
    group = f"RELAY_PORT={port}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            environ = (entry / "environ").read_bytes().split(b"\0")
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if member in environ and group in environ and b"relay" in command:
            found.append(int(entry.name))
    assert len(found) == 1, found
    return found[0]


async def test_two_processes_carry_calls_and_the_death_of_one_ends_none(stack):
    live = on(stack)
    media = media_store(stack)
    phone = live.phone()
    log = stack.layout.state_dir / "logs" / "relay.log"
    up: list[Call] = []
    owners: dict[str, str] = {}
    while len(set(owners.values())) < 2 or "piped to the owner" not in log.read_text():
        assert len(up) < MOST
        call = await begin(live.rest, phone, len(up), live.number)
        up.append(call)
        await both_hear(call)
        owners[call.call_id] = media.get(call.call_id).relay
    victim = owners[up[0].call_id]
    os.kill(process_of(victim, stack.layout.ports["relay"]), signal.SIGKILL)
    await both_hear(*up)
    for call in up:
        assert (await live.rest("GET", f"/api/call/{call.call_id}"))["state"] == "active"
        stayed = media.get(call.call_id).relay == owners[call.call_id]
        assert stayed == (owners[call.call_id] != victim)
        await end(call)


def media_store(stack):
    """Return the store that knows the owners of calls' audio."""
    return application_dependencies(stack.layout, stack.credentials).stores.media
