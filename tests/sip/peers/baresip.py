"""baresip 1.0.0 as Debian ships it: a softphone whose microphone is a file and who records."""

from __future__ import annotations

import asyncio
import json
import struct
import wave
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from tests.sip.peers.processes import Program, listens
from tests.sip.peers.rtp import Samples
from tests.support.ports import HOST, free_port, free_ports

MODULES = "/usr/lib/baresip/modules"
RATE = 8000
PATIENCE_S = 10.0
MICROPHONE_S = 120
"""A phone sends as long as a call lasts; at the end of its file baresip would fall silent."""
_RTP_PORTS = 20
_CONFIG = """\
poll_method epoll
sip_listen {host}:{port}
net_interface {host}
call_local_timeout 120
call_max_calls 4
audio_path {folder}
audio_source aufile,{folder}/microphone.wav
audio_player none
audio_alert none
audio_level no
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
rtp_ports {first_rtp}-{last_rtp}
rtcp_mux no
jitter_buffer_delay 5-10
rtp_stats yes
statmode_default off
module_path {modules}
module g711.so
module aufile.so
module sndfile.so
module srtp.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control}
snd_path {folder}/recorded
ringback_disabled yes
{more}
"""

Event = dict[str, Any]


class Softphone:
    """A phone with one account.

    >>> async with Softphone(tmp_path, says=samples) as phone:  # doctest: +SKIP
    ...     call = await phone.dial("sip:+15550001111@127.0.0.1:5060")
    ...     await call.established()
    ...     await call.press("12#")
    ...     await call.hang_up()
    ...     assert find(theirs, phone.heard()).heard

    `registrar`: host:port to register with, using `user`, `password`; None for none. `codec`: pcmu
    or pcma, the only one offered. `encryption`: "srtp" (offered) or "srtp-mand". `keys`: "rtpevent"
    or "info". `auto_answer`: at once.
    """

    def __init__(
        self,
        folder: Path,
        *,
        user: str = "phone",
        says: Samples | None = None,
        codec: str = "pcmu",
        encryption: str | None = None,
        transport: str = "udp",
        registrar: str | None = None,
        password: str = "",
        auth_user: str | None = None,
        expires_s: int = 60,
        keys: str = "rtpevent",
        auto_answer: bool = False,
        ca_file: Path | None = None,
    ) -> None:
        self.user, self.port, self._control = user, free_port(), free_port()
        self._first_rtp = free_ports(_RTP_PORTS)
        self.folder = folder / f"{user}-{self.port}"
        self._microphone = np.zeros(0, np.int16) if says is None else says
        self._more = f"sip_cafile {ca_file}" if ca_file else ""
        options = [
            f"transport={transport}", f"audio_codecs={codec}", f"dtmfmode={keys}",
            f"answermode={'auto' if auto_answer else 'manual'}",
            f"regint={expires_s if registrar else 0}",
        ]  # fmt: skip
        if encryption:
            options.append(f"mediaenc={encryption}")
        if password:
            options.append(f"auth_user={auth_user or user};auth_pass={password}")
        host = registrar or f"{HOST}:{self.port}"
        self._account = f"<sip:{user}@{host};{options[0]}>;{';'.join(options[1:])}"
        self.events: list[Event] = []
        self._happened = asyncio.Condition()
        self._rang: set[str] = set()

    @property
    def uri(self) -> str:
        """To call it directly."""
        return f"sip:{self.user}@{HOST}:{self.port}"

    async def __aenter__(self) -> Self:
        (self.folder / "recorded").mkdir(parents=True)
        config = _CONFIG.format(
            host=HOST, port=self.port, control=self._control, folder=self.folder,
            first_rtp=self._first_rtp, last_rtp=self._first_rtp + _RTP_PORTS - 1,
            modules=MODULES, more=self._more,
        )  # fmt: skip
        (self.folder / "config").write_text(config)
        (self.folder / "accounts").write_text("")
        (self.folder / "contacts").write_text("")
        _write_wav(self.folder / "microphone.wav", self._microphone)
        self.program = Program("baresip", "-f", self.folder, log=self.folder / "log")
        await self.program.start()
        try:
            await self.program.until(
                lambda: listens(self._control, "tcp"), PATIENCE_S, "listening for commands"
            )
            reader, self._writer = await asyncio.open_connection(HOST, self._control)
        except BaseException:
            await self.program.stop()
            raise
        self._listening = asyncio.create_task(self._listen(reader))
        # Only now: it registers at once, and what happens while nobody listens is not told later.
        await self.command("uanew", self._account)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listening.cancel()
        self._writer.close()
        await self.program.stop()
        for file in self.folder.glob("*.wav"):
            file.unlink()  # megabytes of silence; what was recorded stays
        happened = "\n".join(json.dumps(event) for event in self.events)
        print(f"==== baresip {self.user} on {self.port}\n{self.program.said()}\n{happened}")

    async def command(self, command: str, params: str = "") -> str:
        """Send a command; return the answer. AssertionError if it is refused."""
        token = f"{len(self.events)}-{command}"
        seen = len(self.events)
        body = json.dumps({"command": command, "params": params, "token": token}).encode()
        self._writer.write(b"%d:%b," % (len(body), body))
        answer = await self.happens(lambda event: event.get("token") == token, since=seen)
        assert answer.get("ok"), (command, params, answer, self.program.said())
        return str(answer["data"])

    async def dial(self, uri: str) -> Call:
        """A call that has begun; one at a time, its first event tells which it is."""
        seen = len(self.events)
        await self.command("dial", uri)
        return Call(self, None, seen)

    async def rings(self, within_s: float = PATIENCE_S) -> Call:
        """The next incoming call; one that answers by itself is established by then."""
        ringing = await self.happens(
            lambda event: (
                event.get("direction") == "incoming"
                and event["type"] in ("CALL_INCOMING", "CALL_ESTABLISHED")
                and event["id"] not in self._rang
            ),
            within_s,
        )
        self._rang.add(ringing["id"])
        return Call(self, ringing["id"], self.events.index(ringing))

    async def registered(self, within_s: float = PATIENCE_S) -> Event:
        """Until its registrar has said yes. AssertionError if it said no."""
        answer = await self.happens(
            lambda event: event.get("type") in ("REGISTER_OK", "REGISTER_FAIL"), within_s=within_s
        )
        assert answer["type"] == "REGISTER_OK", answer
        return answer

    async def happens(
        self, matches: Callable[[Event], bool], within_s: float = PATIENCE_S, since: int = 0
    ) -> Event:
        """The first such event or answer, from number `since` on."""
        try:
            async with asyncio.timeout(within_s), self._happened:
                while True:
                    for event in self.events[since:]:
                        if matches(event):
                            return event
                    since = len(self.events)
                    await self._happened.wait()
        except TimeoutError:
            raise AssertionError(
                f"did not happen within {within_s} s; {self.events}\n{self.program.said()}"
            ) from None

    async def say(self, samples: Samples) -> None:
        """Into the microphone of the running call, from now on; what it said before stops."""
        file = self.folder / f"said-{len(self.events)}.wav"
        _write_wav(file, samples)
        await self.command("ausrc", f"aufile,{file}")

    def heard(self) -> Samples:
        """Return the audio of the newest call so far, 8 kHz; of a running call as well."""
        files = sorted((self.folder / "recorded").glob("*-dec.wav"))
        return _samples(files[-1]) if files else np.zeros(0, np.int16)

    async def hears(self, samples: int, within_s: float = PATIENCE_S) -> Samples:
        """The same, once it is that many."""
        what = f"hearing {samples} samples"
        await self.program.until(lambda: len(self.heard()) >= samples, within_s, what)
        return self.heard()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while length := await reader.readuntil(b":"):
            event = json.loads(await reader.readexactly(int(length[:-1])))
            await reader.readexactly(1)
            async with self._happened:
                self.events.append(event)
                self._happened.notify_all()


