"""The agent's URL: of the line, of the call, and where it is not to be seen."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from chalicelib.domain.call import public_view
from chalicelib.domain.call_moves import Act
from chalicelib.domain.line import LineChanges
from chalicelib.services import inbox, media, numbers
from chalicelib.services.transition import settle

URL = "wss://agent.example/voice?key=secret"


def with_agent(world, **changes):
    wish = LineChanges(agent_url=URL, **changes)
    return numbers.change(world.ports, world.account_id, world.number, wish)


def test_a_number_keeps_the_url_and_its_calls_take_it_along(world):
    assert with_agent(world).agent_url == URL
    call = settle(world.ports, world.ringing(), Act.ANSWER)
    assert media.agent_to_dial(world.ports, call).url == URL


def test_who_gets_the_number_next_does_not_get_the_agent(world):
    with_agent(world)
    country = world.ports.lines.get(world.number).country
    numbers.release(world.ports, world.account_id, world.number)
    assert world.ports.lines.get(world.number).agent_url is None
    other, _ = world.new_account()
    assert numbers.activate(world.ports, other, country).agent_url is None


def test_neither_events_nor_calls_show_it(world):
    with_agent(world)
    call = settle(world.ports, world.ringing(), Act.ANSWER)
    settle(world.ports, call, Act.AGENT_HANGUP)
    numbers.release(world.ports, world.account_id, world.number)
    events, _ = inbox.read(world.ports, world.account_id, None, 0)
    assert len(events) >= 4
    assert "secret" not in json.dumps([event.data for event in events])
    assert "agent_url" not in public_view(call)


def test_a_call_that_is_not_answered_has_nobody_to_dial(world):
    with_agent(world)
    assert media.agent_to_dial(world.ports, world.ringing()) is None


def test_a_dialled_call_has_its_own(world):
    call = world.dial(agent_url=URL)
    assert media.agent_to_dial(world.ports, call) is None
    answered = settle(world.ports, call, Act.ANSWER)
    assert media.agent_to_dial(world.ports, answered).url == URL


def test_a_did_names_its_own(world):
    trunk = world.new_trunk()
    world.new_did("+33187654321", agent_url=URL, auto_answer=True)
    call = world.call_of(world.called(trunk, "+33187654321"))
    assert media.agent_to_dial(world.ports, call).url == URL


@pytest.mark.parametrize("url", ["https://agent.example", "wss://", "wss://a b", "wss://a/#x", ""])
def test_what_is_no_websocket_url_is_refused(url):
    with pytest.raises(ValidationError):
        LineChanges(agent_url=url)
