"""Operations over HTTP: authenticate, validate, look for a kept answer, run, respond.

`app.py` registers `blueprint(operations)` of each group.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from chalice.app import Blueprint, Request, Response

from chalicelib import auth, bootstrap
from chalicelib.browser import Browser, refuse_cross_site
from chalicelib.domain.idempotency import fingerprints
from chalicelib.handlers.operation import Operation, Operations
from chalicelib.http import json_of, path_part
from chalicelib.problems import Problem, invalid, problem_from
from chalicelib.services import idempotency
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.idempotency import KeptAnswer
from chalicelib.store.table import TableUnavailable

KEY_HEADER, REPLAYED_HEADER = "Idempotency-Key", "Idempotency-Replayed"


def blueprint(operations: Operations) -> Blueprint:
    """Return the routes of a group of operations."""
    routes = Blueprint(f"chalicelib.handlers.{operations.group}")
    for operation in operations:
        route = routes.route(operation.path, methods=[operation.method], name=operation.name)
        route(_view(operation, routes))
    return routes


def _view(operation: Operation, routes: Blueprint) -> Callable[..., Any]:
    def view(**path: str) -> Any:
        return answer(operation, routes.current_request, path)

    view.__name__ = operation.name
    # Chalice checks that a view has a parameter for each name in its path.
    view.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
            for name in operation.path_names
        ]
    )
    return view


def answer(operation: Operation, request: Request, path: dict[str, str]) -> Response:
    """Run an operation for an HTTP request; return the response."""
    deps = bootstrap.dependencies()
    account_id, browser = _authenticate(operation, deps, request)
    query = operation.query.model_validate(_query(request))
    given = json_of(request, operation.max_body) if operation.reads_body else {}
    body = operation.read(given)
    path_values = {name: path_part(value) for name, value in path.items()}

    def act(seed: str | None) -> KeptAnswer:
        status, content = operation.perform(
            deps, account_id, path_values, body, query, source_address(request), seed, browser
        )
        if status != 201 or operation.location is None or content is None:
            return KeptAnswer(status, content, None)
        return KeptAnswer(status, content, operation.location(content, path_values))

    key = request.headers.get(KEY_HEADER.lower())
    if key is None or not operation.idempotent:
        kept = act(None)
        return _response(kept, {"Set-Cookie": browser.cookie} if browser.cookie else {})
    once = idempotency.Request(
        account_id=account_id,
        key=key,
        fingerprints=fingerprints(deps.secrets.tokens, operation.name, path_values, given),
        resumes=operation.resumes,
        keeps=operation.keeps,
    )
    kept, replayed = _once(deps, once, act)
    return _response(kept, {REPLAYED_HEADER: "true"} if replayed else {})


def _authenticate(
    operation: Operation, deps: Dependencies, request: Request
) -> tuple[str, Browser]:
    """Return the account id, "" if the operation needs no account, and the browser."""
    if not operation.session:
        return "" if operation.open else auth.account_or_session(deps, request), Browser()
    if operation.open:
        refuse_cross_site(request)
        return "", Browser()
    session = auth.session(deps, request)
    return session.key.account_id, Browser(session)


def source_address(request: Request) -> str:
    """Return the address a request comes from, as API Gateway saw it. Headers are not trusted."""
    context = request.context or {}
    return str(context.get("identity", {}).get("sourceIp") or "")


def _query(request: Request) -> dict[str, str]:
    """Return the query's parameters. Raises Problem 422 for one that is there twice."""
    given = request.query_params
    if given is None:
        return {}
    for name in given:
        if len(given.getlist(name)) > 1:
            raise invalid((name, "is given more than once"))
    return dict(given)


def _once(
    deps: Dependencies, once: idempotency.Request, act: Callable[[str | None], KeptAnswer]
) -> tuple[KeptAnswer, bool]:
    """Call `idempotency.once`, and tell it what a failure means."""

    def act_or_problem(seed: str) -> KeptAnswer:
        try:
            return act(seed)
        except (Problem, TableUnavailable):
            raise
        except Exception as error:
            raise problem_from(error) from error

    def changed_nothing(error: Exception) -> bool:
        status = error.status if isinstance(error, Problem) else 500
        # A write that was given up ends in 503. An operation that resumes is safe anyway.
        return status < 500 or (status == 503 and not once.resumes)

    return idempotency.once(deps, once, act_or_problem, changed_nothing)


def _response(kept: KeptAnswer, headers: dict[str, str]) -> Response:
    """Return the HTTP response. Answers hold keys and tokens: no cache on the way may keep them."""
    sent: dict[str, str | list[str]] = {**headers, "Cache-Control": "no-store"}
    if kept.content is None:
        return Response("", sent, kept.status)
    if kept.location is not None:
        # A whole URL, since it may contain the path of a stage.
        sent["Location"] = bootstrap.config().public_url + kept.location
    return Response(dict(kept.content), sent, kept.status)
