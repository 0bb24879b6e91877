"""The description of the REST API, OpenAPI 3.1, made from the operations and their models.

`GET /openapi.json` answers with `document()`; `make openapi` writes the same to docs/openapi.json.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from chalicelib import browser
from chalicelib.domain.idempotency import KEY_PATTERN
from chalicelib.domain.version import VERSION
from chalicelib.handlers.openapi_examples import EXAMPLES
from chalicelib.handlers.openapi_texts import (
    ABOUT,
    IDEMPOTENCY_KEY,
    PATH_PARAMETERS,
    PROBLEM,
    SESSION,
    TAGS,
)
from chalicelib.handlers.operation import OPERATIONS, Operation
from chalicelib.handlers.rest import KEY_HEADER, REPLAYED_HEADER
from chalicelib.problem_codes import CODES, WITH_RETRY_AFTER
from chalicelib.problems import CONTENT_TYPE

SERVER = "https://chamade.example"
"""The API's URL in the committed document."""

_SCHEMAS = "#/components/schemas/"
_DONE = {200: "Done", 201: "Created", 202: "It will be done", 204: "Done"}
_Json = dict[str, Any]


def document(server: str = SERVER) -> _Json:
    """Return the whole description. `server`: the URL before its paths."""
    operations = list(OPERATIONS.values())
    names, schemas = _schemas(operations)
    paths: defaultdict[str, _Json] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = _operation(operation, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Chamade SIP", "version": VERSION, "description": ABOUT},
        "servers": [{"url": server}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "security": [{"apiKey": []}, {"bearer": []}, {"cookieAuth": []}],
        "paths": dict(paths),
        "components": {
            "schemas": {**schemas, "Problem": PROBLEM},
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The same API key.",
                },
                "cookieAuth": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": browser.COOKIE,
                    "description": SESSION,
                },
            },
        },
    }


def problem_codes(operation: Operation) -> dict[int, list[str]]:
    """Return the codes that an operation's problems can have, by status."""
    codes = ["invalid", *operation.problems]
    codes += [] if operation.open else ["bad_key"]
    codes += ["cross_site"] if operation.session or not operation.open else []
    codes += ["bad_json", "too_large", "bad_type"] if operation.reads_body else []
    codes += ["too_many_requests"] if operation.limit else []
    codes += ["too_busy"] if operation.method != "GET" else []
    codes += ["unavailable"]
    if operation.idempotent:
        codes += ["bad_idempotency_key", "idempotency_in_flight", "idempotency_key_reused"]
        codes += [] if operation.resumes else ["idempotency_unknown"]
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for each in codes:
        code, _, status = each.partition(":")
        by_status[int(status) if status else CODES[code][0]].append(code)
    return dict(sorted(by_status.items()))


