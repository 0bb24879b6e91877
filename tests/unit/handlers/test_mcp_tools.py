"""The tools: that they are operations of the REST API and nothing else, what a model is told of
them and of failures, and that none reaches into another account.
"""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import app
from chalicelib.domain.call_moves import Act
from chalicelib.handlers.mcp import remedies
from chalicelib.handlers.mcp.perform import failure, perform
from chalicelib.handlers.mcp.schemas import input_schema, output_schema
from chalicelib.handlers.mcp.tools import INSTRUCTIONS, TOOLS
from chalicelib.handlers.operation import OPERATIONS, Operation
from chalicelib.problem_codes import CODES
from chalicelib.problems import known
from chalicelib.services.transition import settle
from tests.support.engine import ROOT
from tests.support.world import CALLEE

assert app.app  # whose modules declare the operations

NOBODYS = "call_" + "a" * 26
DID = "+33199005670"
MEETING = f"sip:{CALLEE}@sip.carrier.example"

each_tool = pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)


def ask(world, name, account_id=None, **arguments):
    """A tool's outcome."""
    outcome = perform(TOOLS[name], arguments, world.ports, account_id or world.account_id)
    if not outcome.failed:
        jsonschema.validate(outcome.content, output_schema(TOOLS[name]))
    return outcome


@each_tool
def test_a_tool_is_told_in_words_and_in_schemas_that_any_client_understands(tool):
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
def test_read_only_tools_are_gets_and_no_others(tool):
    operation = OPERATIONS[tool.operation]
    assert tool.read_only == (operation.method == "GET")
    assert tool.destructive or operation.method != "DELETE"


@each_tool
def test_each_failure_that_a_tool_may_have_has_a_remedy(tool):
    codes = {code.partition(":")[0] for code in OPERATIONS[tool.operation].problems}
    usual = {"invalid", "too_many_requests", "too_busy", "unavailable", "internal_error"}
    assert codes | usual <= remedies.known_codes()


def test_remedies_are_for_codes_that_there_are_and_name_tools_that_there_are():
    assert remedies.known_codes() <= set(CODES)
    texts = [INSTRUCTIONS, *(tool.description for tool in TOOLS.values())]
    texts += [text for tool in TOOLS.values() for text in tool.arguments.values()]
    texts += [remedies.remedy(TOOLS["chamade_inbox"], code, None) for code in CODES]
    named = {word.strip("`.,;:()\"'") for text in texts for word in text.split()}
    assert {word for word in named if word.startswith("chamade_")} <= set(TOOLS)


def test_the_documentation_lists_the_tools_that_there_are():
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
def test_the_examples_are_configurations_that_lead_here(path):
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
        "chamade_number_change": ["e164"],
        "chamade_number_release": ["e164"],
        "chamade_trunk_did_add": ["e164"],
        "chamade_trunk_did_change": ["e164"],
        "chamade_trunk_did_remove": ["e164"],
    }


def test_a_call_is_found_accepted_and_left(world):
    call = world.ringing()
    news = ask(world, "chamade_inbox").content
    (ringing,) = [event for event in news["events"] if event["type"] == "call.ringing"]
    accepted = ask(world, "chamade_call_accept", call_id=ringing["call_id"]).content
    assert accepted["state"] == "active"
    assert accepted["audio"]["url"].endswith(call.call_id)
    assert accepted["audio"]["token"]
    left = ask(world, "chamade_call_leave", call_id=call.call_id)
    assert (left.content["state"], left.content["audio"]) == ("ended", None)
    assert json.loads(left.text) == left.content
    after = ask(world, "chamade_inbox", after=news["cursor"], wait_s=0).content
    assert [event["type"] for event in after["events"]] == ["call.answered", "call.ended"]


def test_the_first_look_into_the_inbox_is_at_what_is_going_on(world):
    for _ in range(30):
        settle(world.ports, world.ringing(), Act.DECLINE)
    world.clock.advance(301)
    call = world.ringing()
    news = ask(world, "chamade_inbox").content
    assert [event["call_id"] for event in news["events"]] == [call.call_id]
    assert len(ask(world, "chamade_inbox", limit=1).content["events"]) == 1
    world.clock.advance(301)
    assert ask(world, "chamade_inbox").content["events"] == []


