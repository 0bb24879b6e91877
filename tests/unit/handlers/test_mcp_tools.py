"""Tests of the MCP tools: they are operations of the REST API, and none reaches into another
account.
"""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import app
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.line import Line
from chalicelib.handlers.mcp.perform import failure, perform
from chalicelib.handlers.mcp.schemas import output_schema
from chalicelib.handlers.mcp.tools import TOOLS
from chalicelib.handlers.operation import Operation
from chalicelib.problems import known
from chalicelib.services.call.transition import settle
from chalicelib.services.operator import account_admin
from tests.support.world import CALLEE

assert app.app  # whose modules declare the operations

NOBODYS = "call_" + "a" * 26
DID = "+33199005670"
MEETING = f"sip:{CALLEE}@sip.carrier.example"

each_tool = pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)


def ask(world, name, /, account_id=None, **arguments):
    """A tool's outcome."""
    outcome = perform(TOOLS[name], arguments, world.deps, account_id or world.account_id)
    if not outcome.failed:
        jsonschema.validate(outcome.content, output_schema(TOOLS[name]))
    return outcome


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


def test_the_first_read_of_the_inbox_shows_the_calls_in_progress(world):
    for _ in range(30):
        settle(world.deps, world.ringing(), Act.DECLINE)
    world.clock.advance(301)
    call = world.ringing()
    news = ask(world, "chamade_inbox").content
    assert [event["call_id"] for event in news["events"]] == [call.call_id]
    assert len(ask(world, "chamade_inbox", limit=1).content["events"]) == 1
    world.clock.advance(301)
    assert ask(world, "chamade_inbox").content["events"] == []


def test_a_busy_inbox_shows_the_newest_events_and_continues_without_a_gap(world):
    for _ in range(15):
        settle(world.deps, world.ringing(), Act.DECLINE)
    world.clock.advance(1)
    call = world.ringing()
    first = ask(world, "chamade_inbox").content
    assert len(first["events"]) == 20
    assert first["events"][-1]["call_id"] == call.call_id
    late = world.ringing()
    then = ask(world, "chamade_inbox", after=first["cursor"]).content
    assert [event["call_id"] for event in then["events"]] == [late.call_id]


def test_the_inbox_waits_by_default_only_with_a_cursor(world, monkeypatch):
    waits = []
    monkeypatch.setattr(
        "chalicelib.services.inbox.read",
        lambda deps, account_id, after, wait_s, limit: waits.append(wait_s) or ([], "c"),
    )
    ask(world, "chamade_inbox")
    ask(world, "chamade_inbox", after="c")
    ask(world, "chamade_inbox", after="c", wait_s=3)
    assert waits == [0, 20, 3]


def test_a_lost_race_shows_the_calls_present_state(world):
    call = settle(world.deps, world.ringing(), Act.CALLER_HANGUP)
    lost = ask(world, "chamade_call_accept", call_id=call.call_id)
    assert lost.failed
    assert lost.content["code"] == "call_over"
    assert lost.content["call"]["state"] == "missed"
    assert "The call is now: missed (caller_hangup)" in lost.text
    assert lost.content["remedy"] in lost.text


def test_an_invalid_argument_is_named_as_in_the_tool(world):
    long = ask(world, "chamade_inbox", wait_s=21)
    assert (long.content["code"], long.content["errors"][0]["field"]) == ("invalid", "wait_s")
    assert long.content["detail"].startswith("wait_s: ")
    unknown = ask(world, "chamade_call_status", call_id=NOBODYS, colour="red")
    assert unknown.content["detail"] == "colour: no such argument; there are: call_id"
    missing = ask(world, "chamade_call_accept")
    assert missing.content["errors"][0]["field"] == "call_id"
    wrong = ask(world, "chamade_number_change", e164=world.number, auto_answer="perhaps")
    assert wrong.content["errors"][0]["field"] == "auto_answer"


def test_the_platform_is_no_argument_of_the_tool(world):
    outcome = ask(world, "chamade_call_join", meeting_url=MEETING, platform="zoom")
    assert outcome.content["errors"][0]["field"] == "platform"


def test_dialling_out_answers_with_the_call_and_its_audio(world):
    world.register_trunk()
    call = ask(world, "chamade_call_join", meeting_url=MEETING, metadata={"order": 7}).content
    assert (call["state"], call["direction"], call["metadata"]) == (
        "connecting", "outbound", {"order": 7},
    )  # fmt: skip
    assert call["audio"]["token"]


def test_dialling_without_a_trunk_has_a_remedy(world):
    outcome = ask(world, "chamade_call_join", meeting_url=MEETING)
    assert outcome.content["code"] == "no_trunk"
    assert "password" in outcome.content["remedy"]


