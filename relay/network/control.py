"""The signed HTTP client to the application: attaches of sockets, reports of calls, and the URLs
to which recordings go.

See docs/contracts.md. Every post is idempotent, so connection errors, time-outs and 5xx answers
are tried again; a 4xx is an answer. It keeps no state about calls and decides nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field, replace
from types import TracebackType
from typing import Any, TypeVar

import aiohttp
import msgspec

from common.call_facts import PATH as FACTS
from common.call_facts import FactsReport
from relay.config import Config
from relay.core.interfaces import LIVE, AgentAddress
from relay.core.who_answered import Answered, Found
from relay.protocol.detection import WantedDetection
from relay.protocol.line import MAX_CLIP, Line
from relay.protocol.recording import WantedRecording
from runtime.signed_post import AnswerTooLongError, signed_post

_Wanted = TypeVar("_Wanted")
ATTACH, REPORT, CLIP, RECORDING = (
    "/media/attach",
    "/media/report",
    "/media/clip",
    "/media/recording",
)
_STORAGE = "storage"
_POOLS = ("agent", "provider", REPORT, CLIP, FACTS, RECORDING, _STORAGE)
AT_ONCE = 64
"""Posts of each kind under way at the same time; the others wait, for as long as it takes."""


class Answer(msgspec.Struct):
    """The application's answer about a call. Fields that do not apply are None."""

    call: dict[str, Any]
    provider_call_id: str | None = None
    account_sid: str | None = None
    owner: str | None = None
    ends_at_ms: int | None = None
    agent: AgentAddress | None = None
    agent_detail: str | None = None
    """The reason why the agent was not reached, as the application shows it."""
    line: Line | None = None
    """To whom the caller is connected; None: with the agent."""

    recording: WantedRecording | None = None
    detect: WantedDetection | None = None

    @property
    def call_id(self) -> str:
        """Return the call's id."""
        return str(self.call.get("call_id"))

    @property
    def state(self) -> str:
        """Return the call's state."""
        return str(self.call.get("state"))

    @property
    def over(self) -> bool:
        """Return whether the state is final; an unknown one counts as final."""
        return self.state not in LIVE


class Upload(msgspec.Struct, frozen=True):
    """The URL to which a segment of a recording is put, with the headers that its signature
    covers.
    """

    url: str
    headers: dict[str, str] = {}


class Uploads(msgspec.Struct):
    """The answer about a recording: where its segments go, by their starts in ms."""

    uploads: dict[int, Upload] = {}


