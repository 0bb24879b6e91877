"""Phones of other SIP stacks, each a program of `phones/` in an environment of its own."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from tests.sip.peers.processes import Program
from tests.sip.peers.rtp import ALAW, ULAW, Samples, encode
from tests.support.engine import ROOT
from tests.support.ports import HOST, free_port, free_ports

PHONES = Path(__file__).with_name("phones")
PYTHON = ROOT / ".venv" / "phones" / "bin" / "python"
PATIENCE_S = 10.0
STARTS_WITHIN_S = 20.0
_RTP_PORTS = 10
_WAV_HEAD = 44
"""Bytes before the samples of a WAV file; some write what is in them when they close the file."""
_SAID = 8_000
"""Characters of a phone's log that a failure shows."""


@dataclass(frozen=True)
class Stack:
    """A SIP stack and what its phone can do.

    `program` is that of `phones/`; it needs the Python package `module`, or something of Debian.
    `audio` is the form of what it plays and records: a WAV file, raw samples, or coded as on the
    wire. `does` has "hold", "info" and "keys" (it sends keys by INFO and as telephone-events),
    "srtp", "opportunistic" (SRTP also under RTP/AVP, RFC 8643), "alaw" and "routes" (it copies
    Record-Route).
    """

    name: str
    program: str
    does: frozenset[str]
    audio: str = "raw"
    module: str = ""

    @property
    def installed(self) -> bool:
        """Return whether its Python package is there, if it needs one."""
        found = (ROOT / ".venv" / "phones").glob(f"lib/python*/site-packages/{self.module}")
        return not self.module or any(found)

    def __str__(self) -> str:
        return self.name


_ALL = frozenset({"hold", "info", "keys", "srtp", "opportunistic", "alaw", "routes"})
_SRTP = frozenset({"srtp", "opportunistic"})

STACKS = [
    Stack("pjsip", "pjsip_phone.py", _ALL, "wav", "pjsua2"),
    Stack("libbaresip", "libbaresip_phone.py", _ALL, module="baresip"),
    Stack("linphone", "linphone_phone.py", _ALL - {"opportunistic"}, "wav"),
    Stack("net-sip", "net_sip_phone.pl", _ALL - _SRTP, "coded"),
    # Its A-law has the signs of all samples the wrong way round, and it leaves out Record-Route:
    # behind a proxy it gets neither ACK nor BYE.
    Stack("aiosipua", "aiosipua_phone.py", _ALL - _SRTP - {"alaw", "routes"}, module="aiosipua"),
]


@dataclass(frozen=True)
class Happening:
    """An event that a phone has told."""

    event: str
    value: str


class Phone:
    """A phone of a stack. It has one account and one call at a time.

    >>> async with Phone(stack, tmp_path, says=samples) as phone:  # doctest: +SKIP
    ...     await phone.do("dial", "sip:+15550001111@127.0.0.1:5060")
    ...     await phone.happens("established")
    """

    def __init__(
        self,
        stack: Stack,
        *,
        user: str,
        says: Samples,
        codec: str = "pcmu",
        keys: str = "rtpevent",
        encrypted: bool = False,
    ) -> None:
        self.stack, self.user, self.port = stack, user, free_port()
        self._says, self._codec = says, codec
        self._temporary = tempfile.TemporaryDirectory(prefix=f"{stack.name}-")
        self._folder = folder = Path(self._temporary.name)
        self._settings = {
            "host": HOST, "port": self.port, "rtp_port": free_ports(_RTP_PORTS),
            "user": user, "says": str(folder / "says"), "heard": str(folder / "heard"),
            "codec": codec, "keys": keys, "encrypted": encrypted,
        }  # fmt: skip
        if stack.audio == "wav":
            self._settings |= {name: f"{self._settings[name]}.wav" for name in ("says", "heard")}
        self.told: list[Happening] = []
        self._news = asyncio.Condition()
        self._seen = 0

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return HOST, self.port

    async def __aenter__(self) -> Self:
        self._write_microphone()
        program = PHONES / self.stack.program
        runs = (
            "perl" if program.suffix == ".pl" else PYTHON if self.stack.module else sys.executable
        )
        self.program = Program(
            runs, program, json.dumps(self._settings),
            log=self._folder / "log", cwd=self._folder, env={"HOME": str(self._folder)}, talks=True,
        )  # fmt: skip
        await self.program.start()
        self._listening = asyncio.create_task(self._listen())
        try:
            self.version = await self.happens("ready", STARTS_WITHIN_S)
        except BaseException:
            await self.__aexit__(*sys.exc_info())
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listening.cancel()
        await self.program.stop()
        told = [f"{one.event} {one.value}" for one in self.told]
        print(f"==== {self.stack.name} on {self.port}: {told}\n{self.program.said()[-_SAID:]}")
        self._temporary.cleanup()

    async def do(self, command: str, argument: str = "") -> None:
        """dial URI, accept, press KEYS, hold, resume, hang_up."""
        self.program.process.stdin.write(f"{command} {argument}\n".encode())
        await self.program.process.stdin.drain()

    async def happens(self, event: str, within_s: float = PATIENCE_S) -> str:
        """Wait for the next event of that name; return its value."""
        try:
            async with asyncio.timeout(within_s), self._news:
                while True:
                    for at in range(self._seen, len(self.told)):
                        if self.told[at].event == event:
                            self._seen = at + 1
                            return self.told[at].value
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{self.stack.name}: no {event}; {self.told}") from None

    def keys(self) -> str:
        """Return the keys that the far end has pressed so far."""
        return "".join(one.value for one in self.told if one.event == "key")

    def has_told(self, event: str, value: str) -> bool:
        """Return whether it has told that event with that value."""
        return Happening(event, value) in self.told

    def heard(self) -> Samples:
        """Return the audio of the far end so far, 8 kHz."""
        file = Path(str(self._settings["heard"]))
        data = file.read_bytes() if file.exists() else b""
        if self.stack.audio == "wav":
            data = data[_WAV_HEAD:]
        if self.stack.audio == "coded":
            return self._law[np.frombuffer(data, np.uint8)]
        return np.frombuffer(data[: len(data) // 2 * 2], "<i2")

    @property
    def _law(self) -> Samples:
        return ULAW if self._codec == "pcmu" else ALAW

    def _write_microphone(self) -> None:
        says = Path(str(self._settings["says"]))
        if self.stack.audio == "coded":
            says.write_bytes(encode(self._says, self._law))
            return
        with wave.open(str(says), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(self._says.astype("<i2").tobytes())

    async def _listen(self) -> None:
        async for line in self.program.process.stdout:
            try:
                happened = Happening(**json.loads(line))
            except (ValueError, TypeError):
                print(f"{self.stack.name} printed {line!r}")
                continue
            async with self._news:
                self.told.append(happened)
                self._news.notify_all()
