"""Tests that every wrong value of every request is answered with what is wanted, in plain words."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

import app  # noqa: F401 - declares the operations
from chalicelib.handlers.operation import OPERATIONS, NoBody, NoQuery

ANY_ID = "+33199005678"
INSIDE = re.compile(
    r"Value error|pattern|\bregex|[\^$]|\\d|\[A-Z|"
    r"(String|Input|Value|Tuple|Field) (should|required)|"
    r"\b(str|int|dict|tuple|NoneType|bool|boolean|float|dictionary|instance|integer|pydantic)\b"
)
"""Words and signs of the validation's own messages."""

BODIES = [op for op in OPERATIONS.values() if op.body is not NoBody and op.body.model_fields]
QUERIES = [op for op in OPERATIONS.values() if op.query is not NoQuery]


def alternatives(schema):
    """The schemas of a field that may be null or something else, without null."""
    every = schema.get("anyOf", [schema])
    return [each for each in every if each.get("type") != "null"], len(every) > 1


def too_far(schema):
    """Values just beyond the bounds that a schema tells."""
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "maximum" in schema:
        yield schema["maximum"] + 1
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1)
    if schema.get("minLength"):
        yield ""
    if "maxItems" in schema:
        yield ["x"] * (schema["maxItems"] + 1)
    if schema.get("minItems"):
        yield []
    if {"pattern", "enum", "const"} & set(schema):
        yield "?\n!"
    if "items" in schema:
        yield from ([each] for each in too_far(schema["items"]))


def wrong(schema, definitions):
    """Wrong values for a field: of other types, and beyond its bounds."""
    each, nullable = alternatives(schema)
    each = [definitions[one["$ref"].split("/")[-1]] if "$ref" in one else one for one in each]
    kinds = {one.get("type") for one in each}
    others = {
        "string": "text", "integer": 5, "boolean": True, "array": [5], "object": {"x": 1},
        "null": None,
    }  # fmt: skip
    if nullable or not schema:
        others.pop("null")
    if "number" in kinds:
        others.pop("integer")
    yield from (value for kind, value in others.items() if kind not in kinds or kind == "array")
    for one in each:
        yield from too_far(one)


def fields(model):
    schema = model.model_json_schema()
    for name, described in schema["properties"].items():
        yield name, list(wrong(described, schema.get("$defs", {})))


def assert_plain(answered, name, operation):
    document = answered.json_body
    assert answered.status_code == 422, (name, document)
    text = " ".join(f"{one['field']}: {one['message']}" for one in document["errors"])
    assert text.replace("; ", " ") == document["detail"].replace("; ", " ")
    assert name in {one["field"].split(".")[0] for one in document["errors"]}, document
    found = INSIDE.search(text)
    assert not found, (found, text)
    for model in (operation.body, operation.query):
        assert model.__name__ not in text
    assert "not possible here" not in text, "every kind of error has a sentence"


@pytest.mark.parametrize("operation", BODIES, ids=lambda operation: operation.name)
def test_a_wrong_value_in_a_body_is_told_what_is_wanted(api, operation):
    path = re.sub(r"{\w+}", quote(ANY_ID), operation.path)
    for name, values in fields(operation.body):
        assert values, name
        for value in values:
            body = {**(operation.example or {}), name: value}
            answered = api.call(operation.method, path, body, **{"X-Chamade-Session": "1"})
            assert_plain(answered, name, operation)


@pytest.mark.parametrize("operation", QUERIES, ids=lambda operation: operation.name)
def test_a_wrong_value_in_a_query_is_told_what_is_wanted(api, operation):
    path = re.sub(r"{\w+}", quote(ANY_ID), operation.path)
    for name, field in operation.query.model_json_schema()["properties"].items():
        each, _ = alternatives(field)
        if each == [{"type": "string"}]:
            continue  # a cursor: the list it is for says what is wrong with it
        for value in ("?!", *too_far(each[0])):
            answered = api.call(operation.method, f"{path}?{name}={quote(str(value))}")
            assert_plain(answered, name, operation)


@pytest.mark.parametrize("operation", BODIES, ids=lambda operation: operation.name)
def test_an_unknown_field_and_no_object_at_all_are_told_so(api, operation):
    path = re.sub(r"{\w+}", quote(ANY_ID), operation.path)
    headers = {"X-Chamade-Session": "1"}
    unknown = api.call(operation.method, path, {"colour": "red"}, **headers)
    assert "colour: there is no such field" in unknown.json_body["detail"]
    listed = api.call(operation.method, path, ["red"], **headers)
    assert "a JSON object is wanted" in listed.json_body["detail"]


@pytest.mark.parametrize(
    ("path", "body", "example"),
    [
        ("/api/trunk/dids", {"e164": "0612"}, "+33612345678"),
        ("/api/trunk/dids", {"e164": "+33199005678", "agent_url": "http://x"}, "wss://agent.example"),
        ("/api/webhooks", {"url": "ftp://x"}, "https://agent.example"),
        ("/api/webhooks", {"url": "https://x.example", "events": ["ring"]}, "call.ringing"),
        ("/api/number", {"country": "de"}, "FR"),
    ],
)  # fmt: skip
def test_a_wrong_format_is_answered_with_an_example(api, path, body, example):
    assert example in api.call("POST", path, body).json_body["detail"]
