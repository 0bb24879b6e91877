"""An operation over HTTP: who asks, what, whether it was asked before, and the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chalice.app import Request, Response

from chalicelib import auth, bootstrap, browser
from chalicelib.domain.idempotency import fingerprints
from chalicelib.http import json_of, path_part
from chalicelib.problems import Problem, invalid, problem_from
from chalicelib.services import idempotency
from chalicelib.services.idempotency import Kept
from chalicelib.services.ports import Ports
from chalicelib.store.table import TableUnavailable

if TYPE_CHECKING:
    from chalicelib.handlers.operation import Operation
    from chalicelib.services.sessions import Session

KEY_HEADER, REPLAYED_HEADER = "Idempotency-Key", "Idempotency-Replayed"


class Browser:
    """What an operation of the session has to do with the browser that asks: `session`, if one is
    asked for, and the cookie that goes out.
    """

    def __init__(self, session: Session | None = None) -> None:
        self.session = session
        self.cookie: str | None = None

    def keep(self, token: str, lasts_s: int) -> None:
        """Have it keep the session's token, or with 0 s forget it."""
        self.cookie = browser.set_cookie(token, lasts_s)


def answer(operation: Operation, request: Request, path: dict[str, str]) -> Response:
    """Does what the request asks for."""
    ports = bootstrap.ports()
    account_id, asking = _asker(operation, ports, request)
    query = operation.query.model_validate(_query(request))
    given = json_of(request) if operation.reads_body else {}
    body = operation.read(given)
    meant = {name: path_part(value) for name, value in path.items()}

    def act(seed: str | None) -> Kept:
        status, content = operation.perform(
            ports, account_id, meant, body, query, source_address(request), seed, asking
        )
        if status != 201 or operation.location is None or content is None:
            return Kept(status, content, None)
        return Kept(status, content, operation.location(content))

    key = request.headers.get(KEY_HEADER.lower())
    if key is None or not operation.idempotent:
        kept = act(None)
        return _response(kept, {"Set-Cookie": asking.cookie} if asking.cookie else {})
    once = idempotency.Request(
        account_id=account_id,
        key=key,
        fingerprints=fingerprints(ports.token_secret, operation.name, meant, given),
        resumes=operation.resumes,
    )
    kept, replayed = _once(ports, once, act)
    return _response(kept, {REPLAYED_HEADER: "true"} if replayed else {})


def _asker(operation: Operation, ports: Ports, request: Request) -> tuple[str, Browser]:
    """The account id, if one has to ask, and the browser."""
    if not operation.session:
        return "" if operation.open else auth.account_or_session(ports, request), Browser()
    if operation.open:
        browser.refuse_cross_site(request)
        return "", Browser()
    session = auth.session(ports, request)
    return session.key.account_id, Browser(session)


def source_address(request: Request) -> str:
    """Where a request comes from, as API Gateway saw it. Headers say what their sender likes."""
    context = request.context or {}
    return str(context.get("identity", {}).get("sourceIp") or "")


def _query(request: Request) -> dict[str, str]:
    """The query's parameters. Problem 422 for one that is there twice."""
    given = request.query_params
    if given is None:
        return {}
    for name in given:
        if len(given.getlist(name)) > 1:
            raise invalid((name, "is given more than once"))
    return dict(given)


def _once(
    ports: Ports, once: idempotency.Request, act: Callable[[str | None], Kept]
) -> tuple[Kept, bool]:
    """As `idempotency.once`, which is to know what a failure means."""

    def act_or_problem(seed: str) -> Kept:
        try:
            return act(seed)
        except (Problem, TableUnavailable):
            raise
        except Exception as error:
            raise problem_from(error) from error

    def changed_nothing(error: Exception) -> bool:
        status = error.status if isinstance(error, Problem) else 500
        # 503 is how writes end that were given up; what resumes is on the safe side without that.
        return status < 500 or (status == 503 and not once.resumes)

    return idempotency.once(ports, once, act_or_problem, changed_nothing)


def _response(kept: Kept, headers: dict[str, str]) -> Response:
    """What goes out. Answers hold keys and tokens: nobody on the way is to keep them."""
    sent: dict[str, str | list[str]] = {**headers, "Cache-Control": "no-store"}
    if kept.content is None:
        return Response("", sent, kept.status)
    if kept.location is not None:
        # A whole URL: a stage path may stand before ours.
        sent["Location"] = bootstrap.config().public_url + kept.location
    return Response(dict(kept.content), sent, kept.status)
