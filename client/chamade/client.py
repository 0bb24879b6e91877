"""The two clients: `Client` blocks, `AsyncClient` is for asyncio. Otherwise they are the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

import httpx

from chamade import blocking, live
from chamade.audio.line import Format
from chamade.blocking import Events, Incoming, LiveCall, Ringing
from chamade.credentials import find
from chamade.feed import Doorbell, Feed
from chamade.http.shells import Awaiting, Blocking
from chamade.live import AsyncEvents, AsyncIncoming, AsyncLiveCall, AsyncRinging
from chamade.operations import AccountOf, Calls, Keys, Numbers, TrunkOf, Webhooks
from chamade.portal import Portal

AT_ONCE = 50


class Client:
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
        self.numbers: Numbers[Blocking] = Numbers(self._shell)
        self.trunk: TrunkOf[Blocking] = TrunkOf(self._shell)
        self.webhooks: Webhooks[Blocking] = Webhooks(self._shell)
        self.keys: Keys[Blocking] = Keys(self._shell)
        self.account: AccountOf[Blocking] = AccountOf(self._shell)

    def call(
        self,
        meeting_url: str,
        *,
        format: str = "pcm_s16le",
        rate: int | None = None,
        **wishes: Any,
    ) -> LiveCall:
        """`with client.call("sip:+33…@…") as call:` dials; see `calls.dial` for the `wishes`."""
        opening = Calls.dial.request(meeting_url, **wishes)
        return LiveCall(self._shell, self._portal, opening, Format.wanted(format, rate))

    def attach(
        self,
        call_id: str,
        *,
        format: str = "pcm_s16le",
        rate: int | None = None,
        hang_up: bool = True,
    ) -> LiveCall:
        """`with client.attach(id) as call:` is on the line of a call that is there already. Whoever
        is on it is put off: a call has one agent.
        """
        seeing, line_format = Calls.get.request(call_id), Format.wanted(format, rate)
        return LiveCall(self._shell, self._portal, seeing, line_format, hang_up=hang_up)

    def incoming(self, line: str | None = None) -> Incoming:
        """The calls that come in, those that ring already first; on one number of yours, or all."""
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
    ) -> None:
        """Accepts every call that comes in and hands it to `handler`, in a thread each; hangs up
        when that returns. Goes on until Ctrl-C; `ready` is called once no call will be missed.
        """
        Format.wanted(format, rate)

        def accept(ringing: Ringing) -> LiveCall:
            return ringing.accept(format, rate)

        blocking.serve(self.incoming(line), handler, accept, at_once, ready)

    def events(self, after: str | None = None) -> Events:
        """Events as they come, at least once, over any outage: after a cursor, from now on
        (`"latest"`), or from the oldest kept.
        """
        return Events(self._shell, Feed(after))

    def close(self) -> None:
        """Gives everything back."""
        self._portal.close()
        self._shell.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


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
        self.numbers: Numbers[Awaiting] = Numbers(self._shell)
        self.trunk: TrunkOf[Awaiting] = TrunkOf(self._shell)
        self.webhooks: Webhooks[Awaiting] = Webhooks(self._shell)
        self.keys: Keys[Awaiting] = Keys(self._shell)
        self.account: AccountOf[Awaiting] = AccountOf(self._shell)

    def call(
        self,
        meeting_url: str,
        *,
        format: str = "pcm_s16le",
        rate: int | None = None,
        **wishes: Any,
    ) -> AsyncLiveCall:
        """`async with client.call("sip:+33…@…") as call:` dials; see `calls.dial`."""
        opening = Calls.dial.request(meeting_url, **wishes)
        return AsyncLiveCall(self._shell, opening, Format.wanted(format, rate))

    def attach(
        self,
        call_id: str,
        *,
        format: str = "pcm_s16le",
        rate: int | None = None,
        hang_up: bool = True,
    ) -> AsyncLiveCall:
        """As `Client.attach`."""
        seeing, line_format = Calls.get.request(call_id), Format.wanted(format, rate)
        return AsyncLiveCall(self._shell, seeing, line_format, hang_up=hang_up)

    def incoming(self, line: str | None = None) -> AsyncIncoming:
        """As `Client.incoming`."""
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
    ) -> None:
        """As `Client.serve`, in a task each. Cancelled, it hangs up."""
        Format.wanted(format, rate)

        def accept(ringing: AsyncRinging) -> AsyncLiveCall:
            return ringing.accept(format, rate)

        await live.serve(self.incoming(line), handler, accept, at_once, ready)

    def events(self, after: str | None = None) -> AsyncEvents:
        """As `Client.events`."""
        return AsyncEvents(self._shell, Feed(after))

    async def close(self) -> None:
        """Gives everything back."""
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
