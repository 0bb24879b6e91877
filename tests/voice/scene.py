"""A caller who speaks and listens in turns, an agent without audio, a stack's voice hosts."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.softphone.call import PhoneCall, is_silent
from tests.support.running import Live, Process

HOSTS, PLACES = 2, 2
WITHIN_S = 20
_TURN_IS_OVER = 40
"""Silent frames after which the other side has finished: 0.8 s, longer than between sentences."""


class Caller:
    """The caller's ear and mouth."""

    def __init__(self, call: PhoneCall) -> None:
        self.call = call
        self._heard_until = 0

    async def hears(self) -> bytes:
        """Wait for the other side's next turn, until they are silent; return it, mu-law."""
        async with asyncio.timeout(WITHIN_S + 20):
            first = await self._until(lambda frame: not is_silent(frame), self._heard_until, 1)
            last = await self._until(is_silent, first, _TURN_IS_OVER)
        self._heard_until = last
        return b"".join(each.frame for each in self.call.received[max(0, first - 5) : last])

    async def _until(self, wanted: Callable[[bytes], bool], start: int, in_a_row: int) -> int:
        """Wait for so many frames in a row; return the place behind the last of them."""
        row, at = 0, start
        while row < in_a_row:
            await self.call.wait_frames(at + 1)
            assert not self.call.ended.is_set(), "the call is over"
            row = row + 1 if wanted(self.call.received[at].frame) else 0
            at += 1
        return at

    def listens_anew(self) -> None:
        """Forget what was heard so far."""
        self._heard_until = len(self.call.received)

    async def says(self, ulaw: bytes) -> float:
        """Say it; return when the last of it was sent (monotonic seconds)."""
        await self.call.play(ulaw)
        return time.monotonic()


class HostedCall:
    """An active hosted call: its caller, and what an agent does with it over REST."""

    def __init__(self, live: Live, call: PhoneCall, call_id: str) -> None:
        self.live, self.call_id, self.caller = live, call_id, Caller(call)

    async def say(self, text: str, **more: Any) -> dict[str, Any]:
        """Have a text spoken."""
        body = {"text": text, **more}
        return dict(await self.live.rest("POST", f"/api/call/{self.call_id}/say", body))

    async def transcript(self) -> list[dict[str, Any]]:
        """Return what was said so far."""
        page = await self.live.rest("GET", f"/api/call/{self.call_id}/transcript")
        return list(page["entries"])

    async def happens(self, type_: str, **wanted: Any) -> dict[str, Any]:
        """Wait for an event of the call with such data; return it."""
        async with asyncio.timeout(WITHIN_S):
            cursor = ""
            while True:
                news = await self.live.rest("GET", f"/api/events?wait=2{cursor}")
                for event in news["events"]:
                    ours = event["type"] == type_ and event.get("call_id") == self.call_id
                    if ours and wanted.items() <= event["data"].items():
                        return dict(event)
                cursor = f"&after={news['cursor']}"

    async def hang_up(self) -> None:
        """End the call from the caller's side, if it is not over, and see it over."""
        self.caller.call.hangup()
        await self.live.rest.wait_for(self.call_id, "ended", within_s=WITHIN_S)
        await self.caller.call.close()


async def hosted_call(live: Live, number: str | None = None, **settings: Any) -> HostedCall:
    """Make a call that an agent accepts with a hosted voice, and wait until the caller is
    connected."""
    call, call_id = await live.dial(number)
    accepted = await live.rest(
        "POST", f"/api/call/{call_id}/accept", {"voice": "hosted", **settings}
    )
    assert accepted["voice"] == "hosted"
    async with asyncio.timeout(WITHIN_S):
        assert await call.wait_answered()
    return HostedCall(live, call, call_id)


def calls_of_hosts(stack: Process) -> list[int]:
    """Return how many calls each voice host has; -1: it does not answer."""
    return [_calls_of(url) for url in stack.read_stack_file()["voice_urls"]]


def _calls_of(url: str) -> int:
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=2) as answer:
            page = answer.read().decode()
    except OSError:
        return -1
    (found,) = re.findall(r"^chamade_voice_calls (\d+)", page, re.MULTILINE)
    return int(found)


async def calls_are(stack: Process, wanted: Callable[[list[int]], bool]) -> list[int]:
    """Wait until the hosts' calls are as wanted; return them."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            if wanted(found := await asyncio.to_thread(calls_of_hosts, stack)):
                return found
            await asyncio.sleep(0.05)


def kill_host(stack: Process, index: int) -> None:
    """Kill a voice host, as if its machine had died."""
    port = stack.read_stack_file()["voice_urls"][index].rpartition(":")[2]
    marker = f"VOICE_PORT={port}\0".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            ours = marker in (entry / "environ").read_bytes()
            host = (entry / "cmdline").read_bytes().endswith(b"-m\0voice\0")
        except OSError:
            continue
        if ours and host:
            os.kill(int(entry.name), signal.SIGKILL)
            return
    raise AssertionError(f"no voice host at port {port}")
