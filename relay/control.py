"""The signed HTTP client to the application: may this socket come in, and what is this call now.

See docs/contracts.md. Every post is idempotent, so connection errors, time-outs and 5xx answers
are tried again; a 4xx is an answer. It keeps no state about calls and decides nothing.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import aiohttp
import msgspec

from relay.config import Config
from relay.ports import LIVE, AgentAddress
from wire import control

ATTACH, REPORT = "/media/attach", "/media/report"
AT_ONCE = 64
"""Posts of a kind under way at the same time; the others wait, for as long as it takes."""


class Answer(msgspec.Struct):
    """What the application says of a call; all but the first only where they apply."""

    call: dict[str, Any]
    provider_call_id: str | None = None
    account_sid: str | None = None
    owner: str | None = None
    ends_at_ms: int | None = None
    agent: AgentAddress | None = None

    @property
    def call_id(self) -> str:
        """The call's id."""
        return str(self.call.get("call_id"))

    @property
    def state(self) -> str:
        """The call's state; one that nobody knows counts as over."""
        return str(self.call.get("state"))

    @property
    def over(self) -> bool:
        """True if the state is final."""
        return self.state not in LIVE


class RefusedError(Exception):
    """The application said no; `code` is the problem's, `call` what it says of the call, if so;
    `relay_url`: where the relay is reached that holds the call.
    """

    def __init__(
        self, status: int, code: str, call: dict[str, Any] | None, relay_url: str | None = None
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.call, self.relay_url = status, code, call, relay_url


class UnreachableError(Exception):
    """No usable answer after all tries."""


class _Problem(msgspec.Struct):
    code: str = ""
    call: dict[str, Any] | None = None
    relay_url: str | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one try may take (s), and how long to wait before each further one."""

    timeout: float = 3.0
    pauses: tuple[float, ...] = field(default=(0.1, 0.4, 1.0))


class Control:
    """Use as an async context manager.

    Attaches and reports have a connection pool each: anybody may cause attaches, by opening sockets
    with any token, and that must not keep us from saying what becomes of calls.
    """

    def __init__(
        self, config: Config, patience: Patience = Patience(), at_once: int = AT_ONCE
    ) -> None:
        self._config = config
        self._patience = patience
        # Waiting is done here and not in aiohttp, whose time-outs would run meanwhile.
        self._slots = {path: asyncio.Semaphore(at_once) for path in (ATTACH, REPORT)}
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Control:
        for path in self._slots:
            self._sessions[path] = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._patience.timeout),
                connector=aiohttp.TCPConnector(limit=0),
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def attach_provider(self, token: str, url: str, signature: str) -> Answer:
        """May the provider's stream that dialled `url` come in? RefusedError, UnreachableError."""
        handshake = {"url": url, "signature": signature}
        return await self._attach({"leg": "provider", "token": token, "handshake": handshake})

    async def attach_agent(self, call_id: str, token: str) -> Answer:
        """May this agent's socket come in? RefusedError, UnreachableError."""
        return await self._attach({"leg": "agent", "call_id": call_id, "token": token})

    async def report(self, call_id: str, kind: str, why: str = "") -> Answer:
        """Say what happened to a call, hear how it stands. RefusedError, UnreachableError."""
        return await self._report(call_id, kind, {"why": why} if why else {})

    async def report_keys(self, call_id: str, digits: str, sequence: int) -> Answer:
        """Say which keys were pressed; `sequence` rises from report to report of a call."""
        return await self._report(call_id, "dtmf", {"digits": digits, "sequence": sequence})

    async def _report(self, call_id: str, kind: str, more: dict[str, Any]) -> Answer:
        body = {"relay": self._config.relay_id, "call_id": call_id, "type": kind}
        return await self._post(REPORT, body | more)

    async def _attach(self, what: dict[str, Any]) -> Answer:
        who = {"relay": self._config.relay_id, "relay_url": self._config.relay_url}
        return await self._post(ATTACH, who | what)

    async def _post(self, path: str, payload: dict[str, Any]) -> Answer:
        body = msgspec.json.encode(payload)
        why = ""
        for pause in (*self._patience.pauses, None):
            try:
                return await self._try(path, body)
            except (aiohttp.ClientError, TimeoutError, UnreachableError) as error:
                why = str(error) or type(error).__name__
            if pause is not None:
                await asyncio.sleep(pause)
        raise UnreachableError(why)

    async def _try(self, path: str, body: bytes) -> Answer:
        session = self._sessions.get(path)
        if session is None:
            raise RuntimeError("Control is used outside its context")
        async with self._slots[path]:
            return await self._ask(session, path, body)

    async def _ask(self, session: aiohttp.ClientSession, path: str, body: bytes) -> Answer:
        # The signature covers the contract's path, not a prefix that a gateway puts before it.
        headers = {
            control.HEADER: control.sign(self._config.control_secret, path, body, int(time.time())),
            "Content-Type": "application/json",
        }
        url = self._config.control_url + path
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            return _read(response.status, await response.read())


def _read(status: int, content: bytes) -> Answer:
    """An HTTP answer as a value. RefusedError for 4xx, UnreachableError for what is no answer."""
    try:
        if status == 200:
            return msgspec.json.decode(content, type=Answer)
        problem = msgspec.json.decode(content, type=_Problem)
    except (msgspec.DecodeError, msgspec.ValidationError):
        problem = _Problem()
        if status == 200:
            raise UnreachableError("200 with a body that is not the contract's") from None
    if 400 <= status < 500 and status not in (408, 429):
        raise RefusedError(status, problem.code, problem.call, problem.relay_url)
    raise UnreachableError(f"HTTP {status}")
