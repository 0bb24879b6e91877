"""A SIP phone for demonstrations: it calls, is called, plays a clip, and keeps what it hears.

A process can have one phone, since the SIP library allows one stack in a process. Audio is PCM,
16 bit at 8 kHz.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from baresip import (
    Account,
    AudioNotActive,
    AudioRestarted,
    Call,
    CallState,
    Config,
    Event,
    Runtime,
    StackEvent,
    UserAgent,
)

from local.layout import HOST

_FRAME = 320
_PERIOD_S = 0.02
_CUSHION = 10 * _FRAME
"""Silence that is played before a clip (200 ms): a delay of this process up to that length is not
heard."""
_ANSWERED_WITHIN_S = 20.0


class Talking:
    """A call of the phone that is up."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.heard = bytearray()
        self.played = asyncio.Event()
        self.ended = asyncio.Event()
        call.on(self._happened)
        self._clip = b""
        self._cushioned = False
        self._task = asyncio.create_task(self._talk())

    async def play(self, clip: bytes) -> None:
        """Play a clip; return when its last frame has been handed to the stack."""
        self._clip = clip
        self.played.clear()
        await self.played.wait()

    async def hang_up(self) -> None:
        """Hang up, with a BYE."""
        await self.call.hangup()
        await self.ended.wait()

    async def _talk(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self.call.state is CallState.ESTABLISHED:
            with contextlib.suppress(AudioNotActive, AudioRestarted):
                self.heard += self.call.audio.read(10 * _FRAME)
                if not self._cushioned:
                    self.call.audio.write(bytes(_CUSHION))
                    self._cushioned = True
                self.call.audio.write(self._clip[:_FRAME].ljust(_FRAME, b"\0"))
                self._clip = self._clip[_FRAME:]
                if not self._clip:
                    self.played.set()
            due += _PERIOD_S
            await asyncio.sleep(max(0.0, due - loop.time()))
        self.ended.set()
        self.played.set()

    def _happened(self, event: StackEvent) -> None:
        if event.event is Event.CALL_CLOSED:
            self.ended.set()


class SipPhone:
    """The phone; made by `async with sip_phone(port)`."""

    def __init__(self, agent: UserAgent) -> None:
        self._agent = agent
        self._incoming: asyncio.Queue[Call] = asyncio.Queue()
        agent.on_incoming(self._incoming.put_nowait)

    async def dial(self, uri: str) -> Talking:
        """Call `uri`; return when somebody has answered. Raises CallFailed if nobody does."""
        call = await self._agent.dial(uri)
        await call.wait_established(_ANSWERED_WITHIN_S)
        return Talking(call)

    async def answer_next(self, ring_s: float = 0.5) -> Talking:
        """Wait for a call, let it ring for `ring_s` seconds, answer it."""
        call = await self._incoming.get()
        await asyncio.sleep(ring_s)
        established = asyncio.Event()
        call.on(lambda event: established.set() if event.event is Event.CALL_ESTABLISHED else None)
        await call.answer(video=True)  # see gateway/legs/sip/child/calls.py
        await asyncio.wait_for(established.wait(), _ANSWERED_WITHIN_S)
        return Talking(call)


@contextlib.asynccontextmanager
async def sip_phone(port: int) -> AsyncIterator[SipPhone]:
    """Run a phone that listens on `port` and takes calls to any user."""
    runtime = Runtime(native_log_level="error")
    await runtime.start(
        Config(
            net_interface=HOST,
            max_concurrent_calls=None,
            native_log_level="error",
            extra_config_text=f"sip_listen {HOST}:{port}\n",
        )
    )
    try:
        account = Account("phone", HOST, "", reg_interval=0, extra_params=("catchall=yes",))
        yield SipPhone(await UserAgent.create(runtime, account))
    finally:
        await runtime.close()
