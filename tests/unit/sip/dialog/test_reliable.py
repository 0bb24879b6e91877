"""Provisional responses that are acknowledged (RFC 3262)."""

from __future__ import annotations

from gateway.sip.dialog.inbound import InboundCall
from gateway.sip.events import Ended, Established, Progress
from tests.unit.sip.network import Network, Sound, brief

RELIABLE = (("Require", "100rel"),)


def ringing(net: Network) -> InboundCall:
    net.dial(headers=RELIABLE)
    call = net.bob.caller
    assert call.take(Sound("bob"), net.now)
    return call


def test_a_reliable_ring_is_acknowledged_by_prack(net: Network) -> None:
    call = ringing(net)
    call.ring(net.now)
    net.settle()
    ring = net.last("180 INVITE")
    assert ring.headers.get("Require") == "100rel"
    assert net.last("PRACK").headers.get("RAck") == f"{ring.headers.get('RSeq')} 1 INVITE"
    assert net.messages()[-2:] == ["PRACK", "200 PRACK"]
    net.wait(40)
    assert net.messages("bob").count("180 INVITE") == 1


def test_it_is_repeated_until_the_prack_comes(net: Network) -> None:
    call = ringing(net)
    net.loses = lambda sender, message: brief(message) == "PRACK"
    call.ring(net.now)
    net.wait(2)
    assert net.messages("bob").count("180 INVITE") == 3
    net.loses = lambda sender, message: False
    net.wait(2)
    assert len(net.alice.of(Progress)) == 1


def test_the_answer_waits_for_the_prack_of_early_media(net: Network) -> None:
    call = ringing(net)
    net.loses = lambda sender, message: brief(message) == "PRACK"
    call.progress(net.now)
    call.answer(net.now)
    net.settle()
    assert "200 INVITE" not in net.messages()
    net.loses = lambda sender, message: False
    net.wait(1)
    assert net.messages()[-2:] == ["200 INVITE", "ACK"]
    assert net.alice.of(Established)


def test_a_second_response_waits_for_the_prack_of_the_first(net: Network) -> None:
    call = ringing(net)
    call.ring(net.now)
    call.progress(net.now)
    net.settle()
    assert net.messages()[2:] == [
        *("180 INVITE", "PRACK", "200 PRACK", "183 INVITE", "PRACK", "200 PRACK"),
    ]


def test_a_caller_that_never_acknowledges_is_refused(net: Network) -> None:
    call = ringing(net)
    net.loses = lambda sender, message: brief(message) == "PRACK"
    call.ring(net.now)
    net.wait(33)
    assert net.bob.one(Ended).status == 504
    net.wait(64)
    assert net.nothing_left()


def test_a_prack_for_nothing_is_481(net: Network) -> None:
    call = ringing(net)
    call.ring(net.now)
    net.settle()
    out = net.alice.agent.context.calls
    (mine,) = out.values()
    prack = mine.request("PRACK")
    prack.headers.add("RAck", "1 1 INVITE")
    mine.send(prack, net.now)
    net.settle()
    assert net.messages()[-1] == "481 PRACK"
