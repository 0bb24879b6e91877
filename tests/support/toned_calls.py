"""Calls with a tone in each direction, so that a gap is the time without that tone.

The tones are multiples of 50 Hz, so that every 20 ms of one are the same whatever their phase, and
each call has two of its own: another call's audio, or noise, counts as a gap.
"""

from __future__ import annotations

import asyncio
import base64
import bisect
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from chamade.audio.line import Format
from chamade.audio.socket import AsyncAudio
from chamade.models import Audio
from common import g711
from gateway.softphone.call import PhoneCall
from gateway.softphone.phone import Softphone
from local.agent import Rest
from local.layout import HOST

FRAME, FRAME_S = 160, 0.02
_BIN_HZ = 50
_LOWEST = 8
"""The bin of the lowest tone: 400 Hz."""
_LOUD = 1e6
"""The energy of a frame that is not silent, at least."""
_SHARE = 0.5
"""The share of a frame's energy that its tone has, at least."""

Heard = list[tuple[float, bytes]]
"""Audio as it came: monotonic seconds, mu-law."""


def tone(number: int) -> bytes:
    """Return 20 ms of tone `number` as mu-law."""
    times = np.arange(FRAME) / 8000
    sine = 8000 * np.sin(2 * np.pi * (_LOWEST + number) * _BIN_HZ * times)
    return g711.encode(sine.astype("<i2").tobytes())


def with_tone(frames: Heard, number: int) -> list[float]:
    """Return the times of those of the frames that are tone `number`, and no other."""
    whole = [(at, ulaw[:FRAME]) for at, ulaw in frames if len(ulaw) >= FRAME]
    if not whole:
        return []
    # All at once: this process is the balancer, too, and must not stand still.
    ulaw = np.frombuffer(b"".join(each for _, each in whole), np.uint8).reshape(-1, FRAME)
    power = np.abs(np.fft.rfft(g711.DECODE_TABLE[ulaw].astype(float), axis=1)) ** 2
    total = power[:, 1:].sum(axis=1)
    good = (total > _LOUD) & (power[:, _LOWEST + number] > _SHARE * total)
    return [at for (at, _), is_good in zip(whole, good, strict=True) if is_good]


@dataclass
class Call:
    """A call that is up, with what each side hears."""

    number: int
    kind: str
    phone: PhoneCall
    call_id: str
    at_agent: Heard = field(default_factory=list)
    agent: AsyncAudio | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def caller_tone(self) -> int:
        """Return the number of the tone that the caller makes."""
        return 2 * self.number

    @property
    def agent_tone(self) -> int:
        """Return the number of the tone that the agent makes."""
        return 2 * self.number + 1

    def heard(self, side: str, since: float) -> list[float]:
        """Return the times since then at which a side heard the other one's tone."""
        if side == "caller":
            frames: Heard = list(self.phone.received)
            wanted = self.agent_tone
        else:
            frames, wanted = self.at_agent, self.caller_tone
        first = bisect.bisect_left(frames, since, key=lambda frame: frame[0])
        return with_tone(frames[first:], wanted)

    def gap_ms(self, side: str, began: float, ended: float) -> float:
        """Return the longest time in this period in which a side did not hear the other's tone."""
        times = [began, *(at for at in self.heard(side, began) if at <= ended), ended]
        longest = max(after - before for before, after in itertools.pairwise(times))
        return (longest - FRAME_S) * 1000

    def forget(self) -> None:
        """Forget what was heard so far."""
        self.phone.received.clear()
        self.at_agent.clear()


