"""A telephone in software: places and takes calls through a gateway's socket legs.

For tests, demonstrations and benchmarks; `caller.py` and `callee.py` are its command lines. It is a
client like any other and shares nothing with the gateway but the wire: mu-law frames of 160 bytes
and the JSON messages of `legs/socket/leg.py`.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

from picows import WSError, WSInvalidStatusError

from gateway.http import auth
from gateway.media.ticker import Ticker
from gateway.softphone.call import Ending, Heard, PhoneCall, is_silent
from gateway.softphone.link import Link
from runtime.websocket import connect

__all__ = [
    "Ending",
    "Heard",
    "PhoneCall",
    "Registration",
    "Softphone",
    "SoftphoneError",
    "is_silent",
]


class SoftphoneError(Exception):
    """The gateway cannot be reached, or refuses; the message is a sentence for people."""


class Registration:
    """A number at which this phone can be called, one call at a time."""

    def __init__(self, link: Link, ticker: Ticker) -> None:
        self._link, self._ticker = link, ticker
        self._calls: asyncio.Queue[PhoneCall] = asyncio.Queue()
        self._call: PhoneCall | None = None
        self.ready = asyncio.Event()

    async def next_call(self) -> PhoneCall:
        """Return the next incoming call, ringing; `accept` or `reject` it."""
        return await self._calls.get()

    def close(self) -> None:
        """Unregister; a call in progress is lost."""
        self._link.close()

    def on_audio(self, frame: bytes) -> None:
        """Pass audio to the call, if there is one."""
        if self._call is not None:
            self._call.on_audio(frame)

    def on_message(self, message: dict[str, Any]) -> None:
        """Start a call, or pass the message to the present one."""
        match message.get("type"):
            case "registered":
                self.ready.set()
                return
            case "incoming":
                to, from_ = message["to"], message["from"]
                self._call = PhoneCall(self._link, self._ticker, to, from_, speak=True)
                self._calls.put_nowait(self._call)
        if self._call is not None:
            self._call.on_message(message)

    def on_gone(self, reason: str) -> None:
        """Note that the socket is gone, and the call with it."""
        if self._call is not None:
            self._call.on_gone(reason)


class Softphone:
    """A phone on one gateway; it can make many calls at the same time."""

    def __init__(self, gateway_url: str, account_sid: str, auth_token: str) -> None:
        self._base = "ws" + gateway_url.removeprefix("http").rstrip("/")
        self._headers = {"Authorization": auth.basic(account_sid, auth_token)}
        self._ticker = Ticker()

    async def place_call(
        self,
        to: str,
        *,
        from_: str = "+15550000001",
        forwarded_from: str | None = None,
        speak: bool = True,
    ) -> PhoneCall:
        """Call `to`. Return once connected to the gateway, mostly before it rings.

        With `speak`, a frame is sent every 20 ms from the answer on (silence unless `play` has
        audio); without it, only `send_audio` sends. Raises SoftphoneError if there is no
        connection, or the gateway refuses.
        """
        query = {"to": to, "from": from_}
        if forwarded_from:
            query["forwarded_from"] = forwarded_from
        link = Link()
        call = PhoneCall(link, self._ticker, to, from_, speak=speak)
        link.party = call
        await self._connect(link, "/legs/call?" + urlencode(query))
        return call

    async def register(self, number: str) -> Registration:
        """Wait for calls to `number`. Raises SoftphoneError if it cannot connect, or is refused."""
        link = Link()
        registration = Registration(link, self._ticker)
        link.party = registration
        await self._connect(link, "/legs/answer?" + urlencode({"number": number}))
        await registration.ready.wait()
        return registration

    async def _connect(self, link: Link, path: str) -> None:
        try:
            await connect(
                lambda: link,
                self._base + path,
                extra_headers=self._headers,
                websocket_handshake_timeout=10.0,
                enable_auto_ping=True,
            )
        except WSInvalidStatusError as error:
            status = error.response.status if error.response else "no answer"
            said = (error.response.body or b"").decode(errors="replace") if error.response else ""
            text = f"the gateway refused the call: {status} {said}".strip()
            raise SoftphoneError(text) from None
        except (WSError, OSError, TimeoutError, ValueError) as error:
            raise SoftphoneError(f"cannot reach the gateway at {self._base}: {error}") from None
