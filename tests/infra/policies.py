"""Resource policies, evaluated as AWS does: a Deny that matches wins, else an Allow must match.

Only what our policies use: Service and AWS principals, actions and resources with wildcards,
StringEquals, ArnLike and Bool conditions.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from tests.infra.templates import listed

_TESTS = {
    "StringEquals": lambda given, wanted: given == wanted,
    "ArnLike": fnmatch.fnmatchcase,
    "ArnEquals": fnmatch.fnmatchcase,
    "Bool": lambda given, wanted: given == wanted,
}

REGION, ACCOUNT = "eu-west-3", "123456789012"


def resolved(value: Any, names: Mapping[str, str]) -> Any:
    """Return part of a template with its references resolved. `names`: logical id -> ARN."""
    known = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", **names}
    match value:
        case {"Ref": str(name)}:
            return known[name]
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return known[name]
        case {"Fn::Join": [str(between), list(parts)]}:
            return between.join(resolved(part, names) for part in parts)
        case dict():
            return {key: resolved(each, names) for key, each in value.items()}
        case list():
            return [resolved(each, names) for each in value]
    return value


def allows(
    policy: Mapping[str, Any],
    principal: str,
    action: str,
    resource: str,
    **context: str,
) -> bool:
    """Return whether a resolved policy lets `principal` do `action`. Keys of `context` are written
    with `__` for their colon; requests come by TLS unless it says otherwise."""
    keys = {"aws:SecureTransport": "true"}
    keys |= {key.replace("__", ":"): value for key, value in context.items()}
    effects = {
        each["Effect"]
        for each in policy["Statement"]
        if _matches(each, principal, action, resource, keys)
    }
    return effects == {"Allow"}


def _matches(
    statement: Mapping[str, Any],
    principal: str,
    action: str,
    resource: str,
    keys: Mapping[str, str],
) -> bool:
    return (
        _is(statement["Principal"], principal)
        and any(_like(action.lower(), each.lower()) for each in listed(statement["Action"]))
        and any(_like(resource, each) for each in listed(statement["Resource"]))
        and all(
            key in keys and any(_TESTS[test](keys[key], each) for each in listed(wanted))
            for test, conditions in statement.get("Condition", {}).items()
            for key, wanted in conditions.items()
        )
    )  # fmt: skip


def _is(principals: Any, principal: str) -> bool:
    if isinstance(principals, str):
        return principals in ("*", principal)
    named = [each for some in principals.values() for each in listed(some)]
    return "*" in named or principal in named


def _like(text: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern)
