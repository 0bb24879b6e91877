"""Calls between two user agents: dialled, rung, answered, refused, given up and ended."""

from __future__ import annotations

import pytest

from gateway.sip.dialog.state import CallState
from gateway.sip.events import Ended, Established, IncomingCall, MediaAgreed, Progress, Side
from gateway.sip.syntax.message import Request, Response
from tests.unit.sip.network import Network, Sound, brief


def test_a_call_is_dialled_rung_answered_and_hung_up(net: Network) -> None:
    out = net.dial()
    call = net.bob.caller
    assert call.take(Sound("bob"), net.now)
    call.ring(net.now)
    net.settle()
    assert net.alice.one(Progress).status == 180
    call.answer(net.now)
    net.settle()
    assert net.alice.one(Established).call is out
    assert net.bob.one(Established).call is call
    assert out.media.theirs == b"v=0 bob answers"
    assert call.media.theirs == b"v=0 alice offers sendrecv 1"
    out.hangup(net.now, "enough said")
    net.settle()
    assert net.alice.one(Ended).by is Side.US
    over = net.bob.one(Ended)
    assert (over.status, over.by) == (200, Side.THEM)
    assert "enough said" in over.reason
    assert net.messages() == [
        *("INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK"),
        *("BYE", "200 BYE"),
    ]
    net.wait(64)
    assert net.nothing_left()


def test_the_called_party_hangs_up(net: Network) -> None:
    out, call = net.connect()
    call.hangup(net.now)
    net.settle()
    assert net.alice.one(Ended).by is Side.THEM
    assert net.bob.one(Ended).by is Side.US
    assert out.state is call.state is CallState.ENDED


def test_media_is_agreed_once_on_each_side(net: Network) -> None:
    net.connect()
    assert len(net.alice.of(MediaAgreed)) == len(net.bob.of(MediaAgreed)) == 1


@pytest.mark.parametrize(("status", "reason"), [(486, "Busy Here"), (603, "Decline")])
def test_a_refusal_reaches_the_caller_with_its_code(net: Network, status: int, reason: str) -> None:
    net.dial()
    net.bob.caller.reject(net.now, status)
    net.settle()
    over = net.alice.one(Ended)
    assert (over.status, over.reason, over.by) == (status, reason, Side.THEM)
    net.wait(40)
    assert net.nothing_left()


def test_the_far_ends_own_words_are_in_the_reason(net: Network) -> None:
    net.dial()
    call = net.bob.caller
    sound = Sound("bob")
    sound.refuses = True
    assert not call.take(sound, net.now)
    net.settle()
    over = net.alice.one(Ended)
    assert (over.status, over.reason) == (488, "no audio in common (no audio in common)")


def test_an_offer_that_cannot_be_taken_is_refused_before_it_rings(net: Network) -> None:
    net.dial()
    sound = Sound("bob")
    sound.refuses = True
    assert not net.bob.caller.take(sound, net.now)
    net.settle()
    assert "488 INVITE" in net.messages("bob")
    assert "180 INVITE" not in net.messages("bob")


def test_a_call_that_is_given_up_is_cancelled(net: Network) -> None:
    out = net.dial()
    call = net.bob.caller
    call.ring(net.now)
    net.settle()
    out.hangup(net.now)
    net.settle()
    assert net.messages("alice") == ["INVITE", "CANCEL", "ACK"]
    assert (net.bob.one(Ended).status, net.bob.one(Ended).by) == (487, Side.THEM)
    assert (net.alice.one(Ended).status, net.alice.one(Ended).by) == (487, Side.US)
    net.wait(64)
    assert net.nothing_left()


def test_cancel_waits_for_a_provisional_response(net: Network) -> None:
    net.loses = lambda sender, message: brief(message) == "100 INVITE"
    out = net.dial()
    out.hangup(net.now)
    net.settle()
    assert "CANCEL" not in net.messages()
    net.bob.caller.ring(net.now)
    net.settle()
    assert "CANCEL" in net.messages()
    assert net.alice.one(Ended).status == 487


