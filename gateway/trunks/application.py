"""The signed HTTP client to the application: fetches the trunks and reports the state of each.

See docs/contracts.md. Each call makes one attempt; the caller decides when to try again
(`pause_s`). The only state kept is whether the application answers, so that an outage is one line
in the log and not many.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, TypeVar

import aiohttp
import msgspec

from gateway.trunks.trunk import TRUNK_ID, Status, Trunk
from runtime.signed_post import AnswerTooLongError, signed_post

LIST, FETCH, REPORT, LEASE, SHED = (
    f"/gateway/trunks/{what}" for what in ("list", "fetch", "report", "lease", "shed")
)

_TIMEOUT_S = 5.0
_MAX_PAGES = 1000
MAX_TRUNKS = 10_000
"""Limit of the trunks that a gateway takes from the application."""
_NOT_FOUND = "trunk_not_found"

T = TypeVar("T")

log = logging.getLogger(__name__)


class ApplicationError(Exception):
    """The application gave no usable answer.

    `code` is the code of the problem document or, without one, `unreachable`, `timeout`,
    `bad_answer` or `http_<status>`. `final` means that the same request would fail again.
    """

    def __init__(self, code: str, what: str, *, final: bool = False) -> None:
        super().__init__(f"{code}: {what}")
        self.code = code
        self.final = final

    @property
    def silent(self) -> bool:
        """Return whether there was no answer at all."""
        return self.code in ("unreachable", "timeout")


class _Listed(msgspec.Struct):
    trunk_id: str
    revision: int
    ours: bool = True


class _Page(msgspec.Struct):
    trunks: list[_Listed]
    next: str | None = None


class _Fetched(msgspec.Struct):
    trunk: dict[str, Any]
    ours: bool = True


class Standing(msgspec.Struct):
    """The answer to a lease: `division` is another word when other trunks may be ours; after
    `again_ms` the lease is to be renewed."""

    division: str
    again_ms: int


class _Reported(msgspec.Struct):
    revision: int


class _Noted(msgspec.Struct):
    """The answer to a report that asks for nothing."""


class _Problem(msgspec.Struct):
    code: str = ""


class Application:
    """The requests to the application. Each raises ApplicationError if it fails."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        secret: str,
        gateway_id: str,
        machine: str | None = None,
    ) -> None:
        """`machine` is the gateway's name among several; None: it is the only one."""
        self.elsewhere: set[str] = set()
        """The trunks that other gateways register, as the last answers had it."""
        self._session = session
        self._url = url
        self._secret = secret
        self._who = {"gateway": gateway_id} | ({"machine": machine} if machine else {})
        self._out: dict[str, str] = {}

    @property
    def outage(self) -> str | None:
        """Return the code of the present failure of the application; None if it answers as it
        should."""
        return next(iter(self._out.values()), None)

    async def list_trunks(self) -> dict[str, int]:
        """Return the revision of every trunk to be registered, by id; fetch all pages."""
        found: dict[str, int] = {}
        elsewhere: set[str] = set()
        after: str | None = None
        for _ in range(_MAX_PAGES):
            page = await self._post(LIST, _Page, after=after)
            found |= {
                listed.trunk_id: listed.revision
                for listed in page.trunks
                if TRUNK_ID.fullmatch(listed.trunk_id)
            }
            elsewhere |= {each.trunk_id for each in page.trunks if not each.ours}
            if len(found) > MAX_TRUNKS:
                raise ApplicationError("bad_answer", f"{LIST} has more than {MAX_TRUNKS} trunks")
            if page.next is None or page.next == after:
                self.elsewhere = elsewhere
                return found
            after = page.next
        raise ApplicationError("bad_answer", f"{LIST} has more than {_MAX_PAGES} pages")

    async def fetch_trunk(self, trunk_id: str) -> Trunk | None:
        """Return the trunk as it is now; None if it does not exist (any more).

        Raises BadTrunkError if its settings are not valid.
        """
        try:
            answer = await self._post(FETCH, _Fetched, trunk_id=trunk_id)
        except ApplicationError as error:
            if error.code == _NOT_FOUND:
                self.elsewhere.discard(trunk_id)
                return None
            raise
        (self.elsewhere.discard if answer.ours else self.elsewhere.add)(trunk_id)
        trunk = Trunk.from_json(answer.trunk)
        if trunk.trunk_id != trunk_id:
            raise ApplicationError("bad_answer", f"{FETCH} answered another trunk")
        return trunk

    async def report(
        self, trunk_id: str, revision: int, status: Status, sip_code: int | None, detail: str
    ) -> int | None:
        """Report the status of a trunk.

        Return the revision that is valid now; None if the trunk is gone.
        """
        told = {"revision": revision, "status": status, "sip_code": sip_code, "detail": detail}
        try:
            answer = await self._post(REPORT, _Reported, trunk_id=trunk_id, **told)
        except ApplicationError as error:
            if error.code == _NOT_FOUND:
                return None
            raise
        return answer.revision

    async def report_shed(self, trunk_id: str, count: int, at_ms: int) -> None:
        """Report that `count` calls of a trunk were refused while the application was behind, up to
        `at_ms` (epoch ms), which also tells a repeated report."""
        await self._post(SHED, _Noted, trunk_id=trunk_id, count=count, at_ms=at_ms)

    async def renew(self, url: str, *, draining: bool) -> Standing:
        """Renew the lease of this gateway, which is at `url`."""
        return await self._post(LEASE, Standing, url=url, draining=draining)

    async def leave(self, url: str) -> None:
        """End the lease, so that others take the trunks over at once."""
        await self._post(LEASE, Standing, url=url, leaving=True)

    async def _post(self, path: str, shape: type[T], **asked: Any) -> T:
        try:
            answer = await self._ask(path, shape, asked)
        except ApplicationError as error:
            if not error.final:
                self._note_outage(path, error)
            raise
        if path in self._out:
            del self._out[path]
            log.info("the application answers again", extra={"path": path})
        return answer

    async def _ask(self, path: str, shape: type[T], asked: dict[str, Any]) -> T:
        body = msgspec.json.encode({**self._who, **asked})
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                status, content = await signed_post(
                    self._session, self._url, self._secret, path, body
                )
        except TimeoutError:
            raise ApplicationError("timeout", f"no answer to {path} in time") from None
        except AnswerTooLongError as error:
            raise ApplicationError("bad_answer", str(error)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise ApplicationError("unreachable", f"{path}: {type(error).__name__}") from None
        return _read(path, status, content, shape)

    def _note_outage(self, path: str, error: ApplicationError) -> None:
        if path not in self._out:
            self._out[path] = error.code
            log.warning(
                "the application does not answer as it should, trying on: %s",
                error,
                extra={"path": path, "code": error.code},
            )


def pause_s(failures: int, random: float) -> float:
    """Return the seconds to wait after `failures` (from 1) in a row: 1, 2, 4 … 30, ±25 %."""
    return min(30.0, 2.0 ** min(max(failures, 1) - 1, 16)) * (0.75 + 0.5 * random)


def _read(path: str, status: int, content: bytes, shape: type[T]) -> T:
    try:
        if status == 200:
            return msgspec.json.decode(content, type=shape)
        problem = msgspec.json.decode(content, type=_Problem)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        if status == 200:
            what = f"{path} answered 200, but not what the contract says"
            raise ApplicationError("bad_answer", what) from None
        problem = _Problem()
    final = 400 <= status < 500 and bool(problem.code) and status not in (401, 403, 408, 429)
    code = problem.code or f"http_{status}"
    raise ApplicationError(code, f"{path} answered {status}", final=final)
