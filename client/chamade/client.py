"""The two clients: `Client` blocks, `AsyncClient` is for asyncio. Otherwise they are the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Unpack

import httpx

from chamade import blocking, live
from chamade.audio.line import Format
from chamade.blocking import Events, Incoming, LiveCall, Ringing
from chamade.closing import Closing
from chamade.credentials import find
from chamade.feed import Doorbell, Feed
from chamade.http.request import perform
from chamade.http.shells import Awaiting, Blocking
from chamade.live import AsyncEvents, AsyncIncoming, AsyncLiveCall, AsyncRinging
from chamade.openings import taking_back
from chamade.operations import (
    AccountOf,
    Calls,
    ClipsOf,
    HostedVoices,
    Keys,
    Numbers,
    Recordings,
    Trunks,
    Webhooks,
)
from chamade.operations.calls import DialOptions, dial_through_trunk
from chamade.operations.voices import VoiceOptions
from chamade.portal import Portal
from chamade.speech_models import Said, Voices
from chamade.spoken import said_in, said_later

AT_ONCE = 50


class Client(Closing):
    """The API with one key. Without arguments URL and key are those of the environment
    (CHAMADE_API_URL, CHAMADE_API_KEY); BadCredentials if there are none. Use it as `with Client()`.
    """

    def __init__(
        self,
        api_url: str | None = None,
        api_key: str | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._shell = Blocking(find(api_url, api_key), transport)
        self._portal = Portal()
        self.calls: Calls[Blocking] = Calls(self._shell)
        self.recordings: Recordings[Blocking] = Recordings(self._shell)
        self.clips: ClipsOf[Blocking] = ClipsOf(self._shell)
        self.numbers: Numbers[Blocking] = Numbers(self._shell)
        self.trunks: Trunks[Blocking] = Trunks(self._shell)
        self.trunk = self.trunks
        self.webhooks: Webhooks[Blocking] = Webhooks(self._shell)
        self.keys: Keys[Blocking] = Keys(self._shell)
        self.account: AccountOf[Blocking] = AccountOf(self._shell)
        self._voices: HostedVoices[Blocking] = HostedVoices(self._shell)

    def call(
        self,
        meeting_url: str,
        *,
        format: str = "pcm_s16le",
        rate: int | None = None,
        **options: Unpack[DialOptions],
    ) -> LiveCall:
        """Dial a number through your trunk, or a SIP URI: `with client.call("+33…") as call:`. See
        `calls.dial` for the options. Raises NotFound if there is no trunk.
        """
        opening = partial(dial_through_trunk, meeting_url, **options)
        own_voice, line_format = options.get("voice") == "own", Format.wanted(format, rate)
        return LiveCall(self._shell, self._portal, opening, line_format, own_voice=own_voice)

    def attach(
        self,
        call_id: str,
        *,
        format: str = "pcm_s16le",
        rate: int | None = None,
        hang_up: bool = True,
        if_free: bool = False,
        voice: str | None = None,
    ) -> LiveCall:
        """Join the line of an existing call: `with client.attach(id) as call:`. A call has one
        agent, so the socket of another agent is closed. With `if_free` it is not: `with` waits
        until audio flows, and raises CallGone if another agent has the call. With `voice="own"`
        the line is taken from a hosted voice, too.
        """
        seeing = partial(perform, Calls.get.request(call_id))
        return LiveCall(
            self._shell,
            self._portal,
            seeing,
            Format.wanted(format, rate),
            hang_up=hang_up,
            if_free=if_free,
            own_voice=voice == "own",
        )

    def incoming(self, line: str | None = None) -> Incoming:
        """Return the calls that come in, those that ring already first; on one number of yours, or
        all.
        """
        return Incoming(self._shell, self._portal, Doorbell(line))

    def serve(
        self,
        handler: Callable[[LiveCall], object],
        *,
        line: str | None = None,
        format: str = "pcm_s16le",
        rate: int | None = None,
        at_once: int = AT_ONCE,
        ready: Callable[[], object] | None = None,
        resume: bool = True,
        voice: str | None = None,
        voice_settings: VoiceOptions | None = None,
    ) -> None:
        """Accept every call that comes in and hand it to `handler`, in a thread each; hang up when
        that returns. Goes on until Ctrl-C; `ready` is called once no call will be missed.

        `resume`: before that, take back the calls that were answered and have no agent, as after a
        restart within ten seconds. The handler gets them with `call.resumed`. No call is taken from
        another agent. `voice`, `voice_settings`: as for `Ringing.accept`.
        """
        line_format = Format.wanted(format, rate)

        def accept(ringing: Ringing) -> LiveCall:
            return ringing.accept(format, rate, voice=voice, voice_settings=voice_settings)

        def take_back(call_id: str) -> LiveCall:
            opening = taking_back(call_id)
            return LiveCall(
                self._shell, self._portal, opening, line_format, if_free=True, resumed=True
            )

        incoming = self.incoming(line)
        blocking.serve(incoming, handler, accept, take_back if resume else None, at_once, ready)

    def events(self, after: str | None = None) -> Events:
        """Return the events as they come, each at least once, over any outage: after a cursor, from
        now on (`"latest"`), or from the oldest kept.
        """
        return Events(self._shell, Feed(after))

    def transcript(
        self, call_id: str, after: int | None = None, *, follow: bool = True
    ) -> Iterator[Said]:
        """Yield what both sides say in a call with a hosted voice, until it is over; without
        `follow`, what was said until now. `after`: an entry's `sequence`.
        """
        return said_in(self._shell, call_id, after, follow=follow)

    def voices(self) -> Voices:
        """List the hosted voices and the languages that there are. Raises Forbidden,
        `hosted_voice_gated`, for accounts outside the beta.
        """
        return self._voices.list()

    def close(self) -> None:
        """Close all connections."""
        self._portal.close()
        self._shell.close()


class AsyncClient:
    """As `Client`, for asyncio: `async with AsyncClient() as client`."""

    def __init__(
        self,
        api_url: str | None = None,
        api_key: str | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._shell = Awaiting(find(api_url, api_key), transport)
        self.calls: Calls[Awaiting] = Calls(self._shell)
        self.recordings: Recordings[Awaiting] = Recordings(self._shell)
        self.clips: ClipsOf[Awaiting] = ClipsOf(self._shell)
        self.numbers: Numbers[Awaiting] = Numbers(self._shell)
        self.trunks: Trunks[Awaiting] = Trunks(self._shell)
        self.trunk = self.trunks
        self.webhooks: Webhooks[Awaiting] = Webhooks(self._shell)
        self.keys: Keys[Awaiting] = Keys(self._shell)
        self.account: AccountOf[Awaiting] = AccountOf(self._shell)
        self._voices: HostedVoices[Awaiting] = HostedVoices(self._shell)

    def call(
        self,
        meeting_url: str,
        *,
        format: str = "pcm_s16le",
        rate: int | None = None,
        **options: Unpack[DialOptions],
    ) -> AsyncLiveCall:
        """Dial as `Client.call` does: `async with client.call("+33…") as call:`."""
        opening = partial(dial_through_trunk, meeting_url, **options)
        own_voice, line_format = options.get("voice") == "own", Format.wanted(format, rate)
        return AsyncLiveCall(self._shell, opening, line_format, own_voice=own_voice)

    def attach(
        self,
        call_id: str,
        *,
        format: str = "pcm_s16le",
        rate: int | None = None,
        hang_up: bool = True,
        if_free: bool = False,
        voice: str | None = None,
    ) -> AsyncLiveCall:
        """Join a call as `Client.attach` does."""
        seeing = partial(perform, Calls.get.request(call_id))
        return AsyncLiveCall(
            self._shell,
            seeing,
            Format.wanted(format, rate),
            hang_up=hang_up,
            if_free=if_free,
            own_voice=voice == "own",
        )

    def incoming(self, line: str | None = None) -> AsyncIncoming:
        """Return the calls that come in, as `Client.incoming` does."""
        return AsyncIncoming(self._shell, Doorbell(line))

    async def serve(
        self,
        handler: Callable[[AsyncLiveCall], Awaitable[object]],
        *,
        line: str | None = None,
        format: str = "pcm_s16le",
        rate: int | None = None,
        at_once: int = AT_ONCE,
        ready: Callable[[], object] | None = None,
        resume: bool = True,
        voice: str | None = None,
        voice_settings: VoiceOptions | None = None,
    ) -> None:
        """Serve as `Client.serve` does, in a task each. Cancelled, it hangs up."""
        line_format = Format.wanted(format, rate)

        def accept(ringing: AsyncRinging) -> AsyncLiveCall:
            return ringing.accept(format, rate, voice=voice, voice_settings=voice_settings)

        def take_back(call_id: str) -> AsyncLiveCall:
            opening = taking_back(call_id)
            return AsyncLiveCall(self._shell, opening, line_format, if_free=True, resumed=True)

        incoming = self.incoming(line)
        await live.serve(incoming, handler, accept, take_back if resume else None, at_once, ready)

    def events(self, after: str | None = None) -> AsyncEvents:
        """Return the events, as `Client.events` does."""
        return AsyncEvents(self._shell, Feed(after))

    def transcript(
        self, call_id: str, after: int | None = None, *, follow: bool = True
    ) -> AsyncIterator[Said]:
        """Yield what is said in a call as `Client.transcript` does."""
        return said_later(self._shell, call_id, after, follow=follow)

    async def voices(self) -> Voices:
        """List the hosted voices as `Client.voices` does."""
        return await self._voices.list()

    async def close(self) -> None:
        """Close all connections."""
        await self._shell.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
