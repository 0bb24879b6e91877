"""Tests that the client's operations are those of the API, with their Idempotency-Keys."""

from __future__ import annotations

import inspect
import re

import pytest

import app  # noqa: F401 - declares the operations
from chalicelib.handlers.operation import OPERATIONS
from chamade import operations
from chamade.http.operation import listed, operation
from chamade.http.request import Request

GROUPS = [getattr(operations, name) for name in operations.__all__]
ASKED = [
    pytest.param(member, id=f"{group.__name__}.{name}")
    for group in GROUPS
    for name, member in vars(group).items()
    if isinstance(member, operation | listed)
]
OF_THE_DASHBOARD = {"/api/session", "/api/service", "/api/test-call"}
NOT_FOR_AGENTS = {"/openapi.json", "/api/events"} | OF_THE_DASHBOARD


def asked_by(member: operation | listed) -> Request:
    """Return its request, with the arguments' names as their values."""
    build = member._build
    names = [
        parameter.name
        for parameter in list(inspect.signature(build).parameters.values())[1:]
        if parameter.default is parameter.empty
    ]
    built = member.request(*names)
    return built(None) if isinstance(member, listed) else built


def declared(request: Request):
    for one in OPERATIONS.values():
        pattern = re.sub(r"{\w+}", r"[^/]+", one.path)
        if one.method == request.method and re.fullmatch(pattern, request.path):
            return one
    raise AssertionError(f"the API has no {request.method} {request.path}")


@pytest.mark.parametrize("member", ASKED)
def test_each_operation_of_the_client_exists_in_the_api(member):
    request = asked_by(member)
    theirs = declared(request)
    assert request.creates == theirs.idempotent
    assert request.keyless == theirs.open
    allowed = set(theirs.body.model_fields)
    assert set(request.body or {}) <= allowed
    assert {name for name in request.query if request.query[name] is not None} <= set(
        theirs.query.model_fields
    )


@pytest.mark.parametrize("member", ASKED)
def test_each_option_of_the_client_exists_in_the_api(member):
    """Options that are not required, too: all of them given."""
    parameters = list(inspect.signature(member._build).parameters.values())[1:]
    options = {
        one.name: one.name
        for one in parameters
        if one.kind is one.KEYWORD_ONLY and one.name != "idempotency_key"
    }
    required = [one.name for one in parameters if one.kind is not one.KEYWORD_ONLY]
    built = member.request(*required, **options)
    request = built(None) if isinstance(member, listed) else built
    theirs = declared(request)
    assert set(request.body or {}) <= set(theirs.body.model_fields)
    assert set(request.query) <= set(theirs.query.model_fields)


def test_the_client_covers_every_operation_of_the_api():
    ours = {declared(asked_by(member.values[0])).name for member in ASKED}
    theirs = {
        name
        for name, one in OPERATIONS.items()
        if one.path.startswith("/api/") and one.path not in NOT_FOR_AGENTS
    }
    assert theirs - ours == set()
