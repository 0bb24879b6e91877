"""Tests that run the published conformance suite against a running stack, for both versions of the
protocol.

The suite is made for a server with a hundred fixtures. What is applicable has to pass as a whole;
of the rest every failure has to be one of not having what this server does not offer.
"""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.mcp import conformance
from tests.mcp.key_proxy import key_proxy
from tests.support.running import stack_up

APPLICABLE = {
    "2025-11-25": {
        "server-initialize", "ping", "tools-list", "dns-rebinding-protection",
    },
    "2026-07-28": {
        "tools-list", "dns-rebinding-protection", "http-header-validation",
        "server-sse-multiple-streams", "input-required-result-unsupported-methods",
        "input-required-result-validate-input",
    },
}  # fmt: skip
"""Scenarios of which every check passes."""

NOT_OFFERED = re.compile(
    r"""
      Unknown\ tool:\ (?!chamade)                   # a fixture of the suite's
    | (Tool\ '\w+'\ not\ found|does\ not\ list\ the\ diagnostic\ tool)
    | exposes\ no\ tool\ with\ x-mcp-header
    | Method\ not\ found | -32601                   # prompts, resources, completion, logging, tasks
    | no\ task\ was\ created | capabilities\.extensions\ MUST\ be\ advertised   # tasks
    | tools/call\ for\ failing_job
    | fixture\ from\ Check\ 2\ unavailable
    | InputRequiredResult                           # no tool asks back
    | Prerequisite\ failed | Error\ data\.uri\ is\ undefined
    """,
    re.VERBOSE,
)
"""The suite's words for features that the server does not offer."""


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    with stack_up(tmp_path_factory.mktemp("conformance")) as process:
        yield process.read_stack_file()


@pytest.fixture(scope="session", params=list(conformance.ERAS))
def checked(request, stack, tmp_path_factory):
    """An era and its checks."""

    async def run():
        async with key_proxy(stack["api_url"], stack["api_key"]) as url:
            results = tmp_path_factory.mktemp("results")
            return await conformance.run(url, request.param, results)

    return request.param, asyncio.run(run())


def test_every_applicable_scenario_passes(checked):
    era, checks = checked
    ran = {check.scenario for check in checks}
    assert ran >= APPLICABLE[era]
    failed = [c for c in checks if c.scenario in APPLICABLE[era] and not c.passed]
    assert failed == []


def test_every_message_on_the_wire_matches_the_specification(checked):
    wire = [check for check in checked[1] if check.name == "wire-schema-valid"]
    assert len(wire) > 20
    assert all(check.passed for check in wire)


def test_the_only_failures_are_of_features_not_offered(checked):
    failed = [c for c in checked[1] if not c.passed and c.status != "SKIPPED" and c.why]
    assert [c for c in failed if not NOT_OFFERED.search(c.why)] == []


def test_stateless_scenarios_fail_only_for_the_suites_own_tools(checked):
    era, checks = checked
    if era == "2026-07-28":
        stateless = [check for check in checks if check.scenario == "server-stateless"]
        failed = [check for check in stateless if check.status == "FAILURE"]
        assert sum(check.status == "SUCCESS" for check in stateless) == 21
        assert len(failed) == 4
        assert all("does not list the diagnostic tool" in check.why for check in failed)


def test_the_list_of_tools_has_a_cache_lifetime(checked):
    era, checks = checked
    if era == "2026-07-28":
        passed = {check.name for check in checks if check.scenario == "caching" and check.passed}
        assert "sep-2549-tools-list-caching-hints" in passed
