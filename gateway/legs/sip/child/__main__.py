"""The command `python -m gateway.legs.sip.child FD SETTINGS`, which the gateway starts.

FD is the child's end of a socket pair, SETTINGS the JSON of `../child_settings.py`. The child ends
when the socket is closed, so that no child outlives its gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import signal
import socket
import sys
from typing import Any

from baresip import BaresipError, Runtime

from gateway.legs.sip import codec
from gateway.legs.sip.child import native
from gateway.legs.sip.child.agents import Agents, TrunkAccount
from gateway.legs.sip.child.audio import AudioClock
from gateway.legs.sip.child.calls import Calls
from gateway.legs.sip.child.registrations import Registrations
from gateway.legs.sip.child.stack_config import stack_config
from gateway.legs.sip.child_settings import ChildSettings
from runtime import logs

_CHUNK = 1 << 18
_PULSE = 1.0
_BUFFER_LIMIT = 1 << 20
"""Bytes that may wait for a gateway that does not read; beyond this, audio is dropped, but never
control messages."""

_PASSWORD = re.compile(r'auth_pass="[^"]*"')

log = logging.getLogger("gateway.legs.sip.child")


class NoPasswords(logging.Filter):
    """A log filter that removes passwords: the stack quotes account lines that it cannot read."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record, but remove the password from it."""
        record.msg, record.args = _PASSWORD.sub("auth_pass=***", record.getMessage()), ()
        return True


class Child:
    """The process: one stack, one socket."""

    def __init__(self, settings: ChildSettings, writer: asyncio.StreamWriter) -> None:
        self._settings = settings
        self._writer = writer
        self._runtime = Runtime()
        self._clock = AudioClock(self._send_audio)

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Run until the gateway closes the socket."""
        await self._runtime.start(stack_config(self._settings))
        stack = native.StackThread(self._runtime)
        self._calls = Calls(self._runtime, stack, self._tell, self._clock)
        self._agents = Agents(self._runtime, stack, self._settings, self._calls.incoming)
        self._registrations = Registrations(self._runtime, stack, self._agents, self._registration)
        await self._agents.open()
        self._tell(on="ready")
        beside = [asyncio.create_task(self._clock.run()), asyncio.create_task(self._pulse())]
        try:
            await self._obey(reader)
        finally:
            for task in beside:
                task.cancel()
            await self._registrations.close()
            with contextlib.suppress(Exception):
                await self._runtime.close()

    async def _obey(self, reader: asyncio.StreamReader) -> None:
        decoder = codec.Decoder()
        while data := await reader.read(_CHUNK):
            for message in decoder.feed(data):
                if isinstance(message, tuple):
                    self._clock.say(*message)
                else:
                    self._do(message)

    def _do(self, message: codec.Message) -> None:
        number = message.get("call", 0)
        match message["do"]:
            case "trunk":
                self._registrations.apply(TrunkAccount.from_message(message))
            case "drop":
                self._registrations.drop(message["trunk_id"])
            case "dial":
                self._calls.dial(message, self._registrations.get(message["trunk_id"]))
            case "answer":
                self._calls.answer(number)
            case "reject":
                self._calls.reject(number, message["code"], message["reason"])
            case "hangup":
                self._calls.hangup(number)
            case "dtmf":
                self._calls.dtmf(number, message["digit"])

    def _registration(
        self, trunk: TrunkAccount, status: str, sip_code: int | None, reason: str
    ) -> None:
        self._tell(
            on="trunk",
            trunk_id=trunk.trunk_id,
            revision=trunk.revision,
            at=f"[{trunk.address}]" if ":" in trunk.address else trunk.address,
            status=status,
            sip_code=sip_code,
            reason=reason,
        )

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(_PULSE)
            self._tell(
                on="pulse",
                lag_ms=round(self._clock.lag * 1000, 1),
                calls=len(self._calls),
                agents=len(self._agents),
            )
            self._clock.lag = 0.0
            with contextlib.suppress(BaresipError):
                await self._agents.give_back()

    def _tell(self, **event: Any) -> None:
        self._writer.write(codec.control(**event))

    def _send_audio(self, frame: bytes) -> None:
        if self._writer.transport.get_write_buffer_size() < _BUFFER_LIMIT:
            self._writer.write(frame)


async def _main(descriptor: int, settings: ChildSettings) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=descriptor))
    await Child(settings, writer).run(reader)


def main(argv: list[str]) -> int:
    """Run the child. Return 0 when the gateway has closed the socket."""
    # The gateway decides when a child ends, so the child ignores a Ctrl-C, which in a terminal
    # reaches both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = ChildSettings.from_json(argv[2])
    logs.set_up("gateway", settings.log_level, subjects=("call_sid", "trunk_id"))
    logging.getLogger("baresip").setLevel(logging.WARNING)
    for handler in logging.root.handlers:
        handler.addFilter(NoPasswords())
    asyncio.run(_main(int(argv[1]), settings))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
