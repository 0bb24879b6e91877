"""A phone of aiosipua and aiortp."""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
from pathlib import Path

from aiosipua import IncomingCall, OutgoingCall, SipUAC, SipUAS, build_sdp
from aiosipua.rtp_bridge import CallSession
from aiosipua.transport import UdpSipTransport
from settings import Settings, read_commands, read_settings, tell

_FRAME_S = 0.02
_FRAME = 320
_TARGET = re.compile(r"sip:[^@]+@([^:;]+):(\d+)")


class Phone:
    """One account with one call at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._uri = f"sip:{settings.user}@{settings.host}:{settings.port}"
        transport = UdpSipTransport(local_addr=(settings.host, settings.port))
        self._uac = SipUAC(transport)
        self.uas = SipUAS(transport, uac=self._uac)
        self.uas.on_invite = self._incoming
        self.uas.on_bye = lambda *_: tell("closed")
        self.uas.on_reinvite = self._offered_again
        self._call: IncomingCall | OutgoingCall | None = None
        self._peer = ("", 0)
        self._session: CallSession | None = None
        self._microphone = settings.microphone()
        self._heard = Path(settings.heard).open("wb", buffering=0)  # noqa: SIM115 - until the end
        self._talking: asyncio.Task[None] | None = None

    def _incoming(self, call: IncomingCall) -> None:
        self._call = call
        self._peer = call.source_addr
        call.ringing()
        tell("incoming")

    def _offered_again(self, call: IncomingCall) -> None:
        call.accept(self._session.sdp_answer if self._session else None)

    async def take(self, command: str, argument: str) -> None:
        """Do what the test says."""
        call = self._call
        match command:
            case "dial":
                await self._dial(argument)
            case "accept":
                await self._open(call.sdp_offer)
                call.accept(self._session.sdp_answer)
                tell("established")
            case "press":
                await self._press(argument)
            case "hold" | "resume":
                self._offer("sendonly" if command == "hold" else "sendrecv")
            case "hang_up" if isinstance(call, OutgoingCall):
                call.hangup(self._uac)
                tell("closed")
            case "hang_up":
                call.hangup()
                tell("closed")

    async def _dial(self, target: str) -> None:
        host, port = _TARGET.match(target).groups()
        self._peer = (host, int(port))
        call = self._uac.send_invite(self._uri, target, self._peer, self._description())
        call.on_ringing = lambda _: tell("ringing")
        self._call = call
        await call.wait_answered()
        await self._open(call.sdp_answer)
        tell("established")

    def _description(self):
        number = {"pcmu": 0, "pcma": 8}[self._settings.codec]
        return build_sdp(
            self._settings.host, self._settings.rtp_port, number, self._settings.codec.upper()
        )

    def _offer(self, direction: str) -> None:
        offer = self._description()
        attributes = offer.media[0].attributes
        attributes.pop("sendrecv")
        attributes[direction] = []
        self._uac.send_reinvite(self._call.dialog, offer, self._peer)
        tell("held" if direction == "sendonly" else "resumed")

    async def _open(self, theirs) -> None:
        number = {"pcmu": 0, "pcma": 8}[self._settings.codec]
        session = CallSession(
            self._settings.host, self._settings.rtp_port, theirs,
            supported_codecs=[number], plc=False, jitter_prefetch=2,
        )  # fmt: skip
        await session.start()
        session.on_audio = lambda pcm, _: self._heard.write(pcm)
        session.on_dtmf = lambda key, _: tell("key", key)
        self._session = session
        self._talking = asyncio.create_task(self._talk(session))

    async def _talk(self, session: CallSession) -> None:
        loop, count = asyncio.get_running_loop(), 0
        begin = loop.time()
        while True:
            at = count * _FRAME % (len(self._microphone) - _FRAME)
            session.send_audio_pcm(self._microphone[at : at + _FRAME], count * _FRAME // 2)
            count += 1
            await asyncio.sleep(max(0, begin + count * _FRAME_S - loop.time()))

    async def _press(self, keys: str) -> None:
        for key in keys:
            if self._settings.keys == "info":
                body = f"Signal={key}\r\nDuration=160\r\n"
                self._uac.send_info(self._call.dialog, body, "application/dtmf-relay", self._peer)
            else:
                self._session.send_dtmf(key)
            await asyncio.sleep(0.4)


async def main() -> None:
    """Run until the test says quit."""
    phone = Phone(read_settings())
    await phone.uas.start()
    commands: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    read_commands(lambda *said: loop.call_soon_threadsafe(commands.put_nowait, said))
    tell("ready", importlib.metadata.version("aiosipua"))
    doing = set()
    while (said := await commands.get())[0] != "quit":
        doing.add(asyncio.create_task(phone.take(*said)))


asyncio.run(main())
