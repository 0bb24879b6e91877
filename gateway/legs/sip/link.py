"""The gateway's end of one SIP child: starts it, talks to it, and starts it again when it dies.

A child that sends no pulse for some seconds hangs in the library's code. It is killed, its calls
are reported as lost, and the next child takes over its trunks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from gateway.legs.sip import codec
from gateway.legs.sip.child_settings import ChildSettings

PULSE_MISSED = 6.0
"""Seconds without a message from a child after which it counts as dead."""

_STARTED_WITHIN = 20.0
_STEADY = 30.0
"""A child that lived this long (seconds) is replaced at once, without a pause."""

_PAUSES = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
_CHUNK = 1 << 18
BUFFER_LIMIT = 1 << 18
"""Bytes that may wait for a child; beyond this, audio is dropped, but never a command."""

_STOP_WITHIN = 5.0

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV", "SSL_CERT_FILE")

_TUNING = {
    "OPENBLAS_NUM_THREADS": "1",
    # A call needs some 1.8 MB in the stack. By default glibc raises its threshold when memory is
    # freed, and so keeps the memory of the busiest moment for good; with a fixed threshold it gives
    # it back.
    "MALLOC_MMAP_THRESHOLD_": "131072",
}

log = logging.getLogger(__name__)

OnEvent = Callable[["ChildLink", codec.Message], None]
OnAudio = Callable[["ChildLink", int, bytes], None]
OnDown = Callable[["ChildLink"], None]


class ChildLink:
    """A place for a child, in which one follows the other.

    `on_up` and `on_down` mark the start and end of each.
    """

    def __init__(
        self,
        index: int,
        settings: ChildSettings,
        *,
        on_event: OnEvent,
        on_audio: OnAudio,
        on_down: OnDown,
    ) -> None:
        self.index = index
        self.settings = settings
        self.up = False
        self.restarts = 0
        self.lag_ms = 0.0
        self.agents = 0
        """Number of user agents of its stack."""
        self.ready = asyncio.Event()
        self._on_event = on_event
        self._on_audio = on_audio
        self._on_down = on_down
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._batch = codec.AudioBatch()
        self._flushing = False
        self._heard_at = 0.0
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """Return the id of the present process; None if there is none."""
        return self._process.pid if self._process is not None else None

    async def run(self) -> None:
        """Keep a child running until cancelled or stopped."""
        deaths = 0
        while not self._stopping:
            began = time.monotonic()
            await self._live()
            if self._stopping:
                return
            self.restarts += 1
            deaths = 1 if time.monotonic() - began > _STEADY else deaths + 1
            pause = _PAUSES[min(deaths, len(_PAUSES)) - 1]
            log.error("SIP process %d has ended; another one starts in %.1f s", self.index, pause)
            await asyncio.sleep(pause)

    async def stop(self) -> None:
        """Let the child unregister its trunks and end; kill it if it does not."""
        self._stopping = True
        if self._writer is not None:
            self._writer.close()
        if self._process is not None:
            try:
                async with asyncio.timeout(_STOP_WITHIN):
                    await self._process.wait()
            except TimeoutError:
                self._kill()

    def command(self, **message: Any) -> None:
        """Send a command to the child.

        Without a child it is lost, like the call or trunk it is about.
        """
        if self._writer is not None:
            self._flush()  # audio from before the command is sent before it
            self._writer.write(codec.control(**message))

    def play(self, call: int, frame: bytes) -> None:
        """Send the next 20 ms of a call. Frames of one tick are sent together."""
        self._batch.add(call, frame)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        frame = self._batch.take()
        if not frame or self._writer is None:
            return
        if self._writer.transport.get_write_buffer_size() < BUFFER_LIMIT:
            self._writer.write(frame)

    async def _live(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway.legs.sip.child",
                str(theirs.fileno()),
                self.settings.as_json(),
                pass_fds=(theirs.fileno(),),
                env=_environment(),
            )
        finally:
            theirs.close()
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._heard_at = time.monotonic() + _STARTED_WITHIN - PULSE_MISSED
        watch = asyncio.create_task(self._watch())
        try:
            await self._read(reader)
        finally:
            watch.cancel()
            self.up = False
            self.ready.clear()
            self._writer.close()
            self._writer = None
            if not self._stopping:
                self._kill()
                self._on_down(self)
                await self._process.wait()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        decoder = codec.Decoder()
        with contextlib.suppress(ConnectionError, ValueError):
            while data := await reader.read(_CHUNK):
                if self.up:
                    self._heard_at = time.monotonic()
                for message in decoder.feed(data):
                    if isinstance(message, tuple):
                        self._on_audio(self, *message)
                    else:
                        self._took(message)

    def _took(self, message: codec.Message) -> None:
        match message["on"]:
            case "pulse":
                self.lag_ms, self.agents = message["lag_ms"], message["agents"]
            case "ready":
                self.up = True
                self._heard_at = time.monotonic()
                self.ready.set()
                log.info("SIP process %d is ready on port %d", self.index, self.settings.port)
        try:
            self._on_event(self, message)
        except Exception:
            # An error in one call must not cost the child and all its calls.
            log.exception("a message of SIP process %d was not understood", self.index)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if time.monotonic() - self._heard_at > PULSE_MISSED:
                log.error("SIP process %d does not answer, and is ended", self.index)
                self._kill()
                return

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


def _environment() -> dict[str, str]:
    """Return the variables that Python needs to start, and nothing else: no secrets in a process
    that parses strangers' packets."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    python = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    return kept | python | _TUNING
