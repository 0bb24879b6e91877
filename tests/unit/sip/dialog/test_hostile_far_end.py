"""Far ends that say what they must not, or nothing: the call ends with its reason, or goes on."""

from __future__ import annotations

import pytest

from gateway.sip.dialog.state import CallState
from gateway.sip.events import Ended, Established, KeyPressed, MediaAgreed, TransferRequested
from gateway.sip.syntax.message import Request, Response
from tests.unit.sip.network import Network, Sound, brief


def answered(net: Network, status: int, tag: str, body: bytes = b"", **fields: str) -> None:
    """Let a called party with that tag answer Alice's INVITE."""
    invite = net.last("INVITE")
    response = Response(status, "as it likes")
    for name in ("Via", "From", "Call-ID", "CSeq"):
        response.headers.add(name, invite.headers.get(name))
    response.headers.add("To", invite.headers.get("To") + (f";tag={tag}" if tag else ""))
    response.headers.add("Contact", f"<sip:{tag or 'bob'}@192.0.2.2>")
    for name, value in fields.items():
        response.headers.put(name.replace("_", "-"), value)
    if body:
        response.headers.put("Content-Type", "application/sdp")
        response.body = body
    net.alice.agent.receive(bytes(response), net.alice.flow_to(net.bob.address), net.now)
    net.settle()


def from_callee(net: Network, method: str, tag: str, cseq: int = 1, **fields: str) -> None:
    """Let the called party with that tag send Alice a request."""
    invite = net.last("INVITE")
    request = Request(method, "sip:alice@192.0.2.1")
    request.headers.add("Via", f"SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK{method}{tag}{cseq}")
    request.headers.add("From", f"{invite.headers.get('To')};tag={tag}")
    request.headers.add("To", invite.headers.get("From"))
    request.headers.add("Call-ID", invite.call_id)
    request.headers.add("CSeq", f"{cseq} {method}")
    for name, value in fields.items():
        request.headers.put(name.replace("_", "-"), value)
    net.alice.agent.receive(bytes(request), net.alice.flow_to(net.bob.address), net.now)
    net.settle()


@pytest.mark.parametrize(
    "fields",
    [
        {"Record_Route": "<sip:"},
        {"Record_Route": ", ".join(["<sip:192.0.2.9;lr>"] * 21)},
        {"To": "<sip:bob"},
    ],
)
def test_an_answer_that_opens_no_dialog_ends_the_call_with_the_reason(
    net: Network, fields: dict[str, str]
) -> None:
    net.dial()
    answered(net, 200, "bob", b"v=0 answer", **fields)
    assert net.alice.one(Ended).reason.startswith("the answer cannot be used: ")
    net.bob.caller.reject(net.now, 486)
    net.wait(64)
    assert net.nothing_left()


def test_an_answer_without_a_tag_is_taken_as_from_an_old_far_end(net: Network) -> None:
    out = net.dial()
    answered(net, 200, "", b"v=0 answer")
    assert net.alice.one(Established).call is out
    assert net.messages("alice") == ["INVITE", "ACK"]


def test_a_comma_in_a_proxys_name_does_not_split_its_route(net: Network) -> None:
    out = net.dial()
    answered(
        net,
        200,
        "bob",
        b"v=0 answer",
        Record_Route='"One, two" <sip:192.0.2.2;lr>, <sip:192.0.2.3;lr>',
    )
    out.press("1", net.now)
    net.settle()
    routes = net.last("INFO").headers.all("Route")
    assert routes == ["<sip:192.0.2.3;lr>", '"One, two" <sip:192.0.2.2;lr>']


def test_bye_of_another_called_party_leaves_the_call_up(net: Network) -> None:
    out = net.dial()
    answered(net, 180, "other")
    answered(net, 200, "bob", b"v=0 answer")
    from_callee(net, "BYE", "other")
    assert net.messages("alice")[-1] == "200 BYE"
    assert out.state is CallState.UP
    from_callee(net, "INFO", "other", 2)
    assert net.messages("alice")[-1] == "481 INFO"
    assert out.state is CallState.UP


def test_a_lost_prack_of_another_called_party_leaves_the_call_up(net: Network) -> None:
    out = net.dial()
    net.loses = lambda sender, message: brief(message) == "PRACK"
    answered(net, 183, "other", b"v=0 early", Require="100rel", RSeq="1")
    answered(net, 200, "bob", b"v=0 answer")
    net.wait(40)
    assert out.state is CallState.UP


def test_the_early_answer_of_whoever_answers_counts(net: Network) -> None:
    out = net.dial()
    answered(net, 183, "bob", b"v=0 of bob", Require="100rel", RSeq="1")
    answered(net, 183, "other", b"v=0 of the other", Require="100rel", RSeq="1")
    answered(net, 200, "bob")
    assert isinstance(out.media, Sound)
    assert out.media.theirs == b"v=0 of bob"
    assert len(net.alice.of(MediaAgreed)) == 3


def test_an_answer_after_a_reliable_one_is_passed_over(net: Network) -> None:
    out = net.dial()
    answered(net, 183, "bob", b"v=0 first", Require="100rel", RSeq="1")
    answered(net, 200, "bob", b"v=0 second")
    assert isinstance(out.media, Sound)
    assert out.media.theirs == b"v=0 first"