class _Schema(GenerateJsonSchema):
    """JSON Schema without a title for each member, which would only repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


_Names = Mapping[Any, _Json]
"""References to schemas, by model and mode: of a body, or of an answer."""


def _schemas(operations: Sequence[Operation]) -> tuple[_Names, _Json]:
    """Return references to all models, and the schemas that they lead to."""
    wanted: dict[tuple[type[BaseModel], Any], None] = {}
    for operation in operations:
        if operation.reads_body:
            wanted[operation.body, "validation"] = None
        if operation.answer is not None:
            wanted[operation.answer, "serialization"] = None
    references, found = models_json_schema(
        list(wanted), ref_template=_SCHEMAS + "{model}", schema_generator=_Schema
    )
    schemas = found["$defs"]
    for operation in operations:
        if operation.method == "PATCH":
            # What a change does not name stays as it is, whatever the model's default.
            changes = references[operation.body, "validation"]["$ref"].removeprefix(_SCHEMAS)
            for member in schemas[changes]["properties"].values():
                member.pop("default", None)
    for name, schema in schemas.items():
        schema.pop("title", None)
        if name in EXAMPLES:
            schema["examples"] = [EXAMPLES[name]]
    return references, schemas


def _operation(operation: Operation, names: _Names) -> _Json:
    summary, _, rest = operation.description.partition("\n")
    described: _Json = {
        "operationId": operation.name,
        "tags": [operation.group],
        "summary": summary.rstrip("."),
        "description": _description(operation, rest.strip()),
    }
    parameters = _parameters(operation)
    if parameters:
        described["parameters"] = parameters
    if operation.reads_body:
        described["requestBody"] = _body(operation, names)
    described["responses"] = {
        **{str(status): _success(operation, status, names) for status in _statuses(operation)},
        **{str(status): _problem(codes) for status, codes in problem_codes(operation).items()},
    }
    if operation.open or operation.session:
        described["security"] = [] if operation.open else [{"cookieAuth": []}]
    return described


def _description(operation: Operation, rest: str) -> str:
    parts = [rest]
    limit = operation.limit
    if limit:
        each = "address" if operation.open else "account"
        parts.append(f"Possible {limit.times} times in {limit.per_s} s for each {each}.")
    if operation.idempotent:
        parts.append(f"Heeds `{KEY_HEADER}`.")
    return "\n\n".join(part for part in parts if part)


def _statuses(operation: Operation) -> list[int]:
    may_create = operation.location is not None and operation.status == 200
    return [operation.status, 201] if may_create else [operation.status]


def _parameters(operation: Operation) -> list[_Json]:
    listed: list[_Json] = [
        {"name": name, "in": "path", "required": True, **PATH_PARAMETERS[name]}
        for name in operation.path_names
    ]
    schema = operation.query.model_json_schema(schema_generator=_Schema)
    definitions = schema.get("$defs", {})
    for name, field in schema.get("properties", {}).items():
        plain = _inlined(_optional(field), definitions)
        text = plain.pop("description", "")
        listed.append({"name": name, "in": "query", "description": text, "schema": plain})
    if operation.session:
        listed.append(
            {
                "name": browser.HEADER,
                "in": "header",
                "required": True,
                "description": "A header that no page of another site can send.",
                "schema": {"type": "string", "const": "1"},
            }
        )
    if operation.idempotent:
        listed.append(
            {
                "name": KEY_HEADER,
                "in": "header",
                "description": IDEMPOTENCY_KEY,
                "schema": {"type": "string", "pattern": KEY_PATTERN},
                "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
            }
        )
    return listed


def _optional(field: _Json) -> _Json:
    """Return the schema of a query parameter: one that may be null is one that may be left out,
    since a URL has no null.
    """
    kinds = field.get("anyOf")
    if kinds is None:
        return dict(field)
    [kind] = [kind for kind in kinds if kind != {"type": "null"}]
    return {
        **{key: value for key, value in field.items() if key not in ("anyOf", "default")},
        **kind,
    }


def _inlined(field: _Json, definitions: _Json) -> _Json:
    reference = field.pop("$ref", None)
    if reference is None:
        return field
    target = definitions[reference.rpartition("/")[2]]
    return {"type": target["type"], "enum": target["enum"], **field}


def _body(operation: Operation, names: _Names) -> _Json:
    content: _Json = {"schema": names[operation.body, "validation"]}
    if operation.example is not None:
        content["example"] = dict(operation.example)
    # A missing body counts as {}, which is valid if no member is required.
    required = any(field.is_required() for field in operation.body.model_fields.values())
    return {"required": required, "content": {"application/json": content}}


def _success(operation: Operation, status: int, names: _Names) -> _Json:
    described: _Json = {"description": _DONE[status]}
    headers: _Json = {}
    if status == 201 and operation.location is not None:
        headers["Location"] = {"description": "Where it is", "schema": {"type": "string"}}
    if operation.session and operation.open:
        headers["Set-Cookie"] = {
            "description": "The session's cookie, or one that clears it",
            "schema": {"type": "string"},
        }
    if operation.idempotent:
        headers[REPLAYED_HEADER] = {
            "description": f"Present if the {KEY_HEADER} was used before: the first answer.",
            "schema": {"type": "string", "const": "true"},
        }
    if headers:
        described["headers"] = headers
    if operation.answer is not None:
        schema = names[operation.answer, "serialization"]
        described["content"] = {"application/json": {"schema": schema}}
        links = _links(operation)
        if links:
            described["links"] = links
    return described


def _links(operation: Operation) -> _Json:
    """Return links to the operations on the thing that an answer names."""
    assert operation.answer is not None  # noqa: S101 - asked for answers only
    others = [
        other
        for other in OPERATIONS.values()
        if other.group == operation.group and other is not operation and other.path_names
    ]
    members = set(operation.answer.model_fields)
    return {
        other.name: {
            "operationId": other.name,
            "parameters": {name: f"$response.body#/{name}" for name in other.path_names},
        }
        for other in others
        if members.issuperset(other.path_names)
    }


def _problem(codes: list[str]) -> _Json:
    titles = [f"`{code}`: {CODES[code][1]}." for code in codes]
    described: _Json = {
        "description": "\n".join(f"- {title}" for title in titles),
        "content": {
            CONTENT_TYPE: {
                "schema": {
                    "$ref": f"{_SCHEMAS}Problem",
                    "properties": {"code": {"enum": codes}},
                }
            }
        },
    }
    if not WITH_RETRY_AFTER.isdisjoint(codes):
        described["headers"] = {
            "Retry-After": {"description": "Seconds", "schema": {"type": "string"}}
        }
    return described
