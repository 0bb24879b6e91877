"""Tests that remedies are given in the words of the interface: REST or MCP."""

from __future__ import annotations

import ast
import re

import pytest

from chalicelib.domain.dial_rules import NotDialled
from chalicelib.handlers.mcp import remedies
from chalicelib.handlers.mcp.perform import failure
from chalicelib.handlers.mcp.tools import TOOLS
from chalicelib.problem_codes import CODES
from chalicelib.problem_texts import DETAILS, REMEDIES
from chalicelib.problems import problem_from
from chalicelib.services.line.trunks import NoTrunk, NumberTaken
from tests.support.engine import ROOT

JOIN = TOOLS["chamade_call_join"]
REQUEST = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) /|/api/")
INNER = ("domain", "services", "store")


def texts(path):
    """The string constants of a module, but for its docstrings."""
    tree = ast.parse(path.read_text())
    docstrings = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in docstrings:
            yield text


@pytest.mark.parametrize("layer", INNER)
def test_no_domain_rule_names_a_rest_request(layer):
    found = [
        (path.name, text)
        for path in sorted((ROOT / "chalicelib" / layer).rglob("*.py"))
        for text in texts(path)
        if REQUEST.search(text)
    ]
    assert found == []


def test_problem_details_name_no_rest_request():
    assert not [
        code for code, text in DETAILS.items() if isinstance(text, str) and REQUEST.search(text)
    ]
    assert set(REMEDIES) | set(DETAILS) <= set(CODES)


@pytest.mark.parametrize(
    "error",
    [
        NoTrunk("acc_1"),
        NumberTaken("+33187654321", elsewhere=False),
        NotDialled("country_not_allowed", "+33187654321 is in FR."),
        NotDialled("no_caller_id", "Set the trunk's caller_id."),
    ],
    ids=lambda error: error.code,
)
def test_rest_remedies_name_a_request_and_mcp_remedies_a_tool(error):
    problem = problem_from(error)
    assert "/api/" in problem.document()["detail"]
    shown = failure(JOIN, problem)
    assert not REQUEST.search(shown.content.get("detail", ""))
    assert shown.content["remedy"] == remedies.remedy(JOIN, error.code, None)