def test_a_rate_limited_tool_names_the_wait():
    outcome = failure(TOOLS["chamade_call_join"], known("dial_rate", "Too fast", retry_after_s=30))
    assert outcome.content["retry_after_s"] == 30
    assert outcome.content["remedy"].startswith("Wait 30 s.")


def test_hosted_speech_is_refused_without_the_beta(world):
    call = world.ringing()
    outcome = ask(world, "chamade_call_say", call_id=call.call_id, text="Hello")
    assert outcome.content["code"] == "hosted_voice_gated"


def test_numbers_are_managed_with_the_tools(world):
    world.new_trunk()
    country = "QQ"
    world.stores.lines.add_to_pool(Line(e164="+49301234567", country=country, provider="gateway"))
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


@pytest.fixture
def theirs(world):
    """Things of the world's account, as arguments; and what is nobody's in their place."""
    world.register_trunk()
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
def test_another_accounts_resources_are_not_found(world, theirs, tool, kind):
    own, nobodys = theirs
    own = {**own, "e164": DID if kind == "did" else own["e164"]}
    if kind == "number":
        # That a number is of the pool can be told; whether somebody holds it cannot.
        nobodys = {**nobodys, "e164": "+15550009998"}
        free = Line(e164=nobodys["e164"], country="QF", provider="gateway")
        world.stores.lines.add_to_pool(free)
    stranger, _ = world.new_account()
    world.register_trunk(stranger, caller_id="+33199005671")
    before = [
        world.stores.calls.get(own["call_id"]),
        world.stores.lines.held_by(world.account_id),
        world.stores.dids.of_trunk(world.stores.trunks.of_account(world.account_id).trunk_id),
    ]

    def outcome(things):
        arguments = {name: things[name] for name in tool.arguments if name in things}
        result = perform(tool, arguments, world.deps, stranger)
        if tool.name == "chamade_trunk_did_add" and not result.failed:
            # A trunk's numbers are its own: who adds the same gets one of theirs.
            perform(TOOLS["chamade_trunk_did_remove"], arguments, world.deps, stranger)
        text = result.text
        for name, value in arguments.items():
            text = text.replace(value, f"<{name}>")
        return result.failed, text

    assert outcome(own) == outcome(nobodys)
    after = [
        world.stores.calls.get(own["call_id"]),
        world.stores.lines.held_by(world.account_id),
        world.stores.dids.of_trunk(world.stores.trunks.of_account(world.account_id).trunk_id),
    ]
    assert after == before


@each_tool
def test_tools_without_arguments_show_nothing_of_another_account(world, theirs, tool):
    own, _ = theirs
    stranger, _ = world.new_account()
    result = perform(tool, {}, world.deps, stranger).text
    for secret in (world.account_id, world.number, own["call_id"], DID):
        assert secret not in result


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@each_tool
@settings(max_examples=30)
@given(data=st.data())
def test_made_up_arguments_are_refused_or_reach_the_operation(tool, data):
    names = st.sampled_from([*tool.arguments, "made_up"])
    arguments = data.draw(st.dictionaries(names, json_values, max_size=4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Operation, "perform", _reached)
        outcome = perform(tool, arguments, None, "acc_test")
    assert outcome.content["code"] in ("invalid", "not_found")
    assert outcome.content["code"] == "not_found" or outcome.content["errors"]
    json.dumps(outcome.content)


def _reached(*_, **__):
    raise known("not_found")


def test_the_inbox_counts_against_the_accounts_waiting_polls(world):
    account_admin.set_limits(world.deps, world.account_id, {"max_waiting_polls": 0})
    cursor = ask(world, "chamade_inbox").content["cursor"]
    refused = ask(world, "chamade_inbox", after=cursor)
    assert refused.failed
    assert refused.content["code"] == "too_many_polls"
    assert "wait_s 0" in refused.text


def test_tools_reach_the_trunk_that_is_named_and_main_otherwise(world):
    world.register_trunk()
    second = world.register_trunk(name="second", caller_id="+33199005679")
    assert ask(world, "chamade_trunk_status").content["name"] == "main"
    assert ask(world, "chamade_trunk_status", name="second").content["name"] == "second"
    listed = ask(world, "chamade_trunk_list").content["trunks"]
    assert [each["name"] for each in listed] == ["main", "second"]
    ask(world, "chamade_trunk_did_add", e164="+33187654328", name="second")
    assert [did.e164 for did in world.stores.dids.of_trunk(second.trunk_id)] == ["+33187654328"]
    url = "sip:+33199001234@sip.carrier.example"
    called = ask(world, "chamade_call_join", meeting_url=url, trunk="second").content
    assert (called["trunk"], called["from"]) == ("second", "+33199005679")
    assert ask(world, "chamade_trunk_status", name="third").content["code"] == "no_trunk"