def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_ended(net: Network) -> None:
    out = net.dial()
    call = net.bob.caller
    call.take(Sound("bob"), net.now)
    call.answer(net.now)
    net.loses = lambda sender, message: brief(message) == "200 INVITE"
    net.settle()
    out.hangup(net.now)
    net.loses = lambda sender, message: False
    net.wait(1)
    assert [m for m in net.messages("alice") if m != "CANCEL"] == ["INVITE", "ACK", "BYE"]
    assert not net.alice.of(Established)
    assert net.alice.one(Ended).status == 487
    assert net.bob.one(Ended).by is Side.THEM
    net.wait(64)
    assert net.nothing_left()


def test_nobody_answers_the_invite(net: Network) -> None:
    net.loses = lambda sender, message: True
    net.dial()
    net.wait(33)
    over = net.alice.one(Ended)
    assert (over.status, over.reason, over.by) == (408, "no answer", Side.NETWORK)
    assert net.messages("alice") == ["INVITE"] * 7
    assert net.nothing_left()


def test_a_call_that_rings_for_ever_is_cancelled(net: Network) -> None:
    net.dial()
    net.bob.caller.ring(net.now)
    net.wait(179)
    assert not net.alice.of(Ended)
    net.wait(2)
    assert net.alice.one(Ended).status == 487


def test_a_lost_answer_is_repeated_until_it_is_acknowledged(net: Network) -> None:
    left = 3

    def loses(sender: str, message: Request | Response) -> bool:
        nonlocal left
        if brief(message) == "200 INVITE" and left:
            left -= 1
            return True
        return False

    net.loses = loses
    net.connect()
    assert not net.bob.of(Established)
    net.wait(5)
    assert net.bob.of(Established)
    assert net.messages("bob").count("200 INVITE") == 4
    net.wait(60)
    assert net.messages("alice").count("ACK") == 1


def test_each_repeated_answer_gets_its_ack_again(net: Network) -> None:
    net.loses = lambda sender, message: brief(message) == "ACK"
    net.connect()
    net.wait(1)
    net.loses = lambda sender, message: False
    net.wait(5)
    assert net.bob.of(Established)
    assert net.messages("alice").count("ACK") == net.messages("bob").count("200 INVITE")


def test_an_answer_that_is_never_acknowledged_ends_the_call(net: Network) -> None:
    net.loses = lambda sender, message: brief(message) == "ACK"
    net.connect()
    net.wait(33)
    over = net.bob.one(Ended)
    assert (over.status, over.by) == (408, Side.NETWORK)
    assert "acknowledge" in over.reason
    assert "BYE" in net.messages("bob")
    net.wait(40)
    assert net.nothing_left()


def test_hanging_up_right_after_answering_sends_bye_after_the_ack(net: Network) -> None:
    net.dial()
    call = net.bob.caller
    call.take(Sound("bob"), net.now)
    call.answer(net.now)
    call.hangup(net.now)
    net.settle()
    assert net.messages()[-4:] == ["200 INVITE", "ACK", "BYE", "200 BYE"]
    net.wait(64)
    assert net.nothing_left()


def test_bye_on_a_ringing_call_ends_it(net: Network) -> None:
    out = net.dial()
    net.bob.caller.ring(net.now)
    net.settle()
    out.send(out.established.request("BYE"), net.now)
    net.settle()
    assert "487 INVITE" in net.messages("bob")
    assert net.bob.one(Ended).by is Side.THEM


def test_an_invite_without_an_offer_gets_ours_in_the_answer(net: Network) -> None:
    out = net.dial()
    net.bob.agent.receive(_invite_without_body(net), net.bob.flow_to(net.alice.address), net.now)
    net.settle()
    call = net.bob.caller
    sound = Sound("bob")
    assert call.take(sound, net.now)
    call.answer(net.now)
    net.settle()
    answer = net.last("200 INVITE")
    assert answer.body == b"v=0 bob offers sendrecv 1"
    ack = Request("ACK", "sip:bob@192.0.2.2")
    for name in ("From", "Call-ID"):
        ack.headers.add(name, answer.headers.get(name))
    ack.headers.add("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKack")
    ack.headers.add("To", answer.headers.get("To"))
    ack.headers.add("CSeq", "1 ACK")
    ack.headers.add("Content-Type", "application/sdp")
    ack.body = b"v=0 the late answer"
    net.bob.agent.receive(bytes(ack), net.bob.flow_to(net.alice.address), net.now)
    net.settle()
    assert net.bob.one(Established).call is call
    assert sound.theirs == b"v=0 the late answer"
    assert out.state is CallState.NEW


