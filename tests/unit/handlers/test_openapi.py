"""Tests of the description of the API: it is true, complete, valid, and committed."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi import definitions

import app
from chalicelib.domain.version import VERSION
from chalicelib.handlers import docs_page, openapi
from chalicelib.handlers.operation import OPERATIONS
from tests.support.engine import ROOT
from tests.support.http import PUBLIC_URL


@pytest.fixture(scope="module")
def document():
    return openapi.document()


def described(document):
    """Each operation of the document: path, method, description."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def everything(value):
    """Every dict within a JSON value."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from everything(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from everything(inner)


def resolved(document, reference):
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_the_committed_description_matches_the_code(document):
    committed = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert committed == document, "make openapi"


def test_the_description_is_valid_openapi_3_1(document):
    errors = list(definitions.OPENAPI_31_VALIDATOR.iter_errors(document))
    assert not errors, errors[0]


def test_every_schema_is_valid_and_its_examples_match(document):
    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        whole = {**schema, "components": document["components"]}
        for example in schema.get("examples", ()):
            problems = list(Draft202012Validator(whole).iter_errors(example))
            assert not problems, (name, problems[0].message)
    for _, _, operation in described(document):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        if body:
            assert "example" in body, operation["operationId"]
            whole = {**body["schema"], "components": document["components"]}
            assert not list(Draft202012Validator(whole).iter_errors(body["example"]))


def test_only_what_may_be_left_out_of_a_body_has_a_default(document):
    """Neither has a member that an answer lacks, nor what a change does not name."""
    made = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for _, method, operation in described(document)
        if method in {"post", "put"}
        if "requestBody" in operation
    }
    schemas = document["components"]["schemas"]
    having = {
        f"#/components/schemas/{name}"
        for name, schema in schemas.items()
        if any("default" in member for member in schema.get("properties", {}).values())
    }
    assert having
    assert having <= made
    assert schemas["Call"]["properties"]["agent_detail"]["type"] == "string", "it is never null"
    assert "agent_detail" not in schemas["Call"]["required"]


def test_every_reference_resolves_and_every_schema_is_used(document):
    references = {each["$ref"] for each in everything(document) if "$ref" in each}
    for reference in references:
        assert resolved(document, reference), reference
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references == schemas


def test_schemas_have_the_names_of_their_models(document):
    names = set(document["components"]["schemas"])
    assert {name for name in names if "__" in name or "-" in name} == set()


def test_every_route_with_a_key_is_described_and_nothing_else_is(document):
    ours = {
        (route.uri_pattern, route.method.lower())
        for methods in app.app.routes.values()
        for route in methods.values()
        if route.uri_pattern.startswith("/api")
    }
    assert {(path, method) for path, method, _ in described(document)} == ours
    assert len(ours) == len(OPERATIONS)


def test_every_operation_has_a_summary_and_its_problems(document):
    for path, _, operation in described(document):
        name = operation["operationId"]
        assert 10 <= len(operation["summary"]) <= 100, name
        assert operation["tags"][0] in openapi.TAGS, name
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (name, parameter)
        statuses = set(operation["responses"])
        assert {"422"} < statuses, name
        keyless = operation.get("security") == [] and name != "sign_in"  # whose body has the key
        assert ("401" in statuses) != keyless, name
        creates = "201" in statuses and "200" in statuses  # a PUT, under any name
        assert ("{" in path and not creates) <= ("404" in statuses), name
        for status, answer in operation["responses"].items():
            kinds = set(answer.get("content", ()))
            expected = {
                "2": {"application/json"} if status != "204" else set(),
                "4": {"application/problem+json"},
                "5": {"application/problem+json"},
            }
            assert kinds == expected[status[0]], (name, status)


def test_every_member_of_a_body_is_described(document):
    for _, _, operation in described(document):
        body = operation.get("requestBody")
        if body is None:
            continue
        schema = resolved(document, body["content"]["application/json"]["schema"]["$ref"])
        assert schema["additionalProperties"] is False
        for name, field in schema["properties"].items():
            assert field.get("description"), (operation["operationId"], name)


def test_links_lead_from_answers_to_existing_operations(document):
    by_name = {operation["operationId"]: operation for _, _, operation in described(document)}
    links = by_name["dial_call"]["responses"]["201"]["links"]
    assert links["leave_call"]["parameters"] == {"call_id": "$response.body#/call_id"}
    for operation in by_name.values():
        for answer in operation["responses"].values():
            for link in answer.get("links", {}).values():
                wanted = {
                    each["name"]
                    for each in by_name[link["operationId"]]["parameters"]
                    if each["in"] == "path"
                }
                assert set(link["parameters"]) == wanted


def test_limits_and_idempotency_keys_are_described(document):
    by_name = {operation["operationId"]: operation for _, _, operation in described(document)}
    key = by_name["create_key"]
    assert "Retry-After" in key["responses"]["429"]["headers"]
    assert "20 times in 3600 s" in key["description"]
    assert "Idempotency-Key" in {each["name"] for each in key["parameters"]}
    assert "Idempotency-Replayed" in key["responses"]["201"]["headers"]
    codes = key["responses"]["409"]["content"]["application/problem+json"]["schema"]["properties"]
    assert "idempotency_in_flight" in codes["code"]["enum"]
    assert by_name["create_account"]["security"] == []


def test_the_description_is_served_with_the_installations_url(api, document):
    served = api.call("GET", "/openapi.json", key="")
    assert served.status_code == 200
    assert served.json_body == {**document, "servers": [{"url": PUBLIC_URL}]}


def test_the_page_shows_every_operation_and_loads_nothing_else(api, document):
    served = api.call("GET", "/docs", key="")
    page = served.body.decode()
    assert served.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = served.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    for path, method, operation in described(document):
        assert f"<code>{method.upper()} {path}</code>" in page
        assert f"id='{operation['operationId']}'" in page
    assert not re.search(r"<script|<link|<img|src=|@import|url\(|style=", page)


def test_texts_on_the_page_are_escaped(document):
    hostile = json.loads(json.dumps(document).replace("Hang up", "<b>Hang & up</b>"))
    page = docs_page.page(hostile)
    assert "&lt;b&gt;Hang &amp; up&lt;/b&gt;" in page
    assert "<b>" not in page


def test_every_problem_code_is_documented():
    written = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    codes = {
        code
        for operation in OPERATIONS.values()
        for each in openapi.problem_codes(operation).values()
        for code in each
    }
    assert {code for code in codes if f"`{code}`" not in written} == set()


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
