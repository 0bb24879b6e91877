"""What the REST API can do, each operation declared once: for HTTP, for MCP, for the description.

    operations = Operations("numbers")

    @operations.post("/api/number", body=Activation, answer=NumberView, problems=("pool_empty",),
                     location=lambda number: f"/api/number/{number['e164']}")
    def activate_number(asked: Asked[Activation, NoQuery]) -> Answer:
        '''Take a routing number from the pool.'''

The function's name is the operation's id, its docstring the description. It is given what was
asked, checked, and answers with JSON of the shape of `answer`, or raises what `problems.py` knows.
`OPERATIONS` has them all, once their modules have been imported.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chalice.app import Blueprint, Response
from pydantic import BaseModel, ConfigDict

from chalicelib import bootstrap
from chalicelib.auth import account
from chalicelib.http import created, json_body, no_content, path_part
from chalicelib.services.ports import Ports

Body_co = TypeVar("Body_co", bound=BaseModel, covariant=True)
Query_co = TypeVar("Query_co", bound=BaseModel, covariant=True)


class NoBody(BaseModel):
    """Of operations that read none."""


class NoQuery(BaseModel):
    """Of operations that read none."""

    model_config = ConfigDict(extra="ignore")


@dataclass(frozen=True, slots=True)
class Asked(Generic[Body_co, Query_co]):
    """Who asks what of what. `path` are the parts of the path by name, as meant (`+33…`)."""

    ports: Ports
    account_id: str
    path: Mapping[str, str]
    body: Body_co
    query: Query_co


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

    `status` is that of success; `answer` None means 204. `location`: where what was created is.
    `problems`: codes of `problems.py` beside those that every operation may answer with.
    `open`: needs no key. `idempotent`: heeds an `Idempotency-Key`.
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
    open: bool = False
    idempotent: bool = False

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

    def perform(
        self,
        ports: Ports,
        account_id: str,
        path: Mapping[str, str],
        body: BaseModel,
        query: BaseModel,
    ) -> tuple[int, Content]:
        """Does it; the status and the content of the answer."""
        answer = self.run(Asked(ports, account_id, path, body, query))
        if isinstance(answer, Created):
            return 201, answer.content
        return self.status, answer


OPERATIONS: dict[str, Operation] = {}
"""All operations by name."""


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
        """Declares a PUT; it answers `Created` when it has created."""
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
            return _answer(operation, self.blueprint.current_request, path)

        view.__name__ = operation.name
        # Chalice checks that a view has a parameter for each name in its path.
        view.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
                for name in operation.path_names
            ]
        )
        return view


def _answer(operation: Operation, request: Any, path: dict[str, str]) -> Response:
    """One HTTP request."""
    ports = bootstrap.ports()
    account_id = "" if operation.open else account(ports, request)
    query = operation.query.model_validate(dict(request.query_params or {}))
    body = json_body(request, operation.body) if operation.body is not NoBody else NoBody()
    meant = {name: path_part(value) for name, value in path.items()}
    status, content = operation.perform(ports, account_id, meant, body, query)
    if content is None:
        return no_content()
    if status == 201:
        where = operation.location(content) if operation.location else operation.path
        return created(dict(content), where)
    return Response(dict(content), {}, status)