def test_a_called_party_that_says_bye_while_it_rings_ends_the_call_and_leaves_nothing(
    net: Network,
) -> None:
    net.dial()
    net.loses = lambda sender, message: True
    answered(net, 180, "bob")
    from_callee(net, "BYE", "bob")
    assert net.alice.one(Ended).status == 480
    assert net.messages("alice")[-2:] == ["200 BYE", "CANCEL"]
    net.bob.caller.reject(net.now, 486)
    net.wait(120)
    assert net.nothing_left()


def test_a_cancel_that_nobody_confirms_ends_the_call_and_leaves_nothing(net: Network) -> None:
    out = net.dial()
    net.loses = lambda sender, message: True
    out.hangup(net.now)
    net.wait(33)
    assert net.alice.one(Ended).status == 487
    net.bob.caller.reject(net.now, 486)
    net.wait(64)
    assert net.nothing_left()


def test_a_reinvite_that_is_only_tried_is_given_up(net: Network) -> None:
    out, _ = net.connect()
    net.loses = lambda sender, message: True
    out.hold("sendonly", net.now)
    net.settle()
    answered(net, 100, "bob")
    out.hangup(net.now)
    net.wait(100)
    assert not net.alice.agent.context.transactions.clients


def test_an_answer_to_a_reinvite_after_the_end_is_acknowledged_and_tells_nothing(
    net: Network,
) -> None:
    out, _ = net.connect(session_expires=90)
    net.loses = lambda sender, message: sender == "bob"
    out.hold("sendonly", net.now)
    out.hangup(net.now)
    net.settle()
    told = len(net.alice.events)
    net.loses = lambda sender, message: False
    net.wait(200)
    assert len(net.alice.events) == told
    assert net.nothing_left()


def test_keys_after_the_end_are_not_told(net: Network) -> None:
    out = net.dial()
    call = net.bob.caller
    call.take(Sound("bob"), net.now)
    net.loses = lambda sender, message: brief(message) == "ACK"
    call.answer(net.now)
    net.settle()
    call.hangup(net.now)
    out.press("5", net.now)
    net.settle()
    assert "481 INFO" in net.messages("bob")
    assert not net.bob.of(KeyPressed)


def test_bye_before_the_ack_needs_no_bye_of_ours(net: Network) -> None:
    out = net.dial()
    call = net.bob.caller
    call.take(Sound("bob"), net.now)
    net.loses = lambda sender, message: brief(message) == "ACK"
    call.answer(net.now)
    net.settle()
    out.hangup(net.now)
    net.settle()
    net.loses = lambda sender, message: False
    net.wait(100)
    assert "BYE" not in net.messages("bob")
    assert net.nothing_left()


@pytest.mark.parametrize("body", [b"", b"v=0 too early"])
def test_an_update_before_anything_is_decided_changes_nothing(net: Network, body: bytes) -> None:
    out = net.dial()
    answered(net, 180, net.bob.caller.tag)
    update = out.request("UPDATE")
    update.headers.put("Session-Expires", "90;refresher=uac")
    if body:
        update.headers.put("Content-Type", "application/sdp")
        update.body = body
    out.send(update, net.now)
    net.settle()
    assert net.messages("bob")[-1] == ("491 UPDATE" if body else "200 UPDATE")
    net.wait(100)
    assert not net.bob.of(Ended)


def test_a_new_offer_in_a_prack_is_answered_there_and_in_the_200(net: Network) -> None:
    out = net.dial(headers=(("Require", "100rel"),))
    call = net.bob.caller
    call.take(Sound("bob"), net.now)
    net.loses = lambda sender, message: brief(message) == "PRACK"
    call.progress(net.now)
    net.settle()
    prack = out.request("PRACK")
    prack.headers.put("RAck", net.last("PRACK").headers.get("RAck"))
    prack.headers.put("Content-Type", "application/sdp")
    prack.body = b"v=0 a new offer"
    net.loses = lambda sender, message: False
    out.send(prack, net.now)
    net.settle()
    assert net.last("200 PRACK").body == b"v=0 bob answers"
    assert isinstance(call.media, Sound)
    assert call.media.theirs == b"v=0 a new offer"


def test_a_refer_that_nobody_decides_about_is_refused_in_time(net: Network) -> None:
    out, call = net.connect()
    out.transfer("sip:carol@192.0.2.3", net.now)
    net.settle()
    assert net.bob.of(TransferRequested)
    call.hangup(net.now)
    net.wait(31)
    assert net.messages("bob")[-1] == "603 REFER"
    net.wait(64)
    assert net.nothing_left()


def test_an_interval_of_a_second_does_not_make_us_refresh_without_pause(net: Network) -> None:
    out = net.dial(session_expires=1800)
    answered(net, 200, "bob", b"v=0 answer", Session_Expires="1;refresher=uac", Allow="UPDATE")
    net.wait(40)
    assert "UPDATE" not in net.messages("alice")
    assert out.state is CallState.UP


