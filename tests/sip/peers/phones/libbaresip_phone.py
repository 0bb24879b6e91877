"""A phone of libbaresip, by its Python package."""

from __future__ import annotations

import asyncio
import importlib.metadata
from pathlib import Path

from baresip import Account, Call, Config, Runtime, UserAgent
from baresip.errors import AudioNotActive, AudioRestarted, BaresipError
from baresip.events import Event, StackEvent
from settings import Settings, read_commands, read_settings, tell

_TICK_S = 0.01
_AHEAD_BYTES = 1600
_TOLD = {
    Event.CALL_RINGING: "ringing",
    Event.CALL_ESTABLISHED: "established",
    Event.CALL_CLOSED: "closed",
    Event.CALL_HOLD: "was held",
}


class Phone:
    """One account with one call at a time."""

    def __init__(self, settings: Settings, agent: UserAgent) -> None:
        self._settings, self._agent = settings, agent
        self._call: Call | None = None
        self._microphone, self._said = settings.microphone(), 0
        self._heard = Path(settings.heard).open("wb", buffering=0)  # noqa: SIM115 - until the end
        agent.on_incoming(self._incoming)

    def _incoming(self, call: Call) -> None:
        self._has(call)
        tell("incoming")

    def _has(self, call: Call) -> None:
        self._call = call
        call.on(self._happened)
        call.on_dtmf(lambda pressed: tell("key", pressed.digit))

    def _happened(self, event: StackEvent) -> None:
        if event.event is Event.CALL_MENC:
            tell("audio", "SRTP")
        elif event.event in _TOLD:
            tell(_TOLD[event.event], event.text or "")

    async def take(self, command: str, argument: str) -> None:
        """Do what the test says."""
        call = self._call
        match command:
            case "dial":
                self._has(await self._agent.dial(argument))
            case "accept":
                await call.answer()
            case "press":
                await call.send_dtmf(argument)
            case "hold":
                await call.hold()
                tell("held")
            case "resume":
                await call.resume()
                tell("resumed")
            case "hang_up":
                await call.hangup()

    async def talk(self) -> None:
        """Play and record as long as there is a call."""
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                self._exchange()
            except (AudioNotActive, AudioRestarted):
                continue

    def _exchange(self) -> None:
        if self._call is None:
            return
        audio = self._call.audio
        while heard := audio.read(16_000):
            self._heard.write(heard)
        while audio.info().tx_ready and audio.info().tx_buffered < _AHEAD_BYTES:
            piece = self._microphone[self._said : self._said + 320]
            taken = audio.write(piece)
            if not taken:
                return
            self._said = (self._said + taken) % len(self._microphone)


async def main() -> None:
    """Run until the test says quit."""
    settings = read_settings()
    config = Config(
        net_interface=settings.host,
        extra_config_text=f"sip_listen {settings.host}:{settings.port}\n"
        f"rtp_ports {settings.rtp_port}-{settings.rtp_port + 9}\njitter_buffer_type off\n",
    )
    runtime = Runtime()
    await runtime.start(config)
    account = Account(
        settings.user, f"{settings.host}:{settings.port}", "", reg_interval=0,
        audio_codecs=(settings.codec,),
        dtmf_mode="info" if settings.keys == "info" else "rtpevent",
        extra_params=("mediaenc=srtp",) if settings.encrypted else (),
    )  # fmt: skip
    phone = Phone(settings, await UserAgent.create(runtime, account))
    commands: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    read_commands(lambda *said: loop.call_soon_threadsafe(commands.put_nowait, said))
    talking = asyncio.create_task(phone.talk())
    tell("ready", importlib.metadata.version("baresip-python"))
    while (said := await commands.get())[0] != "quit":
        try:
            await phone.take(*said)
        except BaresipError as error:
            tell("failed", str(error))
    talking.cancel()


asyncio.run(main())