def _invite_without_body(net: Network) -> bytes:
    request = net.last("INVITE")
    assert isinstance(request, Request)
    late = Request(request.method, request.uri, headers=request.headers.copy())
    late.headers.remove("Content-Type")
    late.headers.put("Call-ID", "late-offer")
    late.headers.put("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKlate")
    return bytes(late)


def test_a_second_branch_of_the_same_invite_is_refused(net: Network) -> None:
    net.dial()
    net.bob.caller.ring(net.now)
    net.settle()
    request = net.last("INVITE")
    assert isinstance(request, Request)
    merged = Request(request.method, request.uri, headers=request.headers.copy())
    merged.headers.put("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKother")
    net.bob.agent.receive(bytes(merged), net.bob.flow_to(net.alice.address), net.now)
    net.settle()
    assert net.messages("bob")[-1] == "482 INVITE"
    assert len(net.bob.of(IncomingCall)) == 1


def test_an_extension_that_is_not_known_is_named_in_the_420(net: Network) -> None:
    net.dial(headers=(("Require", "timer, made-up"),))
    assert net.last("420 INVITE").headers.get("Unsupported") == "made-up"


def test_a_redirection_is_told_and_not_followed(net: Network) -> None:
    net.dial()
    call = net.bob.caller
    invite = net.last("INVITE")
    assert isinstance(invite, Request)
    moved = _answer(net, invite, 302, "Moved Temporarily")
    moved.headers.put("Contact", "<sip:carol@192.0.2.9>, <tel:+33612345678>")
    net.alice.agent.receive(bytes(moved), net.alice.flow_to(net.bob.address), net.now)
    net.settle()
    over = net.alice.one(Ended)
    assert (over.status, over.contacts) == (302, ("sip:carol@192.0.2.9", "tel:+33612345678"))
    assert net.messages("alice") == ["INVITE", "ACK"]
    assert call.state is CallState.NEW


def _answer(
    net: Network, invite: Request, status: int, reason: str = "", tag: str = "forked"
) -> Response:
    response = Response(status, reason)
    for name in ("Via", "From", "Call-ID", "CSeq"):
        response.headers.add(name, invite.headers.get(name))
    response.headers.add("To", f"{invite.headers.get('To')};tag={tag}")
    response.headers.add("Contact", f"<sip:{tag}@192.0.2.2>")
    return response


def test_of_two_forks_that_answer_the_second_is_acknowledged_and_ended(net: Network) -> None:
    out, _ = net.connect()
    invite = net.last("INVITE")
    assert isinstance(invite, Request)
    second = _answer(net, invite, 200, "OK", "second")
    second.headers.add("Content-Type", "application/sdp")
    second.body = b"v=0 the second fork"
    net.alice.agent.receive(bytes(second), net.alice.flow_to(net.bob.address), net.now)
    before = len(net.sent)
    net.settle()
    ack, bye = [message for _, message in net.sent[before:]][:2]
    assert isinstance(ack, Request)
    assert isinstance(bye, Request)
    assert (ack.method, ack.uri, ack.to.tag) == ("ACK", "sip:second@192.0.2.2", "second")
    assert (bye.method, bye.to.tag) == ("BYE", "second")
    assert out.state is CallState.UP
    assert out.media.theirs == b"v=0 bob answers"


def test_an_answer_that_cannot_be_used_ends_the_call_with_the_reason(net: Network) -> None:
    sound = Sound("alice")
    net.dial(sound)
    sound.refuses = True
    call = net.bob.caller
    call.take(Sound("bob"), net.now)
    call.answer(net.now)
    net.settle()
    over = net.alice.one(Ended)
    assert (over.status, over.by) == (488, Side.US)
    assert "no audio in common" in over.reason
    assert net.messages("alice") == ["INVITE", "ACK", "BYE"]


def test_early_media_is_agreed_before_the_answer(net: Network) -> None:
    out = net.dial()
    call = net.bob.caller
    call.take(Sound("bob"), net.now)
    call.progress(net.now)
    net.settle()
    assert net.alice.one(Progress).status == 183
    assert net.alice.one(MediaAgreed).call is out
    assert out.media.theirs == b"v=0 bob answers"
    call.answer(net.now)
    net.settle()
    assert net.alice.one(Established).call is out
