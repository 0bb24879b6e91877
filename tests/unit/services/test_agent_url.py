"""Tests of the agent's URL: that of the number, that of the call, and where it must not show."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from chalicelib.domain.call import public_view
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.line import LineChanges
from chalicelib.services import inbox
from chalicelib.services.call import media
from chalicelib.services.call.transition import settle
from chalicelib.services.line import numbers

URL = "wss://agent.example/voice?key=secret"


def with_agent(world, **changes):
    line_changes = LineChanges(agent_url=URL, **changes)
    return numbers.change(world.deps, world.account_id, world.number, line_changes)


def test_calls_get_the_agent_url_of_their_number(world):
    assert with_agent(world).agent_url == URL
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    assert media.agent_to_dial(world.deps, call).url == URL


def test_a_released_number_loses_its_agent_url(world):
    with_agent(world)
    country = world.stores.lines.get(world.number).country
    numbers.release(world.deps, world.account_id, world.number)
    assert world.stores.lines.get(world.number).agent_url is None
    other, _ = world.new_account()
    assert numbers.activate(world.deps, other, country).agent_url is None


def test_neither_events_nor_calls_show_the_agent_url(world):
    with_agent(world)
    call = settle(world.deps, world.ringing(), Act.ANSWER)
    settle(world.deps, call, Act.AGENT_HANGUP)
    numbers.release(world.deps, world.account_id, world.number)
    events, _ = inbox.read(world.deps, world.account_id, None, 0)
    assert len(events) >= 4
    assert "secret" not in json.dumps([event.data for event in events])
    assert "agent_url" not in public_view(call)


def test_an_unanswered_call_has_no_agent_to_dial(world):
    with_agent(world)
    assert media.agent_to_dial(world.deps, world.ringing()) is None


def test_an_outbound_call_has_its_own_agent_url(world):
    call = world.dial(agent_url=URL)
    assert media.agent_to_dial(world.deps, call) is None
    answered = settle(world.deps, call, Act.ANSWER)
    assert media.agent_to_dial(world.deps, answered).url == URL


def test_a_trunk_number_has_its_own_agent_url(world):
    trunk = world.new_trunk()
    world.new_did("+33187654321", agent_url=URL, auto_answer=True)
    call = world.call_of(world.call_number(trunk, "+33187654321"))
    assert media.agent_to_dial(world.deps, call).url == URL


@pytest.mark.parametrize("url", ["https://agent.example", "wss://", "wss://a b", "wss://a/#x", ""])
def test_a_url_of_another_scheme_is_refused(url):
    with pytest.raises(ValidationError):
        LineChanges(agent_url=url)
