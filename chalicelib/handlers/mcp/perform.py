"""Run a tool by its operation, and describe the result so that a model can go on."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.handlers.mcp.remedies import remedy
from chalicelib.handlers.mcp.tool import Tool
from chalicelib.handlers.operation import OPERATIONS, Operation, perform_json
from chalicelib.problems import Problem, invalid, problem_from
from chalicelib.services.dependencies import Dependencies

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The answer of a tool: `content` for programs, `text` the same for models."""

    content: dict[str, Any]
    text: str
    failed: bool = False


def perform(
    tool: Tool, arguments: Mapping[str, Any], deps: Dependencies, account_id: str
) -> Outcome:
    """Run a tool for the account. Never raises."""
    try:
        content = _run_operation(tool, arguments, deps, account_id)
    except Exception as error:
        problem = problem_from(error)
        log.info("tool failed", extra={"tool": tool.name, "code": problem.code})
        return failure(tool, problem)
    log.info("tool called", extra={"tool": tool.name})
    return Outcome(content, json.dumps(content, ensure_ascii=False, separators=(",", ":")))


def failure(tool: Tool, problem: Problem) -> Outcome:
    """Return a failure of a tool for a problem: code, detail, the remedy in terms of the tools, and
    what else the problem holds, such as the `call` as it is now.
    """
    content = problem.document()
    for of_http in ("type", "status", "detail"):
        content.pop(of_http, None)
    if problem.detail:  # without the remedy, which is a request of the REST API
        content["detail"] = problem.detail
    if "errors" in content:
        renamed = invalid(*((_argument(tool, e["field"]), e["message"]) for e in content["errors"]))
        content |= {"detail": renamed.detail, **renamed.extra}
    wait = problem.headers.get("Retry-After")
    if wait is not None:
        content["retry_after_s"] = int(wait)
    content["remedy"] = remedy(tool, problem.code, wait)
    return Outcome(content, _as_text(content), failed=True)


def _run_operation(
    tool: Tool, arguments: Mapping[str, Any], deps: Dependencies, account_id: str
) -> dict[str, Any]:
    operation = OPERATIONS[tool.operation]
    _check_known(tool, arguments)
    given = {
        tool.operations_name(name): value
        for name, value in {**tool.defaults(arguments), **arguments, **tool.fixed}.items()
    }
    path = {name: _path_part(given.pop(name, None), name) for name in operation.path_names}
    body, query = _split(operation, given)
    _, content = perform_json(operation.name, deps, account_id, path, body, query)
    return {"done": True} if content is None else dict(content)


def _check_known(tool: Tool, arguments: Mapping[str, Any]) -> None:
    unknown = [name for name in arguments if name not in tool.arguments]
    if unknown:
        known = ", ".join(tool.arguments) or "none"
        raise invalid(*((name, f"no such argument; there are: {known}") for name in unknown))


def _path_part(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise invalid((name, "a text is required"))
    return value


def _split(operation: Operation, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split arguments into those of the body and those of the query."""
    query = {name: value for name, value in given.items() if name in operation.query.model_fields}
    return {name: value for name, value in given.items() if name not in query}, query


def _argument(tool: Tool, field: str) -> str:
    """Return the tool's name of an argument that an operation complains about."""
    first, dot, rest = field.partition(".")
    renamed = {theirs: ours for ours, theirs in tool.renamed.items()}
    return renamed.get(first, first) + dot + rest


def _as_text(content: Mapping[str, Any]) -> str:
    """Return a failure as a few lines of text, with the call as it is now."""
    lines = [f"{content['code']}: {content.get('detail') or content['title']}"]
    call = content.get("call")
    if call:
        reason = f" ({call['end_reason']})" if call.get("end_reason") else ""
        lines.append(f"The call is now: {call['state']}{reason}, since {call['updated_at']}.")
    return "\n".join([*lines, f"What to do: {content['remedy']}"])
