"""Re-INVITE and UPDATE: holds, changes of the far end, crossings, and what cannot be taken."""

from __future__ import annotations

from gateway.sip.dialog.inbound import InboundCall
from gateway.sip.dialog.outbound import OutboundCall
from gateway.sip.dialog.state import CallState
from gateway.sip.events import Ended, MediaAgreed
from gateway.sip.syntax.message import Request, Response
from tests.unit.sip.network import Network, Sound, brief


def sound_of(call: OutboundCall | InboundCall) -> Sound:
    assert isinstance(call.media, Sound)
    return call.media


def test_a_hold_is_offered_and_agreed(net: Network) -> None:
    out, call = net.connect()
    call.hold("sendonly", net.now)
    net.settle()
    assert sound_of(out).theirs == b"v=0 bob offers sendonly 1"
    assert sound_of(call).theirs == b"v=0 alice answers"
    assert net.messages()[-3:] == ["INVITE", "200 INVITE", "ACK"]
    assert len(net.alice.of(MediaAgreed)) == len(net.bob.of(MediaAgreed)) == 2


def test_an_offer_that_cannot_be_taken_is_488_and_the_call_goes_on(net: Network) -> None:
    out, call = net.connect()
    sound_of(out).refuses = True
    before = sound_of(out).theirs
    call.hold("sendonly", net.now)
    net.settle()
    refusal = net.last("488 INVITE")
    assert refusal.headers.get("Warning") == '304 test "no audio in common"'
    assert sound_of(out).theirs == before
    assert not sound_of(call).open
    assert out.state is call.state is CallState.UP
    net.wait(60)
    assert not net.alice.of(Ended)


def test_offers_that_cross_are_both_refused_and_tried_again(net: Network) -> None:
    out, call = net.connect()
    out.hold("sendonly", net.now)
    call.hold("inactive", net.now)
    net.settle()
    assert net.messages("alice").count("491 INVITE") == 1
    assert net.messages("bob").count("491 INVITE") == 1
    net.wait(5)
    assert sound_of(out).theirs.startswith(b"v=0 bob")
    assert sound_of(call).theirs.startswith(b"v=0 alice")
    assert not sound_of(out).open
    assert not sound_of(call).open
    assert net.messages().count("491 INVITE") == 2


def test_the_latest_of_several_holds_is_offered(net: Network) -> None:
    out, call = net.connect()
    for direction in ("sendonly", "inactive", "sendrecv"):
        out.hold(direction, net.now)
    net.settle()
    assert sound_of(call).theirs == b"v=0 alice offers sendrecv 3"
    assert net.messages("alice").count("INVITE") == 3


def test_a_lost_ack_of_a_reinvite_is_sent_again(net: Network) -> None:
    out, call = net.connect()
    net.loses = lambda sender, message: brief(message) == "ACK"
    out.hold("sendonly", net.now)
    net.settle()
    net.loses = lambda sender, message: False
    net.wait(2)
    assert net.messages("alice").count("ACK") == 3
    net.wait(60)
    assert call.state is CallState.UP


def test_the_far_end_moves_to_another_contact(net: Network) -> None:
    out, call = net.connect()
    request = call.request("UPDATE")
    request.headers.add("Contact", "<sip:bob@192.0.2.2:5060;line=2>")
    call.send(request, net.now)
    net.settle()
    assert net.last("200 UPDATE").body == b""
    out.hangup(net.now)
    net.settle()
    bye = net.last("BYE")
    assert isinstance(bye, Request)
    assert bye.uri == "sip:bob@192.0.2.2:5060;line=2"


def test_an_update_may_carry_an_offer(net: Network) -> None:
    out, call = net.connect()
    request = call.request("UPDATE")
    request.headers.add("Content-Type", "application/sdp")
    request.body = b"v=0 by update"
    call.send(request, net.now)
    net.settle()
    assert net.last("200 UPDATE").body == b"v=0 alice answers"
    assert sound_of(out).theirs == b"v=0 by update"


def test_a_reinvite_without_an_offer_gets_ours(net: Network) -> None:
    out, call = net.connect()
    request = call.request("INVITE")
    request.headers.add("Contact", call.contact)
    answers: list[Response] = []
    call.send(request, net.now, lambda response, _: answers.append(response))
    net.settle()
    assert answers[-1].body == b"v=0 alice offers sendrecv 2"
    ack = call.established.request("ACK", cseq=request.cseq.number)
    ack.headers.add("Content-Type", "application/sdp")
    ack.body = b"v=0 bob answers late"
    call.context.send_ack(ack, call.flow)
    net.settle()
    assert sound_of(out).theirs == b"v=0 bob answers late"
    net.wait(60)
    assert out.state is CallState.UP


def test_a_request_with_an_old_number_is_refused(net: Network) -> None:
    _, call = net.connect()
    old = call.established.request("INFO", cseq=0)
    answers: list[int] = []
    call.send(old, net.now, lambda response, _: answers.append(response.status))
    net.settle()
    # Its number is not newer than that of the first request.
    call.send(call.established.request("INFO", cseq=0), net.now)
    net.settle()
    assert "500 INFO" in net.messages("alice")
    assert answers == [200]


def test_a_request_of_another_dialog_is_481(net: Network) -> None:
    out, call = net.connect()
    request = call.request("INFO")
    request.headers.put("From", "<sip:mallory@192.0.2.66>;tag=mallory")
    request.headers.put("Via", "SIP/2.0/UDP 192.0.2.66;branch=z9hG4bKmallory")
    net.alice.agent.receive(bytes(request), net.alice.flow_to(("192.0.2.66", 5060)), net.now)
    net.settle()
    assert "481 INFO" in net.messages("alice")
    assert out.state is CallState.UP


def test_a_far_end_that_does_not_know_the_call_any_more_ends_it(net: Network) -> None:
    out, call = net.connect()
    call.context.forget(call)
    out.hold("sendonly", net.now)
    net.settle()
    assert net.alice.one(Ended).status == 481
