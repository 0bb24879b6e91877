"""What the user agent answers to those messages of RFC 4475 that are read."""

from __future__ import annotations

import pytest

from gateway.sip.agent import UserAgent
from gateway.sip.errors import Refusal
from gateway.sip.events import IncomingCall
from gateway.sip.syntax.body import session_description
from gateway.sip.syntax.message import Response, parse
from tests.unit.sip.torture.verdicts import FILES
from tests.unit.sip.transaction.scene import UDP

CALLS = ["esc01", "longreq", "lwsstart", "baddate", "invut", "sdp01", "inv2543"]
REGISTERS = ["escnull", "dblreq", "regbadct", "unksm2", "regaut01"]
REGISTERS += ["cparam01", "cparam02", "regescrt"]
ANSWERS = {
    "wsinv": [481],  # its To has a tag, and there is no such dialog
    "intmeth": [501],
    "esc02": [501],
    "lwsdisp": [200],
    "semiuri": [200],
    "transports": [200],
    "trws": [200],
    "badaspec": [200],
    "baddn": [200],
    "badbranch": [200],
    "zeromf": [200],
    "mpart01": [405],
    "unreason": [],
    "noreason": [],
} | {name: [405] for name in REGISTERS}


def answers(agent: UserAgent, name: str) -> list[int]:
    agent.receive((FILES / f"{name}.dat").read_bytes(), UDP, 0.0)
    sent = [parse(data) for _, data in agent.take_output()]
    return [message.status for message in sent if isinstance(message, Response)]


@pytest.mark.parametrize(("name", "expected"), ANSWERS.items())
def test_what_is_read_is_answered(name, expected):
    agent = UserAgent()
    assert answers(agent, name) == expected
    assert agent.take_events() == []


@pytest.mark.parametrize("name", CALLS)
def test_an_invite_is_a_call(name):
    agent = UserAgent()
    assert answers(agent, name) == [100]
    (event,) = agent.take_events()
    assert isinstance(event, IncomingCall)


def test_a_body_of_an_unknown_kind_is_415():
    with pytest.raises(Refusal) as caught:
        session_description(parse((FILES / "invut.dat").read_bytes()))
    assert caught.value.status == 415
