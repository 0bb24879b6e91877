"""`python -m tests.load.sip_library PORT`: what SIP and RTP cost without the rest of the gateway.

`gateway/sip` and `gateway/rtp` and nothing around them: every call is answered at once and gets its
own sound back. Once a second it prints by how much the clock of the audio was late at worst, in ms.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque

from gateway.legs.sip.call_audio import MAX_WAITING, CallAudio
from gateway.rtp.g711 import SILENT_FRAME
from gateway.rtp.plane import Plane
from gateway.sip.agent import UserAgent
from gateway.sip.dialog.call import Call
from gateway.sip.events import Ended, Established, Event, IncomingCall, MediaAgreed
from gateway.sip.network.endpoint import Endpoint

HOST = "127.0.0.1"


class Echo:
    """All calls of the process."""

    def __init__(self) -> None:
        self.plane = Plane(HOST, range(10_000, 20_000))
        self.agent = UserAgent()
        self.endpoint = Endpoint(self.agent, self._happened)
        self._audio: dict[Call, CallAudio] = {}

    def _happened(self, event: Event) -> None:
        now = self.endpoint.now
        match event:
            case IncomingCall(call=call):
                audio = self._audio[call] = CallAudio(self.plane, HOST, lambda _: None)
                if call.take(audio.media, now):
                    call.answer(now)
            case MediaAgreed(call=call):
                audio = self._audio[call]
                if audio.media.negotiated is not None:
                    audio.agree(audio.media.negotiated, now)
            case Established(call=call):
                self._echo(self._audio[call])
            case Ended(call=call):
                self._audio.pop(call).close()

    def _echo(self, audio: CallAudio) -> None:
        """Send back what comes, and silence until then: callers send to where sound comes from."""
        heard: deque[bytes] = deque(maxlen=MAX_WAITING)
        audio.start(heard.append)
        audio.ask(lambda: heard.popleft() if heard else SILENT_FRAME)


async def main(port: int) -> None:
    """Serve until killed."""
    echo = Echo()
    await echo.endpoint.start(HOST, port)
    while True:
        await asyncio.sleep(1.0)
        print(f"{echo.plane.lag().worst:.1f}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
