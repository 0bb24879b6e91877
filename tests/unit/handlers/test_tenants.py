"""Tests that no account reaches another's resources, made from the list of operations: a new one is
in it.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

import app
from chalicelib.handlers.mcp.perform import perform
from chalicelib.handlers.mcp.tools import TOOLS
from chalicelib.handlers.operation import OPERATIONS
from chalicelib.services.account import accounts
from tests.support.engine import everything_in
from tests.support.tenants import (
    NOWHERE,
    body_of,
    cursor_of,
    nothing_there,
    paged,
    settle_in,
    with_keys,
    with_paths,
)

assert app.app  # whose modules declare the operations

_dids = (f"+3319900{last:04d}" for last in itertools.count(1000))


def names(operations):
    return [operation.name for operation in operations]


@pytest.fixture
def table(empty_table):
    """Of the test's own: all of it is compared before and after."""
    return empty_table


@pytest.fixture
def owner(api):
    return settle_in(api, next(_dids))


@pytest.fixture
def stranger(api):
    """Make another account that has one of everything."""
    return settle_in(api, next(_dids))


def table_but_for(world, account_id: str) -> list[dict[str, Any]]:
    """All items, but for how often the account has done what it may do so many times."""
    return sorted(
        (
            item
            for item in everything_in(world.table)
            if not (item["pk"] == f"ACCOUNT#{account_id}" and item["sk"].startswith("RATE#"))
        ),
        key=lambda item: (item["pk"], item["sk"]),
    )


def send(api, operation, url, key):
    return api.call(operation.method, url, body_of(operation), key=key)


def without(text, *ids):
    """A problem as it would read for anything else."""
    for each in ids:
        text = text.replace(each, "…")
    return json.loads(text)


@pytest.mark.parametrize("name", names(with_paths()))
def test_another_accounts_resource_is_answered_like_an_unknown_one(
    api, world, owner, stranger, name
):
    operation = OPERATIONS[name]
    theirs, nowhere = owner.url_of(operation), nothing_there(operation)
    before = table_but_for(world, stranger.account_id)
    refused = send(api, operation, theirs, stranger.key)
    unknown = send(api, operation, nowhere, stranger.key)
    assert refused.status_code == unknown.status_code == 404
    assert without(refused.body.decode(), *owner.things.values()) == without(
        unknown.body.decode(), *nowhere.split("/")[3:]
    )
    assert set(refused.headers) == set(unknown.headers)
    assert table_but_for(world, stranger.account_id) == before


@pytest.mark.parametrize("name", names(with_paths()))
def test_the_owner_can_reach_the_resource(api, owner, name):
    """Or the test above would show nothing."""
    operation = OPERATIONS[name]
    assert send(api, operation, owner.url_of(operation), owner.key).status_code != 404


@pytest.mark.parametrize(
    "name",
    [each.name for each in with_paths() if len(each.path_names) > 1],
)
def test_an_own_resource_does_not_lead_to_another_accounts_inner_resource(
    api, world, owner, stranger, name
):
    operation = OPERATIONS[name]
    mine, theirs = stranger.path_of(operation), owner.path_of(operation)
    inner = operation.path_names[-1]
    before = table_but_for(world, stranger.account_id)
    for path in ({**mine, inner: theirs[inner]}, {**theirs, inner: mine[inner]}):
        answer = send(api, operation, operation.path.format(**path), stranger.key)
        assert answer.status_code == 404
    assert table_but_for(world, stranger.account_id) == before


OF_THE_INSTALLATION = {"list_voices"}
"""Lists that are the same for all accounts, and show nothing of any."""


@pytest.mark.parametrize(
    "name",
    [
        each.name
        for each in with_keys()
        if each.method == "GET" and each.name not in OF_THE_INSTALLATION
    ],
)
def test_lists_show_only_the_accounts_own_resources(api, owner, stranger, name):
    operation = OPERATIONS[name]
    mine = send(api, operation, stranger.url_of(operation), stranger.key)
    assert mine.status_code == 200
    for secret in owner.secrets:
        assert secret not in mine.body.decode()
    theirs = send(api, operation, owner.url_of(operation), owner.key)
    assert theirs.body != mine.body


