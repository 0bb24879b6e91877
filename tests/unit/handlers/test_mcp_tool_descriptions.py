"""Tests of the descriptions of the MCP tools: texts, schemas, remedies, documentation and
examples.
"""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from chalicelib.handlers.mcp import remedies
from chalicelib.handlers.mcp.schemas import input_schema, output_schema
from chalicelib.handlers.mcp.tools import INSTRUCTIONS, TOOLS
from chalicelib.handlers.operation import OPERATIONS
from chalicelib.problem_codes import CODES
from tests.support.engine import ROOT

each_tool = pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)


@each_tool
def test_each_tool_has_a_description_and_a_plain_json_schema(tool):
    assert tool.operation in OPERATIONS
    assert len(tool.description) > 40
    assert tool.title
    assert not (tool.read_only and tool.destructive)
    taken, given_back = input_schema(tool), output_schema(tool)
    for schema in (taken, given_back):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert "$ref" not in json.dumps(schema)
    assert list(taken["properties"]) == list(tool.arguments)
    assert all(len(each["description"]) > 15 for each in taken["properties"].values())
    assert taken["additionalProperties"] is False
    assert "additionalProperties" not in json.dumps(given_back)


@each_tool
def test_exactly_the_tools_of_get_operations_are_read_only(tool):
    operation = OPERATIONS[tool.operation]
    assert tool.read_only == (operation.method == "GET")
    assert tool.destructive or operation.method != "DELETE"


@each_tool
def test_each_failure_of_a_tool_has_a_remedy(tool):
    codes = {code.partition(":")[0] for code in OPERATIONS[tool.operation].problems}
    usual = {"invalid", "too_many_requests", "too_busy", "unavailable", "internal_error"}
    assert codes | usual <= remedies.known_codes()


def test_remedies_name_existing_codes_and_tools():
    assert remedies.known_codes() <= set(CODES)
    texts = [INSTRUCTIONS, *(tool.description for tool in TOOLS.values())]
    texts += [text for tool in TOOLS.values() for text in tool.arguments.values()]
    texts += [remedies.remedy(TOOLS["chamade_inbox"], code, None) for code in CODES]
    named = {word.strip("`.,;:()\"'") for text in texts for word in text.split()}
    assert {word for word in named if word.startswith("chamade_")} <= set(TOOLS)


def test_the_documentation_lists_exactly_the_tools():
    page = (ROOT / "docs" / "mcp.md").read_text()
    listed = re.findall(r"^\| `(chamade_\w+)` \| .* \| (.*?) ?\|$", page, re.MULTILINE)
    assert sorted(name for name, _ in listed) == sorted(TOOLS)
    assert {name for name, kind in listed if kind == "reads"} == {
        tool.name for tool in TOOLS.values() if tool.read_only
    }
    assert {name for name, kind in listed if kind == "destructive"} == {
        tool.name for tool in TOOLS.values() if tool.destructive
    }


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples" / "mcp").glob("*.json")), ids=lambda path: path.stem
)
def test_the_example_configurations_name_this_server(path):
    servers = json.loads(path.read_text())["mcpServers"]
    for server in servers.values():
        if "url" in server:
            assert server["url"].endswith("/mcp")
            assert set(server["headers"]) <= {"X-API-Key", "Authorization"}
        else:
            assert server["args"][-1] in ("mcp", "chamade.mcp")
            assert set(server["env"]) == {"CHAMADE_API_URL", "CHAMADE_API_KEY"}


def test_required_arguments_are_those_that_the_operation_requires():
    required = {name: input_schema(tool)["required"] for name, tool in TOOLS.items()}
    assert {name: needs for name, needs in required.items() if needs} == {
        "chamade_call_accept": ["call_id"],
        "chamade_call_refuse": ["call_id"],
        "chamade_call_leave": ["call_id"],
        "chamade_call_join": ["meeting_url"],
        "chamade_call_status": ["call_id"],
        "chamade_call_say": ["call_id", "text"],
        "chamade_call_listen": ["call_id"],
        "chamade_call_dtmf": ["call_id", "digits"],
        "chamade_call_record": ["call_id", "action"],
        "chamade_call_hold": ["call_id"],
        "chamade_call_resume": ["call_id"],
        "chamade_call_transfer": ["call_id", "to", "mode"],
        "chamade_call_transfer_complete": ["call_id"],
        "chamade_call_transfer_cancel": ["call_id"],
        "chamade_number_change": ["e164"],
        "chamade_number_release": ["e164"],
        "chamade_trunk_did_add": ["e164"],
        "chamade_trunk_did_change": ["e164"],
        "chamade_trunk_did_remove": ["e164"],
    }


def test_no_tool_takes_a_password():
    operations = {tool.operation for tool in TOOLS.values()}
    assert "connect_trunk" not in operations
    assert not any("password" in tool.arguments for tool in TOOLS.values())
