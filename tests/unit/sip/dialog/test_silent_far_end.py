"""Calls to a far end that says nothing at all, and that have to go elsewhere soon."""

from __future__ import annotations

import pytest

from gateway.sip.events import Ended, Progress, Side
from tests.unit.sip.network import Network, Sound, brief

SOON = 6.0


def silent(net: Network) -> None:
    """Let nothing that Bob says arrive."""
    net.loses = lambda sender, _: sender == "bob"


def test_a_call_of_which_nothing_is_heard_ends_soon(net: Network) -> None:
    silent(net)
    net.dial(heard_within=SOON)
    net.wait(SOON - 0.1)
    assert not net.alice.of(Ended)
    net.wait(0.1)
    over = net.alice.one(Ended)
    assert (over.status, over.by) == (408, Side.NETWORK)
    net.wait(100)
    assert net.alice.one(Ended) is over


def test_without_a_limit_the_transaction_has_the_last_word(net: Network) -> None:
    silent(net)
    net.dial()
    net.wait(31)
    assert not net.alice.of(Ended)
    net.wait(2)
    assert net.alice.one(Ended).status == 408


def test_a_far_end_that_says_100_may_take_its_time(net: Network) -> None:
    net.dial(heard_within=SOON)
    assert "100 INVITE" in net.messages("bob")
    net.wait(60)
    assert not net.alice.of(Ended)


@pytest.mark.parametrize("status", [100, 180])
def test_an_abandoned_call_that_rings_late_is_cancelled(net: Network, status: int) -> None:
    silent(net)
    net.dial(heard_within=SOON)
    net.wait(SOON)
    net.loses = lambda *_: False
    if status == 180:
        net.bob.caller.take(Sound("bob"), net.now)
        net.bob.caller.ring(net.now)
        net.settle()
    else:
        net.wait(4)  # until the INVITE is repeated, and with it the 100
    assert "CANCEL" in net.messages("alice")
    assert "487 INVITE" in net.messages("bob")
    assert not net.alice.of(Progress)
    assert len(net.alice.of(Ended)) == 1
    net.wait(100)
    assert net.nothing_left()


def test_an_abandoned_call_that_is_answered_late_is_acknowledged_and_hung_up(net: Network) -> None:
    silent(net)
    net.dial(heard_within=SOON)
    net.wait(SOON)
    net.loses = lambda *_: False
    call = net.bob.caller
    call.take(Sound("bob"), net.now)
    call.answer(net.now)
    net.settle()
    assert net.messages()[-4:] == ["200 INVITE", "ACK", "BYE", "200 BYE"]
    assert len(net.alice.of(Ended)) == 1
    assert net.bob.one(Ended).by is Side.THEM
    net.wait(100)
    assert net.nothing_left()


def test_a_call_given_up_while_nothing_is_heard_ends_as_given_up(net: Network) -> None:
    silent(net)
    call = net.dial(heard_within=SOON)
    net.wait(1)
    call.hangup(net.now)
    net.wait(SOON)
    net.loses = lambda *_: False
    net.wait(4)
    assert "CANCEL" in net.messages("alice")
    assert [brief(each) for _, each in net.sent].count("BYE") == 0
    net.wait(100)
    over = net.alice.one(Ended)
    assert (over.status, over.by) == (487, Side.US)
    assert net.nothing_left()
