"""Operations of the REST API, each declared once, for HTTP, MCP and the description.

    operations = Operations("numbers")

    @operations.post("/api/number", body=Activation, answer=NumberView, problems=("pool_empty",),
                     location=lambda number, _: f"/api/number/{number['e164']}")
    def activate_number(request: Request[Activation, NoQuery]) -> Answer:
        '''Take a routing number from the pool.'''

The function's name is the operation's id, its docstring the description. It is given the checked
request, and answers with JSON of the model `answer`, or raises an error that `problems.py` knows.
`OPERATIONS` has them all, once their modules have been imported. `rest.py` serves them over HTTP.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from chalicelib.browser import Browser
from chalicelib.domain.model import Model, Strict
from chalicelib.domain.rate_limit import Limit
from chalicelib.http import MAX_BODY
from chalicelib.services import rate_limits
from chalicelib.services.dependencies import Dependencies

__all__ = [
    "OPERATIONS",
    "Answer",
    "Created",
    "Limit",
    "NoBody",
    "NoQuery",
    "Operation",
    "Operations",
    "Request",
    "perform_json",
]

Body_co = TypeVar("Body_co", bound=BaseModel, covariant=True)
Query_co = TypeVar("Query_co", bound=BaseModel, covariant=True)


class NoBody(Model):
    """The body of operations that read none."""


class NoQuery(Strict):
    """The query of operations without parameters: any parameter is an error."""


@dataclass(frozen=True, slots=True)
class Request(Generic[Body_co, Query_co]):
    """A validated request to an operation. `path`: the parts of the path by name, decoded
    (`+33…`).

    `source` is the sender's address, as the network has it, for requests without an account. `seed`
    is set if the request has an Idempotency-Key: ids of what it makes are derived from it.
    `browser` is for operations of the session. `text_only`: who asks has no audio of its own, such
    as a model with its tools.
    """

    deps: Dependencies
    account_id: str
    path: Mapping[str, str]
    body: Body_co
    query: Query_co
    source: str = ""
    seed: str | None = None
    browser: Browser = field(default_factory=Browser)
    text_only: bool = False


@dataclass(frozen=True, slots=True)
class Created:
    """The answer of an operation that may create or change, when it has created."""

    content: Mapping[str, Any]


Content = Mapping[str, Any] | None
Answer = Content | Created
Run = Callable[[Request[Any, Any]], Answer]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method on one path.

    `status` is that of success; `answer` None means 204. `location`: the path of what was created,
    from the answer and the parts of the request's path; a PUT that has one may answer 201.
    `problems`: codes of `problem_codes.py` beside those that any operation of its kind may answer
    with (`code:status` for another status than usual). `example`: a body. `open`: needs no key.
    `session`: only for the dashboard's page; reads its cookie and no key. `limit`: how often it may
    be done. `idempotent`: supports an `Idempotency-Key`; if it `resumes`, it finds by
    `Request.seed` what it made, and can be done again after it died half-way. `keeps`: what of the
    answer is kept for a repetition, if not all of it. `max_body`: bytes that its body may have.
    """

    group: str
    method: str
    path: str
    run: Run
    body: type[BaseModel] = NoBody
    query: type[BaseModel] = NoQuery
    answer: type[BaseModel] | None = None
    status: int = 200
    location: Callable[[Mapping[str, Any], Mapping[str, str]], str] | None = None
    problems: tuple[str, ...] = ()
    example: Mapping[str, Any] | None = None
    open: bool = False
    session: bool = False
    limit: Limit | None = None
    idempotent: bool = False
    resumes: bool = False
    keeps: Callable[[Content], Content] = lambda content: content
    max_body: int = MAX_BODY

    @property
    def name(self) -> str:
        """Return the operation's id."""
        return self.run.__name__

    @property
    def description(self) -> str:
        """Return the docstring of its function; the first line is the summary."""
        return inspect.getdoc(self.run) or ""

    @property
    def path_names(self) -> list[str]:
        """Return the names in the path, in order."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def reads_body(self) -> bool:
        """Return whether the operation reads a body at all."""
        return self.body is not NoBody

    def read(self, given: Any) -> BaseModel:
        """Read JSON as the operation's body, strictly as it is described: text is no number, 0 is
        not false. Raises ValidationError.
        """
        self.body.model_validate(
            given
        )  # its errors name the member, also for values that JSON text cannot hold
        return self.body.model_validate_json(json.dumps(given), strict=True)

    def perform(  # noqa: PLR0913, PLR0917 - the parts of a request
        self,
        deps: Dependencies,
        account_id: str,
        path: Mapping[str, str],
        body: BaseModel,
        query: BaseModel,
        source: str = "",
        seed: str | None = None,
        browser: Browser | None = None,
        text_only: bool = False,
    ) -> tuple[int, Content]:
        """Run the operation, unless it was done too often; return the status and the content of the
        answer.
        """
        if self.limit is not None and self.open:
            rate_limits.count_source(deps, source, self.limit)
        elif self.limit is not None:
            rate_limits.count_account(deps, account_id, self.limit)
        asking = browser or Browser()
        answer = self.run(
            Request(deps, account_id, path, body, query, source, seed, asking, text_only)
        )
        if isinstance(answer, Created):
            return 201, answer.content
        return self.status, answer


OPERATIONS: dict[str, Operation] = {}
"""All operations by name."""


def perform_json(  # noqa: PLR0913, PLR0917 - the parts of a request
    name: str,
    deps: Dependencies,
    account_id: str,
    path: Mapping[str, str],
    body: Mapping[str, Any],
    query: Mapping[str, Any],
) -> tuple[int, Content]:
    """Run an operation in this process, as HTTP would, for who has text only; return status and
    content. Raises what `problems.problem_from` knows, a `ValidationError` of body or query
    included.
    """
    operation = OPERATIONS[name]
    request = operation.query.model_validate(dict(query))
    given = operation.read(dict(body))
    return operation.perform(deps, account_id, path, given, request, text_only=True)


class Operations:
    """A group of operations, in the order in which they are declared."""

    def __init__(self, group: str) -> None:
        self.group = group
        self._declared: list[Operation] = []

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._declared)

    def get(self, path: str, **declared: Any) -> Callable[[Run], Run]:
        """Declare a GET; `declared` are fields of `Operation`."""
        return self._declare("GET", path, declared)

    def post(self, path: str, **declared: Any) -> Callable[[Run], Run]:
        """Declare a POST; one that has a `location` creates: 201."""
        if "location" in declared:
            declared.setdefault("status", 201)
        return self._declare("POST", path, declared)

    def put(self, path: str, **declared: Any) -> Callable[[Run], Run]:
        """Declare a PUT; it answers `Created` when it has created, and then has a `location`."""
        return self._declare("PUT", path, declared)

    def patch(self, path: str, **declared: Any) -> Callable[[Run], Run]:
        """Declare a PATCH."""
        return self._declare("PATCH", path, declared)

    def delete(self, path: str, **declared: Any) -> Callable[[Run], Run]:
        """Declare a DELETE; without `answer`: 204."""
        return self._declare("DELETE", path, declared)

    def _declare(self, method: str, path: str, declared: dict[str, Any]) -> Callable[[Run], Run]:
        if declared.get("answer") is None:
            declared.setdefault("status", 204)

        def decorate(run: Run) -> Run:
            operation = Operation(group=self.group, method=method, path=path, run=run, **declared)
            if operation.name in OPERATIONS:
                raise ValueError(f"two operations are called {operation.name}")
            OPERATIONS[operation.name] = operation
            self._declared.append(operation)
            return run

        return decorate