class DialledAgents:
    """A server that speaks Twilio's dialect and answers each stream with its call's tone."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.streams = 0
        self.url = ""

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[DialledAgents]:
        """Take streams inside the block."""
        async with serve(self._take, HOST, 0, compression=None) as server:
            self.url = f"ws://{HOST}:{next(iter(server.sockets)).getsockname()[1]}/agent"
            yield self

    async def _take(self, socket: ServerConnection) -> None:
        speaking: asyncio.Task[None] | None = None
        call: Call | None = None
        try:
            async for text in socket:
                message = json.loads(text)
                if message["event"] == "media" and call is not None:
                    payload = base64.b64decode(message["media"]["payload"])
                    call.at_agent.append((time.monotonic(), payload))
                elif message["event"] == "start":
                    self.streams += 1
                    call_id = message["start"]["customParameters"]["call_id"]
                    call = await self._call(call_id)
                    speaking = asyncio.create_task(_speak(socket, message["streamSid"], call))
        except ConnectionClosed:
            pass
        finally:
            if speaking is not None:
                speaking.cancel()

    async def _call(self, call_id: str) -> Call:
        while call_id not in self.calls:  # noqa: ASYNC110 - the phone learns the id a moment later
            await asyncio.sleep(0.01)
        return self.calls[call_id]


async def _speak(socket: ServerConnection, sid: str, call: Call) -> None:
    media = {"payload": base64.b64encode(tone(call.agent_tone)).decode()}
    text = json.dumps({"event": "media", "streamSid": sid, "media": media})
    with contextlib.suppress(ConnectionClosed):
        async for _ in _paced():
            await socket.send(text)


async def _paced() -> AsyncIterator[None]:
    """Yield every 20 ms. What is late is made up for, but not more than a second."""
    due = time.monotonic()
    while True:
        yield
        due = max(due + FRAME_S, time.monotonic() - 1)
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def _speak_by_client(call: Call, audio: AsyncAudio) -> None:
    async for _ in _paced():
        await audio.send(tone(call.agent_tone))


async def _hear_by_client(call: Call, audio: AsyncAudio) -> None:
    async for frame in audio:
        call.at_agent.append((time.monotonic(), frame))


async def _speak_by_phone(call: Call) -> None:
    frame = tone(call.caller_tone) * 50
    while not call.phone.ended.is_set():
        await call.phone.play(frame)


async def begin(
    rest: Rest, softphone: Softphone, number: int, line: str, agents: DialledAgents | None = None
) -> Call:
    """Set a call up. Its agent connects by itself, unless it is one of `agents` that is dialled."""
    kind = "own" if agents is None else "dialled"
    caller = f"+1555{number:07d}"
    phone = await softphone.place_call(line, from_=caller)
    call_id, shown = await _shown(rest, caller)
    call = Call(number, kind, phone, call_id)
    if agents is not None:
        agents.calls[call_id] = call
    else:
        if shown["state"] == "ringing":
            shown = await rest("POST", f"/api/call/{call_id}/accept")
        where = Audio(url=shown["audio"]["url"], token=shown["audio"]["token"])
        call.agent = AsyncAudio(call_id, where, Format("mulaw", 8000))
        call.tasks.append(asyncio.create_task(_speak_by_client(call, call.agent)))
        call.tasks.append(asyncio.create_task(_hear_by_client(call, call.agent)))
    await asyncio.wait_for(phone.answered.wait(), 20)
    call.tasks.append(asyncio.create_task(_speak_by_phone(call)))
    return call


async def _shown(rest: Rest, caller: str) -> tuple[str, dict[str, Any]]:
    async with asyncio.timeout(20):
        while True:
            for call in (await rest("GET", "/api/calls?limit=50"))["calls"]:
                if call["from"] == caller:
                    shown = await rest("GET", f"/api/call/{call['call_id']}")
                    return str(call["call_id"]), shown
            await asyncio.sleep(0.05)


async def end(call: Call) -> None:
    """Hang up at the caller's side, and wait until the agent knows."""
    call.phone.hangup()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(call.phone.ended.wait(), 10)
    for task in call.tasks:
        task.cancel()
    await asyncio.gather(*call.tasks, return_exceptions=True)
    if call.agent is not None:
        await call.agent.close()
