"""JSON Schema of the tools' arguments and results, made from the models of their operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from chalicelib.handlers.mcp.tool import Tool
from chalicelib.handlers.operation import OPERATIONS

Schema = dict[str, Any]

_SHAPE = frozenset({"type", "description", "required", "items", "anyOf", "format"})

DONE: Schema = {
    "type": "object",
    "properties": {"done": {"type": "boolean", "const": True}},
    "required": ["done"],
}
"""Schema of the result of tools whose operation has no answer."""


def input_schema(tool: Tool) -> Schema:
    """Return the schema of a tool's arguments. Raises KeyError if its operation knows no such
    argument.
    """
    operation = OPERATIONS[tool.operation]
    known: dict[str, Schema] = {name: {"type": "string"} for name in operation.path_names}
    required = set(operation.path_names)
    for model in (operation.body, operation.query):
        schema = _inlined(model)
        known |= schema.get("properties", {})
        required |= set(schema.get("required", ()))
    properties = {
        argument: {
            **_given(known[tool.operations_name(argument)], null=operation.method == "PATCH"),
            "description": description,
        }
        for argument, description in tool.arguments.items()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": [
            name
            for name in properties
            if tool.operations_name(name) in required and name not in tool.defaults({})
        ],
        "additionalProperties": False,
    }


def output_schema(tool: Tool) -> Schema:
    """Return the schema of a tool's answer if it did not fail. It allows further members, so that a
    client with an older schema does not refuse them.
    """
    answer = OPERATIONS[tool.operation].answer
    return DONE if answer is None else _open(_inlined(answer))


def _inlined(model: type[BaseModel]) -> Schema:
    """Return the model's schema without references and titles: not every client follows references,
    and titles only repeat the names.
    """
    schema = model.model_json_schema(mode="validation")
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            named = definitions[node["$ref"].rpartition("/")[2]]
            return resolved({**named, **{k: v for k, v in node.items() if k != "$ref"}})
        return {
            key: {name: resolved(each) for name, each in value.items()}
            if key == "properties"
            else resolved(value)
            for key, value in node.items()
            if not (key == "title" and isinstance(value, str))
        }

    inlined: Schema = resolved(schema)
    inlined.pop("description", None)
    return inlined


def _given(schema: Mapping[str, Any], null: bool) -> Schema:
    """Return the schema of an argument without its default, which its description tells. `null`:
    null has a meaning of its own; otherwise the argument is left out instead.
    """
    described = {key: value for key, value in schema.items() if key != "default"}
    others = [each for each in described.get("anyOf", ()) if each != {"type": "null"}]
    if null or len(others) != 1:
        return described
    return {**{key: value for key, value in described.items() if key != "anyOf"}, **others[0]}


def _open(node: Any) -> Any:
    """Return a schema with members and their types only: what else there may be grows with the
    service.
    """
    if isinstance(node, list):
        return [_open(each) for each in node]
    if not isinstance(node, dict):
        return node
    described = {key: _open(value) for key, value in node.items() if key in _SHAPE}
    if "properties" in node:
        described["properties"] = {name: _open(each) for name, each in node["properties"].items()}
    if "enum" in node:
        described["examples"] = list(node["enum"])
    return described
