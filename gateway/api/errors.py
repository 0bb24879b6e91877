"""Refusals of the Calls REST API, in Twilio's shape. Not failures of calls (`gateway/errors.py`).

Source: https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web


class RestError(Exception):
    """An answer `{"code","message","more_info","status"}` with that HTTP status."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def response(self) -> web.Response:
        """Return the HTTP response."""
        body = {
            "code": self.code,
            "message": str(self),
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if self.status == 401 else None
        return web.json_response(body, status=self.status, headers=headers)


def not_found(path: str) -> RestError:
    """Return 20404: no such resource."""
    return RestError(404, 20404, f"The requested resource {path} was not found")


def unauthorised() -> RestError:
    """Return 20003: wrong or no credentials."""
    return RestError(401, 20003, "Authenticate")


def not_in_progress(what: str = "Call is not in-progress. Cannot redirect.") -> RestError:
    """Return 21220: the call's state does not allow the request."""
    return RestError(400, 21220, what)


def unknown_trunk(trunk_id: str) -> RestError:
    """Return 21300: there is no such trunk (of a carrier of one's own)."""
    return RestError(400, 21300, f"Invalid BYOC trunk SID: {trunk_id[:64]}")


def invalid(code: int, message: str) -> RestError:
    """Return the refusal of a parameter that is missing or wrong."""
    return RestError(400, code, message)


@web.middleware
async def as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn refusals, and unknown paths below the API's root, into answers like Twilio's."""
    try:
        return await handler(request)
    except RestError as error:
        return error.response()
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
        if not request.path.startswith("/2010-04-01/"):
            raise
        if isinstance(error, web.HTTPNotFound):
            return not_found(request.path).response()
        return RestError(405, 20004, "Method not allowed").response()
