"""The catalogue of events: every type is in it, every event fits it, none is too large."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chalicelib.domain.call import Call, Moved, apply
from chalicelib.domain.call_moves import MOVES, Act, Direction
from chalicelib.domain.delivery import MAX_BODY_BYTES, body_of
from chalicelib.domain.dialling import RING_TIMEOUT_S
from chalicelib.domain.endpoint import (
    DisabledReason,
    NewEndpoint,
    disabled,
    disabled_event,
    new_endpoint,
)
from chalicelib.domain.endpoint import test_event as made_test_event
from chalicelib.domain.event import EventType
from chalicelib.domain.metadata import MAX_BYTES
from chalicelib.domain.new_call import new_inbound, new_outbound
from chalicelib.domain.not_added import not_added_event
from chalicelib.domain.trunk import MAX_DETAIL, TrunkStatus
from chalicelib.handlers import catalogue
from chalicelib.handlers.catalogue import CATALOGUE
from chalicelib.services import dids, digits, inbox, ring, trunks
from chalicelib.services.numbers import release
from chalicelib.services.transition import settle
from tests.support.engine import ROOT
from tests.support.world import World

NOW = 1_790_000_000_000


@pytest.fixture(scope="module")
def validator():
    schema = catalogue.schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_every_type_is_in_the_catalogue():
    assert list(CATALOGUE) == list(EventType)


def test_what_is_committed_is_what_the_code_says():
    committed = json.loads((ROOT / "docs" / "events.schema.json").read_text())
    assert committed == catalogue.schema(), "python -m local.event_schemas"


def test_the_page_about_events_names_every_type():
    page = (ROOT / "docs" / "events.md").read_text()
    assert [each.value for each in EventType if f"`{each.value}`" not in page] == []


def test_every_event_that_the_application_makes_fits(empty_table, validator):
    world = World(empty_table)
    _live(world)
    endpoint = new_endpoint(NewEndpoint(url="https://a.example/x"), world.account_id, NOW)
    gone = disabled(endpoint, DisabledReason.GONE, NOW)
    events = [made_test_event(endpoint, NOW), disabled_event(gone, "It answered 410.", 2)]
    cursor = None
    while True:
        page, cursor = inbox.read(world.ports, world.account_id, cursor, 0)
        events += page
        if not page:
            break
    assert {event.type for event in events} == set(EventType)
    for event in events:
        catalogue.check(event)
        validator.validate(json.loads(body_of(event)))
        assert "agent-secret" not in body_of(event)


def _live(world: World) -> None:
    """A life in which everything happens."""
    ports, account_id = world.ports, world.account_id
    trunk = world.registered(provider="gateway")
    world.new_did("+33199005678", agent_url="wss://a.example/?agent-secret")
    ring.receive(ports, world.called(trunk, "+33199009999"))
    world.trunk_is(trunk, TrunkStatus.FAILED, 403, "Not allowed.")
    world.trunk_is(trunk, TrunkStatus.REGISTERED, 200)
    for act in (Act.BUSY, Act.CALLEE_DECLINED):
        world.clock.advance(60)
        settle(ports, settle(ports, world.dial(), Act.RING), act)
    for act in (Act.EXPIRE, Act.DECLINE, Act.CALLER_HANGUP):
        call = world.ringing()
        world.clock.advance(61)
        settle(ports, call, act)
    talking = settle(ports, world.ringing(), Act.ANSWER)
    digits.heard(ports, talking, "12#", 1)
    settle(ports, talking, Act.AGENT_HANGUP)
    dids.remove(ports, account_id, "+33199005678")
    trunks.disconnect(ports, account_id)
    release(ports, account_id, world.number)


texts = st.text(max_size=255)
metadata = st.dictionaries(st.text(min_size=1, max_size=40), st.text(max_size=300), max_size=9)


@given(texts, texts, texts, metadata, st.sampled_from(get_args(Direction)))
def test_the_largest_call_stays_below_the_bound(from_, to, line, given_metadata, direction):
    size = len(json.dumps(given_metadata, ensure_ascii=False, separators=(",", ":")).encode())
    if size < MAX_BYTES:
        given_metadata["filler"] = "x" * (MAX_BYTES - size)
    born = _born(from_, to, line, given_metadata, direction)
    for moved in _ways(born):
        assert len(body_of(moved.event).encode()) < MAX_BODY_BYTES


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
    from chalicelib.domain.trunk import connected
    from chalicelib.domain.trunk_settings import TrunkSettings

    settings = {"host": "h" * 60 + ".example", "username": "u" * 64, "password": "p"}
    wish = TrunkSettings.model_validate(settings)
    return connected(None, "acc_1", wish, None, NOW)


def _born(from_: str, to: str, line: str, given: dict, direction: str) -> Moved:
    if direction == "inbound":
        made = new_inbound(
            account_id="acc_1", provider="gateway", provider_call_id="C" * 64, from_=from_, to=to,
            line=line, forwarded_from=to, auto_answer=False, now=NOW,
        )  # fmt: skip
        with_metadata = made.call.model_copy(update={"metadata": given})
        return Moved(with_metadata, made.event)
    return new_outbound(
        account_id="acc_1", provider="gateway", trunk_id="trunk_x", caller_id=from_, to=to,
        ring_timeout_s=RING_TIMEOUT_S[1], max_duration_s=14400, agent_url=None, metadata=given,
        now=NOW,
    )  # fmt: skip


def _ways(born: Moved):
    """Every way that a call can go from there."""
    waiting = [born]
    while waiting:
        moved = waiting.pop()
        yield moved
        call: Call = moved.call
        for act, moves in MOVES[call.direction].items():
            if call.state in moves:
                now = call.ring_deadline - 1 if act is Act.ANSWER else call.ring_deadline
                waiting.append(apply(call, act, now))
