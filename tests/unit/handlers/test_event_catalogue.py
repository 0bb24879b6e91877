"""Tests of the catalogue of events: it has every type, every event matches it, none is too
large.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chalicelib.domain.answered import Found
from chalicelib.domain.call import Call, Transition, apply, media_moved
from chalicelib.domain.call_facts import QualityNote
from chalicelib.domain.call_transitions import MOVES, Act, Direction
from chalicelib.domain.delivery import MAX_BODY_BYTES, body_of
from chalicelib.domain.endpoint import (
    DisabledReason,
    NewEndpoint,
    disable,
    disabled_event,
    new_endpoint,
)
from chalicelib.domain.endpoint import test_event as made_test_event
from chalicelib.domain.event import EventType
from chalicelib.domain.metadata import MAX_BYTES
from chalicelib.domain.new_call import RING_TIMEOUT_S, new_inbound, new_outbound
from chalicelib.domain.rejected_calls import Reason, not_added_event, turned_away_event
from chalicelib.domain.transcript import MAX_TEXT, Speech
from chalicelib.domain.trunk import MAX_DETAIL, TrunkStatus
from chalicelib.domain.voice import CallVoice, VoiceSettings
from chalicelib.domain.voice_report import Heard, Report, Resumed, Spoken, take_items
from chalicelib.handlers import event_catalogue
from chalicelib.handlers.event_catalogue import CATALOGUE
from chalicelib.services import inbox
from chalicelib.services.call import (
    answered,
    compose,
    facts,
    far_end_hold,
    hold,
    inbound,
    pressed_keys,
    recordings,
    transfer,
    voice_reports,
)
from chalicelib.services.call.transition import settle
from chalicelib.services.line import dids, gateway_trunks, trunks
from chalicelib.services.line.numbers import release
from chalicelib.services.operator import account_admin
from chalicelib.store.call_media import Relay
from tests.support.engine import ROOT
from tests.support.object_store import objects_of, storage
from tests.support.world import World

NOW = 1_790_000_000_000


@pytest.fixture(scope="module")
def validator():
    schema = event_catalogue.schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_catalogue_has_every_event_type():
    assert list(CATALOGUE) == list(EventType)


def test_the_committed_schemas_match_the_code():
    committed = json.loads((ROOT / "docs" / "events.schema.json").read_text())
    assert committed == event_catalogue.schema(), "python -m local.event_schemas"


def test_the_page_about_events_names_every_type():
    page = (ROOT / "docs" / "events.md").read_text()
    assert [each.value for each in EventType if f"`{each.value}`" not in page] == []


def test_every_event_of_the_application_matches_its_schema(empty_table, validator):
    world = World(empty_table)
    _live(world)
    endpoint = new_endpoint(NewEndpoint(url="https://a.example/x"), world.account_id, NOW)
    gone = disable(endpoint, DisabledReason.GONE, NOW)
    events = [made_test_event(endpoint, NOW), disabled_event(gone, "It answered 410.", 2)]
    cursor = None
    while True:
        page, cursor = inbox.read(world.deps, world.account_id, cursor, 0)
        events += page
        if not page:
            break
    assert {event.type for event in events} == set(EventType)
    for event in events:
        event_catalogue.check(event)
        validator.validate(json.loads(body_of(event)))
        assert "agent-secret" not in body_of(event)


def _live(world: World) -> None:
    """A life in which everything happens."""
    deps, account_id = world.deps, world.account_id
    trunk = world.register_trunk(provider="gateway")
    world.new_did("+33199005678", agent_url="wss://a.example/?agent-secret")
    inbound.receive(deps, world.call_number(trunk, "+33199009999"))
    world.report_trunk(trunk, TrunkStatus.FAILED, 403, "Not allowed.")
    gateway_trunks.note_shed(deps, trunk.trunk_id, 7, world.clock.ms)
    world.report_trunk(trunk, TrunkStatus.REGISTERED, 200)
    greeted = settle(deps, world.dial(detect_answer="greeting_end"), Act.ANSWER)
    answered.note(deps, greeted, Found("machine", "beep", 3000))
    settle(deps, greeted, Act.AGENT_HANGUP)
    for act in (Act.BUSY, Act.CALLEE_DECLINED):
        world.clock.advance(60)
        settle(deps, settle(deps, world.dial(), Act.RING), act)
    for act in (Act.EXPIRE, Act.DECLINE, Act.CALLER_HANGUP):
        call = world.ringing()
        world.clock.advance(61)
        settle(deps, call, act)
    talking = settle(deps, world.ringing(), Act.ANSWER)
    pressed_keys.take_report(deps, talking, "12#", 1)
    for sequence, held in enumerate((True, False)):
        far_end_hold.note(deps, talking.call_id, held=held, sequence=sequence)
    facts.note_quality(deps, talking, QualityNote("poor", 2.9))
    for relay in ("relay-1", "relay-2"):
        moved = media_moved(talking, relay, world.clock.ms)
        owner = Relay(relay, f"ws://{relay}:8702")
        world.stores.media.take(talking.call_id, owner, NOW, talking.media_expiry, moved)
    hold.hold(deps, account_id, talking.call_id, music=True)
    hold.resume(deps, account_id, talking.call_id)
    _transfer(world, talking)
    settle(deps, talking, Act.AGENT_HANGUP)
    _talk(world)
    _record(world)
    account_admin.set_limits(deps, account_id, {"max_concurrent_calls": 0})
    inbound.receive(deps, world.incoming())
    dids.remove(deps, account_id, "+33199005678")
    trunks.disconnect(deps, account_id)
    release(deps, account_id, world.number)


def _transfer(world: World, call: Call) -> None:
    """A transfer that fails, and one that is completed."""
    request = transfer.TransferRequest("+33199004321", "cold")
    for act in (Act.BUSY, Act.ANSWER):
        call = transfer.start(world.deps, world.account_id, call.call_id, request)
        leg = world.stores.calls.get(call.media_line.transfer.call_id)
        settle(world.deps, leg, act, sip_code=486 if act is Act.BUSY else None)


def _record(world: World) -> None:
    """A recording that is ready, and one of which nothing was stored."""
    deps = replace(world.deps, recordings=storage())
    call = settle(deps, world.ringing(), Act.ANSWER)
    for stored in (True, False):
        for action in ("start", "stop"):
            recordings.change(deps, call.account_id, call.call_id, action, "beep")
        recording = deps.stores.recordings.of_call(call.call_id)[-1]
        if stored:
            objects_of(deps).kept[recording.segment(0)] = bytes(16)
        compose.compose(deps, recording.recording_id)
    settle(deps, call, Act.AGENT_HANGUP)


def _talk(world: World) -> None:
    """A hosted call in which everything is reported that a voice host can report."""
    voice = CallVoice("hosted", VoiceSettings(partials=True), "ws://10.0.0.5:8705")
    call = settle(world.deps, world.ringing(), Act.ANSWER, voice=voice)
    said = {"type": "transcript", "started_ms": 100, "ended_ms": 900}
    spoken = {"type": "speech", "utterance_id": "utt_1", "started_ms": 1000}
    items = [
        Heard(**said, text="Hel", final=False),
        Heard(**said, text="Hello", final=True, sequence=900, confidence=0.9),
        Spoken(**spoken, state="started"),
        Spoken(**spoken, state="interrupted", heard_text="Good", heard_ms=300, why="barge_in"),
        Resumed(type="resumed"),
    ]
    world.stores.transcripts.open(call.call_id, "utt_2", 5, world.clock.ms)
    voice_reports.take_report(world.deps, call.call_id, Report("voice-1", 1, items))
    settle(world.deps, call, Act.AGENT_HANGUP)


texts = st.text(max_size=255)
metadata = st.dictionaries(st.text(min_size=1, max_size=40), st.text(max_size=300), max_size=9)


@given(texts, texts, texts, metadata, st.sampled_from(get_args(Direction)))
def test_the_largest_call_stays_below_the_bound(from_, to, line, given_metadata, direction):
    size = len(json.dumps(given_metadata, ensure_ascii=False, separators=(",", ":")).encode())
    if size < MAX_BYTES:
        given_metadata["filler"] = "x" * (MAX_BYTES - size)
    first = _new_call(from_, to, line, given_metadata, direction)
    for moved in _ways(first):
        assert len(body_of(moved.event).encode()) < MAX_BODY_BYTES


@given(texts, st.sampled_from(get_args(Reason)))
def test_a_callers_own_words_stay_below_the_bound(from_, reason):
    event = turned_away_event(
        account_id="acc_1", line="+33199005678", from_=from_, reason=reason, limit=20,
        count=10**9, now=NOW,
    )  # fmt: skip
    assert len(body_of(event).encode()) < MAX_BODY_BYTES


@given(st.text(min_size=MAX_TEXT, max_size=MAX_TEXT))
@settings(max_examples=20)
def test_the_longest_words_of_a_caller_stay_below_the_bound(text):
    said = Heard(type="transcript", text=text, final=True, started_ms=1, ended_ms=2)
    spoken = Spoken(
        type="speech", utterance_id="u" * 128, state="interrupted", heard_text=text, why="barge_in"
    )
    call = _new_call("a", "b", "c", {}, "inbound").call
    taken = take_items(call, Speech(), Report("voice-1", 1, [said, spoken]), NOW, told=True)
    assert len(taken.events) == 2
    for event in taken.events:
        assert len(body_of(event).encode()) < MAX_BODY_BYTES


@given(texts, texts)
def test_a_carriers_own_words_stay_below_the_bound(to, from_):
    trunk = _trunk()
    assert len(body_of(not_added_event(trunk, to, from_, NOW)).encode()) < MAX_BODY_BYTES


def test_the_largest_trunk_stays_below_the_bound():
    from chalicelib.domain.trunk import trunk_event

    countries = tuple(f"{a}{b}" for a in "ABCDEFGHIJKL" for b in "ABCDEFGHIJKLMNOPQRSTUVWXY")[:300]
    big = _trunk().model_copy(
        update={"allowed_countries": countries, "detail": "é" * MAX_DETAIL, "realm": "r" * 128}
    )
    event = trunk_event(EventType.TRUNK_FAILED, big, NOW)
    assert len(body_of(event).encode()) < MAX_BODY_BYTES


def _trunk():
    from chalicelib.domain.trunk import apply_settings
    from chalicelib.domain.trunk_settings import TrunkSettings

    settings = {"host": "h" * 60 + ".example", "username": "u" * 64, "password": "p"}
    trunk_settings = TrunkSettings.model_validate(settings)
    return apply_settings(None, "acc_1", trunk_settings, None, NOW)


def _new_call(from_: str, to: str, line: str, given: dict, direction: str) -> Transition:
    if direction == "inbound":
        made = new_inbound(
            account_id="acc_1", provider="gateway", provider_call_id="C" * 64, from_=from_, to=to,
            line=line, forwarded_from=to, auto_answer=False, now=NOW,
        )  # fmt: skip
        with_metadata = made.call.model_copy(update={"metadata": given})
        return Transition(with_metadata, made.event)
    return new_outbound(
        account_id="acc_1", provider="gateway", trunk_id="trunk_x", caller_id=from_, to=to,
        ring_timeout_s=RING_TIMEOUT_S[1], max_duration_s=14400, agent_url=None, metadata=given,
        now=NOW,
    )  # fmt: skip


def _ways(first: Transition):
    """Every way that a call can go from there."""
    waiting = [first]
    while waiting:
        moved = waiting.pop()
        yield moved
        call: Call = moved.call
        for act, moves in MOVES[call.direction].items():
            if call.state in moves:
                now = call.ring_deadline - 1 if act is Act.ANSWER else call.ring_deadline
                waiting.append(apply(call, act, now))
