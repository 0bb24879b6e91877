"""Passes commands that came to this relay's door on to the relay that holds the call.

A load balancer chooses the relay, and does not know which one holds a call. The application knows,
and names the owner's door in the command, which is signed. A command is passed on once.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp

from relay import logs
from relay.config import Config
from relay.core.requests_to_agent import RefusedRequestError
from relay.protocol import door_messages
from relay.protocol.door_messages import Command
from runtime.signed_post import AnswerTooLongError, signed_post

HOP_HEADER = "X-Chamade-Door-Hop"
"""Header of a command that another relay has passed on. It must not be passed on further."""
MAX_FORWARDS = 1024
MAX_FORWARDS_PER_CALL = 64
"""Commands that have been passed on and have no answer yet."""
CONNECT_S = 2.0
_ANSWER_S = 3.5
"""Seconds beyond the command's `wait_s`. The owner itself waits for less (`door.REPLY_S`)."""

_NEVER_THERE = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
"""Errors that mean that the owner never got the command."""


class Forwarding:
    """The way from this door to others; `open` it before use."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._session: aiohttp.ClientSession | None = None
        self._under_way: Counter[str] = Counter()

    async def open(self) -> None:
        """Be ready to forward."""
        self._session = aiohttp.ClientSession(
            headers={HOP_HEADER: "1"},
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
        )

    async def close(self) -> None:
        """Close the connections to other relays."""
        if self._session is not None:
            await self._session.close()

    async def forward(self, call_id: str, command: Command) -> tuple[int, bytes]:
        """Pass a command on to its owner. Return the status and body of the answer.

        RefusedRequestError: `too_many`, `not_here` if that relay cannot be reached, `timeout` if
        it did not answer: it may have carried the command out.
        """
        under_way = self._under_way
        if (
            under_way[call_id] >= MAX_FORWARDS_PER_CALL
            or under_way.total() >= MAX_FORWARDS
            or self._session is None
        ):
            raise RefusedRequestError("too_many", "too many commands are under way; ask again")
        under_way[call_id] += 1
        try:
            return await self._post(self._session, call_id, command)
        finally:
            under_way[call_id] -= 1
            if not under_way[call_id]:
                del under_way[call_id]

    async def _post(
        self, session: aiohttp.ClientSession, call_id: str, command: Command
    ) -> tuple[int, bytes]:
        owner = (command.owner or "").rstrip("/")
        body = door_messages.passed_on(command)
        path, secret = f"/door/call/{call_id}", self._config.control_secret
        try:
            async with asyncio.timeout(command.wait_s + _ANSWER_S):
                return await signed_post(session, owner, secret, path, body)
        except (aiohttp.ClientError, OSError, AnswerTooLongError, ValueError) as error:
            logs.warning("owner's door not reached", call_id=call_id, why=type(error).__name__)
            if isinstance(error, _NEVER_THERE):
                why = "the relay that is said to hold the call cannot be reached"
                raise RefusedRequestError("not_here", why) from None
            # It may have been carried out: whoever asks again would press keys twice.
            why = "the relay that holds the call did not answer in time"
            raise RefusedRequestError("timeout", why) from None
