"""Bounds of calls: how many there may be, and what one far end can make a call hold."""

from __future__ import annotations

import pytest

from gateway.sip.agent import UserAgent
from gateway.sip.context import Identity
from gateway.sip.dialog.dialog import MAX_ROUTES
from gateway.sip.dialog.fork import MAX_FORKS
from gateway.sip.dialog.outbound import OutboundCall
from gateway.sip.dialog.refusals import _MAX_CONTACTS
from gateway.sip.dialog.session_timer import _MAX_SE
from gateway.sip.dialog.state import CallState
from gateway.sip.events import Ended, Established, IncomingCall
from gateway.sip.syntax.message import Request, Response
from tests.unit.sip.network import Network, Sound

PROXY = ("Record-Route", "<sip:proxy.example;lr>")


def test_calls_beyond_the_bound_are_refused_with_503_until_one_is_over(net: Network) -> None:
    net.bob.agent = UserAgent(Identity("192.0.2.2", "bob"), max_calls=1)
    out, _ = net.connect()
    net.dial()
    assert net.last("503 INVITE").headers.get("Retry-After") == "10"
    assert len(net.bob.of(IncomingCall)) == 1
    out.hangup(net.now)
    net.wait(64)
    net.connect()
    assert len(net.bob.of(Established)) == 2


def test_a_dial_beyond_the_bound_is_refused_with_the_reason(net: Network) -> None:
    net.alice.agent = UserAgent(Identity("192.0.2.1", "alice"), max_calls=1)
    net.dial()
    with pytest.raises(RuntimeError, match="1 calls, as many as it may have"):
        net.dial()
    assert net.messages("alice").count("INVITE") == 1


def test_an_invite_that_has_passed_too_many_proxies_is_400(net: Network) -> None:
    net.dial(headers=(PROXY,) * MAX_ROUTES)
    assert len(net.bob.of(IncomingCall)) == 1
    net.dial(headers=(PROXY,) * (MAX_ROUTES + 1))
    assert len(net.bob.of(IncomingCall)) == 1
    assert "Record-Route" in net.last("400 INVITE").reason
    net.wait(64)
    assert len(net.bob.agent.context.calls) == 1


def answer(net: Network, status: int, tag: str) -> Response:
    """Return a response to Alice's INVITE by a called party of a proxy."""
    invite = net.last("INVITE")
    assert isinstance(invite, Request)
    response = Response(status, "")
    for name in ("Via", "From", "Call-ID", "CSeq"):
        response.headers.add(name, invite.headers.get(name))
    response.headers.add("To", f"{invite.headers.get('To')};tag={tag}")
    response.headers.add("Contact", f"<sip:{tag}@192.0.2.2>")
    if status == 200:
        response.headers.add("Content-Type", "application/sdp")
        response.body = b"v=0 of a fork"
    return response


def give(net: Network, response: Response) -> None:
    """Let Alice have a response."""
    net.alice.agent.receive(bytes(response), net.alice.flow_to(net.bob.address), net.now)
    net.settle()


def knows(net: Network, call: OutboundCall, tag: str) -> bool:
    """Return whether a request of that called party would be in a dialog of the call."""
    invite = net.last("INVITE")
    assert isinstance(invite, Request)
    bye = Request("BYE", "sip:alice@192.0.2.1")
    bye.headers.add("From", f"{invite.headers.get('To')};tag={tag}")
    return call.dialog_of(bye) is not None


def ring_many(net: Network) -> OutboundCall:
    """Return a call that rings at more called parties than are told apart."""
    call = net.dial()
    for number in range(MAX_FORKS + 4):
        give(net, answer(net, 180, f"fork{number}"))
    return call


def test_only_so_many_called_parties_of_one_invite_are_told_apart(net: Network) -> None:
    call = ring_many(net)
    known = [knows(net, call, f"fork{number}") for number in range(MAX_FORKS + 4)]
    assert known == [True] * MAX_FORKS + [False] * 4


def test_a_called_party_beyond_the_bound_that_answers_has_the_call(net: Network) -> None:
    call = ring_many(net)
    last = f"fork{MAX_FORKS + 3}"
    give(net, answer(net, 200, last))
    assert call.state is CallState.UP
    assert net.messages("alice")[-1] == "ACK"
    assert knows(net, call, last)
    assert sum(knows(net, call, f"fork{number}") for number in range(MAX_FORKS + 4)) == MAX_FORKS


def test_each_answer_beyond_the_bound_is_acknowledged_and_ended(net: Network) -> None:
    net.dial()
    for number in range(MAX_FORKS + 4):
        give(net, answer(net, 200, f"fork{number}"))
    sent = net.messages("alice")
    assert (sent.count("ACK"), sent.count("BYE")) == (MAX_FORKS + 4, MAX_FORKS + 3)


def test_an_answer_that_has_passed_too_many_proxies_ends_the_call_with_the_reason(
    net: Network,
) -> None:
    call = net.dial()
    beyond = answer(net, 200, "far")
    for _ in range(MAX_ROUTES + 1):
        beyond.headers.add(*PROXY)
    give(net, beyond)
    assert call.state is CallState.ENDED
    assert "Record-Route" in net.alice.one(Ended).reason
    assert net.messages("alice")[-2:] == ["ACK", "BYE"]
    net.wait(64)
    assert not net.alice.agent.context.calls


@pytest.mark.parametrize(
    "to", ["", "<sip:bob@192.0.2.2", "<sip:bob@192.0.2.2>"], ids=["none", "unreadable", "no tag"]
)
def test_an_answer_without_a_tag_leaves_no_call_that_waits_for_ever(net: Network, to: str) -> None:
    call = net.dial()
    odd = answer(net, 200, "odd")
    odd.headers.put("To", to)
    give(net, odd)
    assert "ACK" in net.messages("alice")
    call.hangup(net.now)
    net.wait(64)
    assert call.state is CallState.ENDED
    assert not net.alice.agent.context.calls


def test_a_redirection_to_more_addresses_than_are_read_names_the_first(net: Network) -> None:
    net.dial()
    moved = answer(net, 302, "moved")
    contacts = ", ".join(f"<sip:c{number}@192.0.2.9>" for number in range(100))
    moved.headers.put("Contact", contacts)
    give(net, moved)
    found = net.alice.one(Ended).contacts
    assert found == tuple(f"sip:c{number}@192.0.2.9" for number in range(_MAX_CONTACTS))


def test_a_session_interval_longer_than_a_day_is_cut_to_one(net: Network) -> None:
    net.dial(headers=(("Session-Expires", "99999999;refresher=uac"), ("Supported", "timer")))
    call = net.bob.caller
    assert call.take(Sound("bob"), net.now)
    call.answer(net.now)
    net.settle()
    expires = net.last("200 INVITE").headers.get("Session-Expires")
    assert expires.partition(";")[0] == str(_MAX_SE)
