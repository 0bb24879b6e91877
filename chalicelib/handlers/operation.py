"""What the REST API can do, each operation declared once: for HTTP, for MCP, for the description.

    operations = Operations("numbers")

    @operations.post("/api/number", body=Activation, answer=NumberView, problems=("pool_empty",),
                     location=lambda number: f"/api/number/{number['e164']}")
    def activate_number(asked: Asked[Activation, NoQuery]) -> Answer:
        '''Take a routing number from the pool.'''

The function's name is the operation's id, its docstring the description. It is given what was
asked, checked, and answers with JSON of the shape of `answer`, or raises what `problems.py` knows.
`OPERATIONS` has them all, once their modules have been imported. How HTTP asks is in `rest.py`.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from chalice.app import Blueprint
from pydantic import BaseModel

from chalicelib.domain.rate_limit import Limit
from chalicelib.domain.shape import Shape, Strict
from chalicelib.handlers import rest
from chalicelib.services import rate_limits
from chalicelib.services.ports import Ports

__all__ = [
    "OPERATIONS",
    "Answer",
    "Asked",
    "Created",
    "Limit",
    "NoBody",
    "NoQuery",
    "Operation",
    "Operations",
    "perform_json",
]

Body_co = TypeVar("Body_co", bound=BaseModel, covariant=True)
Query_co = TypeVar("Query_co", bound=BaseModel, covariant=True)


class NoBody(Shape):
    """Of operations that read none."""


class NoQuery(Strict):
    """Of operations that know no parameter: any is one too many."""


@dataclass(frozen=True, slots=True)
class Asked(Generic[Body_co, Query_co]):
    """Who asks what of what. `path` are the parts of the path by name, as meant (`+33…`).

    `source` is the address that asks, as the network says, where no account does. `seed` is there
    if the request has an Idempotency-Key: what is made is to have an id that is derived from it.
    `browser` is for operations of the session.
    """

    ports: Ports
    account_id: str
    path: Mapping[str, str]
    body: Body_co
    query: Query_co
    source: str = ""
    seed: str | None = None
    browser: rest.Browser = field(default_factory=rest.Browser)


@dataclass(frozen=True, slots=True)
class Created:
    """The answer of an operation that may create or change: this time it created."""

    content: Mapping[str, Any]


Content = Mapping[str, Any] | None
Answer = Content | Created
Run = Callable[[Asked[Any, Any]], Answer]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method on one path.

    `status` is that of success; `answer` None means 204. `location`: where what was created is; a
    PUT that has one may answer 201. `problems`: codes of `problem_codes.py` beside those that any
    operation of its kind may answer with (`code:status` for another status than usual).
    `example`: a body. `open`: needs no key. `session`: of the dashboard's session, asked by its
    page only: reads the cookie and no key. `limit`: how often it may be done. `idempotent`: heeds
    an `Idempotency-Key`; if it `resumes`, it finds what it made by `Asked.seed`, and can be done
    again after it died half-way.
    """

    group: str
    method: str
    path: str
    run: Run
    body: type[BaseModel] = NoBody
    query: type[BaseModel] = NoQuery
    answer: type[BaseModel] | None = None
    status: int = 200
    location: Callable[[Mapping[str, Any]], str] | None = None
    problems: tuple[str, ...] = ()
    example: Mapping[str, Any] | None = None
    open: bool = False
    session: bool = False
    limit: Limit | None = None
    idempotent: bool = False
    resumes: bool = False

    @property
    def name(self) -> str:
        """The operation's id."""
        return self.run.__name__

    @property
    def description(self) -> str:
        """Its docstring; the first line is the summary."""
        return inspect.getdoc(self.run) or ""

    @property
    def path_names(self) -> list[str]:
        """The names in the path, in order."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def reads_body(self) -> bool:
        """Whether it has a body at all."""
        return self.body is not NoBody

    def read(self, given: Any) -> BaseModel:
        """JSON as a body of it. Strictly as it is described: text is no number, 0 is not false.
        ValidationError.
        """
        self.body.model_validate(given)  # which says where, also of what no JSON text may hold
        return self.body.model_validate_json(json.dumps(given), strict=True)

    def perform(  # noqa: PLR0913, PLR0917 - what is asked is what it is
        self,
        ports: Ports,
        account_id: str,
        path: Mapping[str, str],
        body: BaseModel,
        query: BaseModel,
        source: str = "",
        seed: str | None = None,
        browser: rest.Browser | None = None,
    ) -> tuple[int, Content]:
        """Does it, if it was not done too often; the status and the content of the answer."""
        if self.limit is not None and self.open:
            rate_limits.count_source(ports, source, self.limit)
        elif self.limit is not None:
            rate_limits.count_account(ports, account_id, self.limit)
        asking = browser or rest.Browser()
        answer = self.run(Asked(ports, account_id, path, body, query, source, seed, asking))
        if isinstance(answer, Created):
            return 201, answer.content
        return self.status, answer


OPERATIONS: dict[str, Operation] = {}
"""All operations by name."""


def perform_json(  # noqa: PLR0913, PLR0917 - the parts of a request
    name: str,
    ports: Ports,
    account_id: str,
    path: Mapping[str, str],
    body: Mapping[str, Any],
    query: Mapping[str, Any],
) -> tuple[int, Content]:
    """An operation asked in-process, as HTTP would ask it: status and content. Raises what
    `problems.problem_from` knows, a `ValidationError` of body or query included.
    """
    operation = OPERATIONS[name]
    asked = operation.query.model_validate(dict(query))
    return operation.perform(ports, account_id, path, operation.read(dict(body)), asked)


class Operations:
    """A group of operations, and the blueprint that serves them."""

    def __init__(self, group: str) -> None:
        self.blueprint = Blueprint(f"chalicelib.handlers.{group}")
        self._group = group

    def get(self, path: str, **declared: Any) -> Callable[[Run], Run]:
        """Declares a GET; `declared` are fields of `Operation`."""
        return self._declare("GET", path, declared)

    def post(self, path: str, **declared: Any) -> Callable[[Run], Run]:
        """Declares a POST; one that has a `location` creates: 201."""
        if "location" in declared:
            declared.setdefault("status", 201)
        return self._declare("POST", path, declared)

    def put(self, path: str, **declared: Any) -> Callable[[Run], Run]:
        """Declares a PUT; it answers `Created` when it has created, and then has a `location`."""
        return self._declare("PUT", path, declared)

    def patch(self, path: str, **declared: Any) -> Callable[[Run], Run]:
        """Declares a PATCH."""
        return self._declare("PATCH", path, declared)

    def delete(self, path: str, **declared: Any) -> Callable[[Run], Run]:
        """Declares a DELETE; without `answer`: 204."""
        return self._declare("DELETE", path, declared)

    def _declare(self, method: str, path: str, declared: dict[str, Any]) -> Callable[[Run], Run]:
        if declared.get("answer") is None:
            declared.setdefault("status", 204)

        def decorate(run: Run) -> Run:
            operation = Operation(group=self._group, method=method, path=path, run=run, **declared)
            if operation.name in OPERATIONS:
                raise ValueError(f"two operations are called {operation.name}")
            OPERATIONS[operation.name] = operation
            self.blueprint.route(path, methods=[method], name=operation.name)(self._view(operation))
            return run

        return decorate

    def _view(self, operation: Operation) -> Callable[..., Any]:
        def view(**path: str) -> Any:
            return rest.answer(operation, self.blueprint.current_request, path)

        view.__name__ = operation.name
        # Chalice checks that a view has a parameter for each name in its path.
        view.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
                for name in operation.path_names
            ]
        )
        return view
