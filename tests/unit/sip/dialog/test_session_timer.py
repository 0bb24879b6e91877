"""Session timers (RFC 4028): who refreshes, how, and what happens if nobody does."""

from __future__ import annotations

import pytest

from gateway.sip.dialog.state import CallState
from gateway.sip.events import Ended, Side
from gateway.sip.syntax.message import Request
from tests.unit.sip.network import Network, Sound


def test_the_caller_refreshes_by_update_in_time(net: Network) -> None:
    net.connect(session_expires=1800)
    assert net.last("200 INVITE").headers.get("Session-Expires") == "1800;refresher=uac"
    assert net.last("200 INVITE").headers.get("Require") == "timer"
    net.wait(901)
    assert net.messages("alice")[-1] == "UPDATE"
    net.wait(7200)
    assert net.messages("alice").count("UPDATE") == 9
    assert not net.bob.of(Ended)


def test_a_far_end_that_takes_no_update_is_refreshed_by_reinvite(net: Network) -> None:
    out, _ = net.connect(session_expires=600)
    out.allowed = {"invite", "bye"}
    net.wait(301)
    assert net.messages("alice")[-2:] == ["INVITE", "ACK"]
    assert not net.bob.of(Ended)


def test_the_called_party_refreshes_if_the_caller_asks_for_it(net: Network) -> None:
    net.connect(headers=(("Session-Expires", "600;refresher=uas"),))
    assert net.last("200 INVITE").headers.get("Session-Expires") == "600;refresher=uas"
    net.wait(301)
    assert net.messages("bob")[-1] == "UPDATE"


def test_a_session_that_nobody_refreshes_ends_on_both_sides(net: Network) -> None:
    net.connect(session_expires=90)
    net.loses = lambda sender, message: True
    net.wait(59)
    assert not net.bob.of(Ended)
    net.wait(40)
    for party in net.parties:
        over = party.one(Ended)
        assert over.by is Side.NETWORK
    net.wait(64)
    assert net.nothing_left()


def test_an_interval_that_is_too_short_is_asked_for_again_longer(net: Network) -> None:
    net.dial(session_expires=30)
    call = net.bob.caller
    assert not call.take(Sound("bob"), net.now)
    net.settle()
    assert net.last("422 INVITE").headers.get("Min-SE") == "90"
    second = net.last("INVITE")
    assert isinstance(second, Request)
    assert second.headers.get("Session-Expires") == "90"
    assert second.cseq.number == 2
    assert net.bob.caller is not call
    assert net.bob.caller.take(Sound("bob"), net.now)
    net.bob.caller.answer(net.now)
    net.settle()
    assert net.bob.caller.state is CallState.UP


@pytest.mark.parametrize("value", ["", "soon", "-5", ";refresher=uac", "99999999999"])
def test_an_interval_that_is_none_is_ignored(net: Network, value: str) -> None:
    net.connect(headers=(("Session-Expires", value),))
    assert "Session-Expires" not in net.last("200 INVITE").headers