def test_a_far_end_that_always_wants_longer_sessions_is_given_up(net: Network) -> None:
    net.dial(session_expires=90)
    for longer in range(91, 100):
        if not net.alice.of(Ended):
            answered(net, 422, "bob", Min_SE=str(longer))
    assert net.messages("alice").count("INVITE") == 4
    assert net.alice.one(Ended).status == 422


@pytest.mark.parametrize("method", ["INVITE", "INFO"])
def test_an_unknown_extension_is_refused_in_the_dialog_too(net: Network, method: str) -> None:
    out, _ = net.connect()
    request = out.request(method)
    request.headers.put("Require", "made-up")
    out.send(request, net.now)
    net.settle()
    assert net.last(f"420 {method}").headers.get("Unsupported") == "made-up"


def test_bye_is_taken_whatever_it_requires(net: Network) -> None:
    out, _ = net.connect()
    request = out.request("BYE")
    request.headers.put("Require", "made-up")
    out.send(request, net.now)
    net.settle()
    assert net.messages("bob")[-1] == "200 BYE"


def test_a_reason_of_several_lines_is_one_line_on_the_wire(net: Network) -> None:
    _, call = net.connect()
    call.hangup(net.now, 'she said "no\\"\r\nX-Evil: 1')
    net.settle()
    assert net.last("BYE").headers.get("X-Evil") == ""
    assert net.bob.one(Ended).reason.startswith('she said "no')


def test_a_call_cannot_be_replaced_from_another_address(net: Network) -> None:
    _, call = net.connect()
    dialog = call.established
    value = f"{dialog.call_id};to-tag={dialog.local.tag};from-tag={dialog.remote.tag}"
    invite = net.last("INVITE")
    assert isinstance(invite, Request)
    theft = Request("INVITE", invite.uri, headers=invite.headers.copy(), body=invite.body)
    theft.headers.put("Call-ID", "theft")
    theft.headers.put("Via", "SIP/2.0/UDP 203.0.113.66:5060;branch=z9hG4bKtheft;rport")
    theft.headers.put("Replaces", value)
    net.bob.agent.receive(bytes(theft), net.bob.flow_to(("203.0.113.66", 5060)), net.now)
    net.settle()
    assert net.messages("bob")[-1] == "481 INVITE"
    assert call.state is CallState.UP


def test_a_reliable_ring_without_an_offer_is_not_sent(net: Network) -> None:
    net.dial()
    invite = net.last("INVITE")
    assert isinstance(invite, Request)
    late = Request("INVITE", invite.uri, headers=invite.headers.copy())
    for name, value in (
        ("Call-ID", "late"),
        ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKlate"),
        ("Require", "100rel"),
    ):
        late.headers.put(name, value)
    late.headers.remove("Content-Type")
    net.bob.agent.receive(bytes(late), net.bob.flow_to(net.alice.address), net.now)
    net.settle()
    call = net.bob.caller
    assert call.take(Sound("bob"), net.now)
    call.ring(net.now)
    net.settle()
    assert net.messages("bob")[-1] == "100 INVITE"
    call.answer(net.now)
    net.settle()
    assert net.messages("bob")[-1] == "200 INVITE"


def test_a_call_to_nobody_in_particular_has_a_contact_that_can_be_read(net: Network) -> None:
    net.dial()
    invite = net.last("INVITE")
    assert isinstance(invite, Request)
    bare = Request("INVITE", "sip:192.0.2.2", headers=invite.headers.copy())
    bare.headers.put("Call-ID", "bare")
    bare.headers.put("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKbare")
    net.bob.agent.receive(bytes(bare), net.bob.flow_to(net.alice.address), net.now)
    net.settle()
    net.bob.caller.ring(net.now)
    net.settle()
    assert net.last("180 INVITE").headers.get("Contact") == "<sip:192.0.2.2:5060>"


def test_a_hold_that_was_wished_before_the_answer_follows_it(net: Network) -> None:
    out = net.dial()
    out.hold("sendonly", net.now)
    call = net.bob.caller
    call.take(Sound("bob"), net.now)
    call.answer(net.now)
    net.settle()
    assert isinstance(call.media, Sound)
    assert call.media.theirs == b"v=0 alice offers sendonly 2"


def test_a_connection_that_breaks_loses_the_request_and_not_the_call(net: Network) -> None:
    out, _ = net.connect()
    net.loses = lambda sender, message: True
    out.hold("sendonly", net.now)
    net.settle()
    net.alice.agent.lose_flow(out.flow, net.now)
    net.settle()
    assert out.state is CallState.UP
    assert isinstance(out.media, Sound)
    assert not out.media.open
    net.loses = lambda sender, message: False
    out.hold("sendonly", net.now)
    net.settle()
    assert net.messages("alice")[-1] == "ACK"


def test_calls_go_on_by_another_flow(net: Network) -> None:
    out, call = net.connect()
    out.flow = gone = net.alice.flow_to(("192.0.2.77", 5060))
    net.alice.agent.move_calls(gone, net.alice.flow_to(net.bob.address))
    out.hangup(net.now)
    net.settle()
    assert call.state is CallState.ENDED
