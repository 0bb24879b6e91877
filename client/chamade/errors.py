"""Errors. Everything that this package raises on purpose is a `ChamadeError`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chamade.decoding import decode
from chamade.models import Call


class ChamadeError(Exception):
    """The base of all errors; the message is a sentence for people."""


class BadCredentials(ChamadeError):
    """URL or key are missing or invalid. Nothing was sent."""


class Unreachable(ChamadeError):
    """No answer came. The request may have been carried out all the same."""


class BadAnswer(ChamadeError):
    """An answer came, but not from this API, or not as documented."""


class BadSignature(ChamadeError):
    """The signature of a webhook or a handshake is not valid, or too old."""


class AudioLost(ChamadeError):
    """The audio socket is gone for good while the call is not over, as far as we know.

    `close_code`: RFC 6455's or the relay's (docs/protocol.md, section 8), None if none came.
    """

    def __init__(self, message: str, close_code: int | None = None) -> None:
        super().__init__(message)
        self.close_code = close_code


class NoAudio(ChamadeError):
    """A hosted voice is on the call's line, so that no audio is streamed to this program."""

    def __init__(self, call_id: str) -> None:
        super().__init__(
            f"{call_id}: a hosted voice is on the line: use say(), listen() and transcript(), or "
            'take the call with voice="own" to stream audio'
        )
        self.call_id = call_id


class CallGone(ChamadeError):
    """The call is over, or somebody else took it. `reason`: the reason of its end, if it is
    known.
    """

    def __init__(self, call_id: str, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.call_id, self.reason = call_id, reason


class ApiError(ChamadeError):
    """The API refused a request.

    `status`: of HTTP. `code`: stable, for programs. `detail`: for people. `problem`: the whole
    problem document (RFC 9457). `retry_after`: seconds, if the API said so.
    """

    def __init__(
        self, status: int, problem: Mapping[str, Any], retry_after: float | None = None
    ) -> None:
        self.status, self.problem, self.retry_after = status, dict(problem), retry_after
        self.code = str(problem.get("code") or f"http_{status}")
        self.title = str(problem.get("title") or "")
        self.detail = str(problem.get("detail") or self.title or f"HTTP {status}")
        super().__init__(f"{self.detail} ({self.code})")


class Invalid(ApiError):
    """400, 405, 413, 415, 422: the request is wrong, and a repetition gets the same answer."""

    @property
    def errors(self) -> list[dict[str, str]]:
        """Return `field` and `message` of what is wrong, where the API could say."""
        return list(self.problem.get("errors") or [])


class Unauthorized(ApiError):
    """401: the key is not known (any more)."""


class Forbidden(ApiError):
    """403: known, but not allowed."""


class NotFound(ApiError):
    """404: there is no such thing, or it is somebody else's."""


class Conflict(ApiError):
    """409: not possible in the present state; for instance, another agent has taken the call."""

    @property
    def call(self) -> Call | None:
        """Return the call as it is, if it is about one."""
        shown = self.problem.get("call")
        return decode(Call, shown) if isinstance(shown, dict) else None


class RateLimited(ApiError):
    """429: too much or too often; `retry_after` says when, if waiting helps."""


class ServerError(ApiError):
    """5xx: a fault of the server."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
}


def api_error(
    status: int, problem: Mapping[str, Any], retry_after: float | None = None
) -> ApiError:
    """Return the error of an answer with this status (400 or above)."""
    fallback = ServerError if status >= 500 else Invalid
    return _BY_STATUS.get(status, fallback)(status, problem, retry_after)