def test_a_busy_inbox_shows_the_newest_and_goes_on_without_a_gap(world):
    for _ in range(15):
        settle(world.ports, world.ringing(), Act.DECLINE)
    world.clock.advance(1)
    call = world.ringing()
    first = ask(world, "chamade_inbox").content
    assert len(first["events"]) == 20
    assert first["events"][-1]["call_id"] == call.call_id
    late = world.ringing()
    then = ask(world, "chamade_inbox", after=first["cursor"]).content
    assert [event["call_id"] for event in then["events"]] == [late.call_id]


def test_who_follows_the_inbox_waits_and_who_looks_in_does_not(world, monkeypatch):
    waits = []
    monkeypatch.setattr(
        "chalicelib.services.inbox.read",
        lambda ports, account_id, after, wait_s, limit: waits.append(wait_s) or ([], "c"),
    )
    ask(world, "chamade_inbox")
    ask(world, "chamade_inbox", after="c")
    ask(world, "chamade_inbox", after="c", wait_s=3)
    assert waits == [0, 20, 3]


def test_a_lost_race_says_what_the_call_is_now(world):
    call = settle(world.ports, world.ringing(), Act.CALLER_HANGUP)
    lost = ask(world, "chamade_call_accept", call_id=call.call_id)
    assert lost.failed
    assert lost.content["code"] == "call_over"
    assert lost.content["call"]["state"] == "missed"
    assert "The call is now: missed (caller_hangup)" in lost.text
    assert lost.content["remedy"] in lost.text


def test_a_wrong_argument_is_named_as_the_tool_calls_it(world):
    long = ask(world, "chamade_inbox", wait_s=21)
    assert (long.content["code"], long.content["errors"][0]["field"]) == ("invalid", "wait_s")
    assert long.content["detail"].startswith("wait_s: ")
    unknown = ask(world, "chamade_call_status", call_id=NOBODYS, colour="red")
    assert unknown.content["detail"] == "colour: no such argument; there are: call_id"
    missing = ask(world, "chamade_call_accept")
    assert missing.content["errors"][0]["field"] == "call_id"
    wrong = ask(world, "chamade_number_change", e164=world.number, auto_answer="perhaps")
    assert wrong.content["errors"][0]["field"] == "auto_answer"


def test_the_platform_is_not_to_be_chosen(world):
    outcome = ask(world, "chamade_call_join", meeting_url=MEETING, platform="zoom")
    assert outcome.content["errors"][0]["field"] == "platform"


def test_dialling_out_answers_with_the_call_and_its_audio(world):
    world.registered()
    call = ask(world, "chamade_call_join", meeting_url=MEETING, metadata={"order": 7}).content
    assert (call["state"], call["direction"], call["metadata"]) == (
        "connecting", "outbound", {"order": 7},
    )  # fmt: skip
    assert call["audio"]["token"]


def test_without_a_trunk_dialling_out_says_who_can_connect_one(world):
    outcome = ask(world, "chamade_call_join", meeting_url=MEETING)
    assert outcome.content["code"] == "no_trunk"
    assert "password" in outcome.content["remedy"]


def test_what_has_to_wait_says_how_long():
    outcome = failure(TOOLS["chamade_call_join"], known("dial_rate", "Too fast", retry_after_s=30))
    assert outcome.content["retry_after_s"] == 30
    assert outcome.content["remedy"].startswith("Wait 30 s.")


def test_hosted_speech_is_gated(world):
    call = world.ringing()
    outcome = ask(world, "chamade_call_say", call_id=call.call_id, text="Hello")
    assert outcome.content["code"] == "hosted_voice_gated"


