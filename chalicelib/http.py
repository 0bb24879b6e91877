"""What every route shares: a Chalice in which each error, foreseen or not, is problem+json; and the
reading of JSON, form and signed bodies.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

from chalice.app import Chalice, Request, Response

from chalicelib.logs import log_context
from chalicelib.problems import CONTENT_TYPE, Problem, known, problem_from
from wire import control

FORM = ["application/x-www-form-urlencoded"]
MAX_BODY = 256 * 1024
"""Bytes of a request body; nothing here is meant to be larger."""

_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000",
}

_CHALICE_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 415: "bad_type"}


class ProblemChalice(Chalice):
    """Chalice's own errors are JSON of another shape and a view's unforeseen ones say too much."""

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
        """One request of API Gateway."""
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
        """The methods of the path that was asked for (RFC 9110, 15.5.6)."""
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
        said = json.loads(answer["body"])
    except ValueError:
        said = {}
    if isinstance(said, dict) and "jsonrpc" in said:
        return answer  # what is wrong with an MCP request is told as JSON-RPC tells it
    detail = said.get("Message", "") if isinstance(said, dict) and status < 500 else ""
    code = _CHALICE_CODES.get(status, "internal_error" if status >= 500 else "bad_request")
    problem: dict[str, Any] = (
        Problem(status, code, code.replace("_", " "), detail).response().to_dict()
    )
    return problem


def raw_body(request: Request) -> bytes:
    """The body's bytes. Problem 413 if there are more than `MAX_BODY`."""
    raw = request.raw_body
    if isinstance(raw, str):
        raw = raw.encode()
    if len(raw) > MAX_BODY:
        raise known("too_large", f"At most {MAX_BODY} bytes.")
    return raw


def json_of(request: Request) -> Any:
    """The request's JSON; an empty body is `{}`. Problem 400 or 413."""
    try:
        return json.loads(raw_body(request) or b"{}")
    except (ValueError, RecursionError):
        raise known("bad_json") from None


def signed_body(request: Request, path: str, secret: str) -> bytes:
    """The body of a control request to `path` (wire/control.py). Problem 401 if it is not signed
    with `secret`, and always if there is no secret.
    """
    body = raw_body(request)
    header = request.headers.get(control.HEADER.lower())
    if not secret or not control.verify(secret, path, body, header, int(time.time())):
        raise known("bad_signature")
    return body


def form_body(request: Request) -> dict[str, str]:
    """The request's form. Blank values are kept: they are signed, too."""
    raw = raw_body(request)
    try:
        return dict(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=200))
    except ValueError:
        raise known("bad_form") from None


def path_part(text: str) -> str:
    """A path parameter as meant: `%2B` stays encoded in places, and `+` is a plus in a path."""
    return unquote(text)


def no_content() -> Response:
    """204."""
    return Response("", {}, 204)
