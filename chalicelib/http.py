"""The Chalice app of all routes, whose errors are all problem+json, and functions that read
bodies.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from chalice.app import Chalice, Request, Response

from chalicelib.logs import log_context
from chalicelib.problems import CONTENT_TYPE, known, problem_from
from common import control

FORM = ["application/x-www-form-urlencoded"]
JSON = ["application/json"]
MAX_BODY = 256 * 1024
"""Bytes of a request body; no request needs more."""

_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000",
}

_CHALICE_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 415: "bad_type"}


class ProblemChalice(Chalice):
    """A Chalice app whose errors are all problem+json: Chalice's own have another format, and those
    of unforeseen exceptions would tell too much.
    """

    def _register_handler(  # noqa: PLR0913, PLR0917 - Chalice's signature
        self,
        handler_type: str,
        name: str,
        user_handler: Callable[..., Any],
        wrapped_handler: Any,
        kwargs: Any,
        options: Any = None,
    ) -> None:
        if handler_type == "route":
            user_handler = _answering_problems(user_handler)
        super()._register_handler(
            handler_type, name, user_handler, wrapped_handler, kwargs, options
        )

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Handle one request of API Gateway."""
        try:
            answer: dict[str, Any] = super().__call__(event, context)
        except Exception as error:  # such as a body that JSON cannot hold
            answer = problem_from(error).response().to_dict()
        if answer["statusCode"] >= 400 and answer["headers"].get("Content-Type") != CONTENT_TYPE:
            answer = _as_problem(answer)
        if answer["statusCode"] == 405:
            answer["headers"].setdefault("Allow", self._methods(event))
        answer["headers"].update(_SECURITY_HEADERS)
        return answer

    def _methods(self, event: dict[str, Any]) -> str:
        """Return the methods of the path that was asked for (RFC 9110, 15.5.6)."""
        path = event.get("requestContext", {}).get("resourcePath", "")
        return ", ".join(sorted(self.routes.get(path, ())))


def _answering_problems(view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        with log_context(call_id=kwargs.get("call_id")):
            try:
                return view(*args, **kwargs)
            except Exception as error:
                return problem_from(error).response()

    return guarded


def _as_problem(answer: dict[str, Any]) -> dict[str, Any]:
    status = answer["statusCode"]
    try:
        document = json.loads(answer["body"])
    except ValueError:
        document = {}
    if isinstance(document, dict) and "jsonrpc" in document:
        return answer  # errors of MCP requests stay JSON-RPC errors
    code = _CHALICE_CODES.get(status, "internal_error" if status >= 500 else "bad_request")
    problem = known(code)
    problem.status = status
    answered: dict[str, Any] = problem.response().to_dict()
    return answered


def raw_body(request: Request, most: int = MAX_BODY) -> bytes:
    """Return the body's bytes. Raises Problem 413 if there are more than `most`."""
    raw = request.raw_body
    if isinstance(raw, str):
        raw = raw.encode()
    if len(raw) > most:
        raise known("too_large", f"At most {most} bytes are possible.")
    return raw


def json_of(request: Request, most: int = MAX_BODY) -> Any:
    """Return the request's JSON; an empty body is `{}`. Problem 400 or 413."""
    try:
        return json.loads(raw_body(request, most) or b"{}")
    except (ValueError, RecursionError):
        raise known("bad_json") from None


def signed_body(request: Request, path: str, secret: str) -> bytes:
    """Return the body of a control request to `path` (common/control.py). Raises Problem 401 if it
    is not signed with `secret`, and always if there is no secret.
    """
    body = raw_body(request)
    header = request.headers.get(control.HEADER.lower())
    if not secret or not control.verify(secret, path, body, header, int(time.time())):
        raise known("bad_signature")
    return body


def path_part(text: str) -> str:
    """Return a path parameter decoded: in places `%2B` stays encoded, and `+` is a plus in a
    path.
    """
    return unquote(text)


def no_content() -> Response:
    """Return an answer without content: 204."""
    return Response("", {}, 204)
