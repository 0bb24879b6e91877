"""Tests that the client's operations are those of the API, with their Idempotency-Keys."""

from __future__ import annotations

import inspect
import re
import typing

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


def parameters_of(member: operation | listed) -> list[inspect.Parameter]:
    return list(inspect.signature(member._build).parameters.values())[1:]


def asked_by(member: operation | listed, **options: str) -> Request:
    """Return its request, with the arguments' names as their values."""
    names = [
        parameter.name
        for parameter in parameters_of(member)
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    ]
    built = member.request(*names, **options)
    return built(None) if isinstance(member, listed) else built


def options_of(member: operation | listed) -> set[str]:
    """Return the names of all its options, those that a TypedDict declares included."""
    options = {one.name for one in parameters_of(member) if one.kind is one.KEYWORD_ONLY}
    for one in parameters_of(member):
        if one.kind is one.VAR_KEYWORD:
            (declaring,) = typing.get_args(typing.get_type_hints(member._build)[one.name])
            options |= set(declaring.__annotations__)
    return options


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
    options = {name: name for name in options_of(member) - {"idempotency_key"}}
    required = [one.name for one in parameters_of(member) if one.kind is one.POSITIONAL_OR_KEYWORD]
    built = member.request(*required, **options)
    request = built(None) if isinstance(member, listed) else built
    theirs = declared(request)
    assert set(request.body or {}) <= set(theirs.body.model_fields)
    assert set(request.query) <= set(theirs.query.model_fields)


def test_the_client_covers_every_operation_of_the_api():
    ours = set()
    for each in ASKED:
        (member,) = each.values
        ours.add(declared(asked_by(member)).name)
        # On another trunk than `main`.
        for option in {"name", "trunk"} & options_of(member):
            ours.add(declared(asked_by(member, **{option: "second"})).name)
    theirs = {
        name
        for name, one in OPERATIONS.items()
        if one.path.startswith("/api/") and one.path not in NOT_FOR_AGENTS
    }
    assert theirs - ours == set()