@pytest.mark.parametrize("name", names(paged()))
def test_another_accounts_cursor_is_refused(api, owner, stranger, name):
    operation = OPERATIONS[name]
    limit = "?limit=1" if "limit" in operation.query.model_fields else ""
    page = api.call("GET", owner.url_of(operation) + limit, key=owner.key).json_body
    cursor = page.get("next_cursor") or page.get("cursor")
    assert cursor, f"{name}: make more than a page of it in tests/support/tenants.py"
    query = f"?{cursor_of(operation)}={cursor}"
    assert api.call("GET", owner.url_of(operation) + query, key=owner.key).status_code == 200
    refused = api.call("GET", stranger.url_of(operation) + query, key=stranger.key)
    assert (refused.status_code, refused.json_body["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize("name", names(paged()))
def test_a_cursor_of_another_list_is_refused(api, owner, name):
    operation = OPERATIONS[name]
    for other in paged():
        if other is operation:
            continue
        limit = "?limit=1" if "limit" in other.query.model_fields else ""
        page = api.call("GET", owner.url_of(other) + limit, key=owner.key).json_body
        cursor = page.get("next_cursor") or page.get("cursor")
        url = f"{owner.url_of(operation)}?{cursor_of(operation)}={cursor}"
        assert api.call("GET", url, key=owner.key).status_code == 400


@pytest.mark.parametrize("name", names(with_keys()))
def test_every_operation_refuses_a_wrong_key(api, world, owner, name):
    operation = OPERATIONS[name]
    world.clock.advance(0.001)
    key, revoked = accounts.create_key(world.deps, owner.account_id, "revoked")
    accounts.revoke_key(world.deps, owner.account_id, key.key_id)
    before = everything_in(world.table)
    bodies = set()
    for wrong in ("", "nonsense", "chmd_live_" + "0" * 49, owner.key[:-1] + "_", revoked):
        answer = send(api, operation, owner.url_of(operation), wrong)
        assert (answer.status_code, answer.json_body["code"]) == (401, "bad_key")
        bodies.add(answer.body if wrong else b"")
    # A key that was and one that never was look the same.
    assert len(bodies) == 2
    assert everything_in(world.table) == before


def without_names(text: str, given: dict[str, Any]) -> str:
    """Return the text without the name of the trunk, which is the asker's own word."""
    return text.replace(given.get("name", "…"), "…")


ON_ONE_THING = [tool for tool in TOOLS.values() if OPERATIONS[tool.operation].path_names]


@pytest.mark.parametrize("tool", ON_ONE_THING, ids=lambda tool: tool.name)
def test_tools_refuse_another_accounts_resources_as_rest_does(world, owner, stranger, tool):
    operation = OPERATIONS[tool.operation]
    example = {**(operation.example or {}), **owner.path_of(operation)}
    given = {
        name: example[tool.operations_name(name)]
        for name in tool.arguments
        if tool.operations_name(name) in example
    }
    nowhere = {
        name: NOWHERE.get(tool.operations_name(name), value) for name, value in given.items()
    }
    before = table_but_for(world, stranger.account_id)
    refused, unknown = (
        perform(tool, arguments, world.deps, stranger.account_id) for arguments in (given, nowhere)
    )
    assert (refused.failed, unknown.failed) == (True, True)
    assert _nowhere(refused.content)
    assert without_names(refused.text, given) == without_names(unknown.text, nowhere)
    assert table_but_for(world, stranger.account_id) == before
    mine = perform(tool, given, world.deps, owner.account_id)
    assert not mine.failed or not _nowhere(mine.content)


def _nowhere(content: dict[str, Any]) -> bool:
    return content["code"].endswith("_not_found") or content["code"] == "no_trunk"