class RefusedError(Exception):
    """The application refused. `code` is the problem's; `call`, if there, is the call's status;
    `relay_url`, if there, is the URL of the relay that holds the call.
    """

    def __init__(
        self, status: int, code: str, call: dict[str, Any] | None, relay_url: str | None = None
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.call, self.relay_url = status, code, call, relay_url


class NoAnswerError(Exception):
    """The application gave no usable answer, after all tries."""


class _Clip(msgspec.Struct):
    ulaw: bytes


class _Problem(msgspec.Struct):
    code: str = ""
    call: dict[str, Any] | None = None
    relay_url: str | None = None


class _Taken(msgspec.Struct):
    """The answer to a report of facts: nothing."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The time-out of one try, and the pause before each further one, in seconds."""

    timeout: float = 3.0
    pauses: tuple[float, ...] = field(default=(0.1, 0.4, 1.0))


class Control:
    """The control client; to be used as an async context manager.

    Agents' attaches, providers' attaches, reports and recordings have a connection pool each:
    agents cause attaches as they please, and those must hold up neither a caller's stream nor a
    report.
    """

    def __init__(
        self, config: Config, retries: RetryPolicy = RetryPolicy(), at_once: int = AT_ONCE
    ) -> None:
        self._config = config
        self._retries = retries
        # Waiting is done here and not in aiohttp, whose time-outs would run meanwhile.
        self._slots = {pool: asyncio.Semaphore(at_once) for pool in _POOLS}
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Control:
        for pool in self._slots:
            self._sessions[pool] = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._retries.timeout),
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
        """Ask to admit the provider's stream that dialled `url`. RefusedError, NoAnswerError."""
        handshake = {"url": url, "signature": signature}
        return await self._attach({"leg": "provider", "token": token, "handshake": handshake})

    async def attach_agent(self, call_id: str, token: str) -> Answer:
        """Ask to admit this agent's socket. RefusedError, NoAnswerError."""
        return await self._attach({"leg": "agent", "call_id": call_id, "token": token})

    async def report(self, call_id: str, kind: str, why: str | None = None) -> Answer:
        """Report what happened to a call. Return its status. RefusedError, NoAnswerError.

        `why`: the reason why the agent was not reached; "": it is there by now.
        """
        return await self._report(call_id, kind, {} if why is None else {"why": why})

    async def report_keys(self, call_id: str, digits: str, sequence: int) -> Answer:
        """Report which keys were pressed; `sequence` rises from report to report of a call."""
        return await self._report(call_id, "dtmf", {"digits": digits, "sequence": sequence})

    async def report_bridged(self, call_id: str, number: int) -> Answer:
        """Report that the caller hears the other call's, since the line had this number."""
        return await self._report(call_id, "bridged", {"line": number})

    async def report_answer(self, call_id: str, found: Found) -> Answer:
        """Report who answered, or that a machine's greeting is over."""
        answered = isinstance(found, Answered)
        member = "answered_by" if answered else "ended_by"
        told = {member: found.by, "at_ms": found.at_ms}
        return await self._report(call_id, "answered_by" if answered else "greeting_ended", told)

    async def fetch_clip(self, call_id: str, clip_id: str) -> bytes:
        """Fetch the mu-law of a clip. RefusedError, NoAnswerError."""
        relay = self._config.relay_id
        payload = {"relay": relay, "call_id": call_id, "clip_id": clip_id}
        clip = await self._post(CLIP, CLIP, payload, _Clip)
        if len(clip.ulaw) > MAX_CLIP:
            raise NoAnswerError(f"the clip is longer than {MAX_CLIP} bytes")
        return clip.ulaw

    async def upload_urls(
        self, call_id: str, recording_id: str, starts_ms: list[int]
    ) -> dict[int, Upload]:
        """Ask where the segments go that begin at these times. RefusedError, NoAnswerError."""
        return (await self._recording(call_id, recording_id, starts_ms=starts_ms)).uploads

    async def recording_over(self, call_id: str, recording_id: str) -> None:
        """Tell that no more of a recording comes from here. RefusedError, NoAnswerError."""
        await self._recording(call_id, recording_id, over=True)

    async def upload(self, where: Upload, content: bytes) -> None:
        """Put a segment to its URL. NoAnswerError."""
        try:
            async with (
                self._slots[_STORAGE],
                self._sessions[_STORAGE].put(
                    where.url, data=content, headers=where.headers, allow_redirects=False
                ) as response,
            ):
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NoAnswerError(f"storage: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise NoAnswerError(f"storage: HTTP {status}")

    async def _recording(self, call_id: str, recording_id: str, **more: Any) -> Uploads:
        body = {"relay": self._config.relay_id, "call_id": call_id, "recording_id": recording_id}
        return await self._post(RECORDING, RECORDING, body | more, Uploads)

    async def report_facts(self, report: FactsReport) -> None:
        """Report the quality of a call. RefusedError, NoAnswerError."""
        told = asdict(replace(report, relay=self._config.relay_id))
        await self._post(FACTS, FACTS, told, _Taken)

    async def _report(self, call_id: str, kind: str, more: dict[str, Any]) -> Answer:
        body = {"relay": self._config.relay_id, "call_id": call_id, "type": kind}
        return await self._post(REPORT, REPORT, body | more, Answer)

    async def _attach(self, socket: dict[str, Any]) -> Answer:
        relay = {"relay": self._config.relay_id, "relay_url": self._config.relay_url}
        if self._config.door_url:
            relay["door_url"] = self._config.door_url
        return await self._post(socket["leg"], ATTACH, relay | socket, Answer)

    async def _post(
        self, pool: str, path: str, payload: dict[str, Any], wanted: type[_Wanted]
    ) -> _Wanted:
        body = msgspec.json.encode(payload)
        why = ""
        for pause in (*self._retries.pauses, None):
            try:
                return _parse(*await self._try(pool, path, body), wanted)
            except (aiohttp.ClientError, TimeoutError, AnswerTooLongError, NoAnswerError) as error:
                why = str(error) or type(error).__name__
            if pause is not None:
                await asyncio.sleep(pause)
        raise NoAnswerError(why)

    async def _try(self, pool: str, path: str, body: bytes) -> tuple[int, bytes]:
        session = self._sessions.get(pool)
        if session is None:
            raise RuntimeError("Control is used outside its context")
        async with self._slots[pool]:
            config = self._config
            return await signed_post(session, config.control_url, config.control_secret, path, body)


def _parse(status: int, content: bytes, wanted: type[_Wanted]) -> _Wanted:
    """Parse an HTTP answer. RefusedError for 4xx, NoAnswerError for what is no answer."""
    try:
        if status == 200:
            return msgspec.json.decode(content, type=wanted)
        problem = msgspec.json.decode(content, type=_Problem)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        problem = _Problem()
        if status == 200:
            raise NoAnswerError("200 with a body that is not the contract's") from None
    if 400 <= status < 500 and status not in (408, 429):
        raise RefusedError(status, problem.code, problem.call, problem.relay_url)
    raise NoAnswerError(f"HTTP {status}")