def test_numbers_and_the_trunks_numbers_live_their_lives(world):
    world.new_trunk()
    country = "QQ"
    from chalicelib.domain.line import Line

    world.ports.lines.add_to_pool(Line(e164="+49301234567", country=country, provider="gateway"))
    made = ask(world, "chamade_number_activate", country=country).content
    changed = ask(world, "chamade_number_change", e164=made["e164"], label="Desk").content
    assert (changed["label"], changed["auto_answer"]) == ("Desk", False)
    listed = ask(world, "chamade_number_list").content["numbers"]
    assert [number["e164"] for number in listed] == [world.number, made["e164"]]
    assert ask(world, "chamade_number_release", e164=made["e164"]).content == {"done": True}
    added = ask(world, "chamade_trunk_did_add", e164=DID, auto_answer=True).content
    assert added["auto_answer"] is True
    ask(world, "chamade_trunk_did_change", e164=DID, agent_url="wss://agent.example/call")
    freed = ask(world, "chamade_trunk_did_change", e164=DID, agent_url=None).content
    assert freed["agent_url"] is None
    trunk = ask(world, "chamade_trunk_status").content
    assert [did["e164"] for did in trunk["dids"]] == [DID]
    assert "s3cret-pw" not in json.dumps(trunk)
    assert ask(world, "chamade_trunk_did_remove", e164=DID).content == {"done": True}


def test_no_tool_takes_a_password():
    operations = {tool.operation for tool in TOOLS.values()}
    assert "connect_trunk" not in operations
    assert not any("password" in tool.arguments for tool in TOOLS.values())


@pytest.fixture
def theirs(world):
    """Things of the world's account, as arguments; and what is nobody's in their place."""
    world.registered()
    world.new_did(DID)
    call = world.ringing()
    cursor = ask(world, "chamade_inbox").content["cursor"]
    world.ringing()
    page = ask(world, "chamade_call_list", limit=1).content["next_cursor"]
    own = {
        "call_id": call.call_id, "after": cursor, "cursor": page, "caller_id": DID,
        "e164": world.number, "meeting_url": MEETING, "text": "Hello",
    }  # fmt: skip
    nobodys = {
        "call_id": NOBODYS, "after": "x" * len(cursor), "cursor": "x" * len(page),
        "caller_id": "+33199005672", "e164": "+15550009999",
        "meeting_url": MEETING, "text": "Hello",
    }  # fmt: skip
    return own, nobodys


@each_tool
@pytest.mark.parametrize("kind", ["number", "did"])
def test_anothers_things_are_as_if_they_were_not_there(world, theirs, tool, kind):
    own, nobodys = theirs
    own = {**own, "e164": DID if kind == "did" else own["e164"]}
    stranger, _ = world.new_account()
    world.registered(stranger, caller_id="+33199005671")
    before = [
        world.ports.calls.get(own["call_id"]),
        world.ports.lines.held_by(world.account_id),
        world.ports.dids.of_trunk(world.ports.trunks.of_account(world.account_id).trunk_id),
    ]

    def outcome(things):
        arguments = {name: things[name] for name in tool.arguments if name in things}
        told = perform(tool, arguments, world.ports, stranger)
        if tool.name == "chamade_trunk_did_add" and not told.failed:
            # A trunk's numbers are its own: who adds the same gets one of theirs.
            perform(TOOLS["chamade_trunk_did_remove"], arguments, world.ports, stranger)
        text = told.text
        for name, value in arguments.items():
            text = text.replace(value, f"<{name}>")
        return told.failed, text

    assert outcome(own) == outcome(nobodys)
    after = [
        world.ports.calls.get(own["call_id"]),
        world.ports.lines.held_by(world.account_id),
        world.ports.dids.of_trunk(world.ports.trunks.of_account(world.account_id).trunk_id),
    ]
    assert after == before


@each_tool
def test_without_arguments_nobody_sees_anything_of_another(world, theirs, tool):
    own, _ = theirs
    stranger, _ = world.new_account()
    told = perform(tool, {}, world.ports, stranger).text
    for secret in (world.account_id, world.number, own["call_id"], DID):
        assert secret not in told


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@each_tool
@settings(max_examples=30)
@given(data=st.data())
def test_whatever_a_model_makes_up_is_refused_or_reaches_the_operation(tool, data):
    names = st.sampled_from([*tool.arguments, "made_up"])
    arguments = data.draw(st.dictionaries(names, json_values, max_size=4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Operation, "perform", _reached)
        outcome = perform(tool, arguments, None, "acc_test")
    assert outcome.content["code"] in ("invalid", "not_found")
    assert outcome.content["code"] == "not_found" or outcome.content["errors"]
    json.dumps(outcome.content)


def _reached(*_):
    raise known("not_found")