class Call:
    """One of a phone's calls."""

    def __init__(self, phone: Softphone, id_: str | None, since: int) -> None:
        self.phone, self.id, self._since = phone, id_, since

    async def accept(self) -> None:
        """Answers it."""
        await self.phone.command("accept")

    async def ringing(self) -> None:
        """Until the other side rings."""
        await self._event("CALL_RINGING")

    async def established(self) -> None:
        """Until it is answered. AssertionError if it ends instead."""
        event = await self._event("CALL_ESTABLISHED", "CALL_CLOSED")
        assert event["type"] == "CALL_ESTABLISHED", event

    async def closed(self, within_s: float = PATIENCE_S) -> str:
        """Until it is over; why, in baresip's words ("486 Busy Here")."""
        return str((await self._event("CALL_CLOSED", within_s=within_s)).get("param", ""))

    async def hang_up(self) -> None:
        """Ends or declines it."""
        await self.phone.command("hangup")
        await self.closed()

    async def press(self, keys: str) -> None:
        """One key after the other."""
        for key in keys:
            await self.phone.command("sndcode", key)

    async def keys(self, count: int) -> str:
        """The first `count` keys that the other side pressed."""
        pressed: list[str] = []
        at = self._since
        while len(pressed) < count:
            event = await self.phone.happens(self._is("CALL_DTMF_START"), since=at)
            at = next(i for i, one in enumerate(self.phone.events) if one is event) + 1
            pressed.append(event["param"])
        return "".join(pressed)

    async def _event(self, *types: str, within_s: float = PATIENCE_S) -> Event:
        return await self.phone.happens(self._is(*types), within_s, self._since)

    def _is(self, *types: str) -> Callable[[Event], bool]:
        def matches(event: Event) -> bool:
            if self.id is None and event.get("direction") == "outgoing":
                self.id = event.get("id")
            return self.id is not None and event.get("id") == self.id and event["type"] in types

        return matches


def _write_wav(path: Path, samples: Samples) -> None:
    length = max(MICROPHONE_S * RATE, len(samples))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.pad(samples, (0, length - len(samples))).astype("<i2").tobytes())


def _samples(path: Path) -> Samples:
    # The header tells the length only once the call is over: everything behind it is sound.
    data = path.read_bytes()
    start = data.find(b"data") + 8
    if start < 8:
        return np.zeros(0, np.int16)  # just being opened
    kind, _, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, data.find(b"fmt ") + 8)
    assert (kind, rate, bits) == (1, RATE, 16), (path, kind, rate, bits)
    return np.frombuffer(data[start : len(data) - (len(data) - start) % 2], "<i2")
