"""Transfers: asked for by us, asked for by the far end, and calls that take another's place."""

from __future__ import annotations

import pytest

from gateway.sip.dialog.call import Call
from gateway.sip.dialog.state import CallState
from gateway.sip.events import Ended, TransferProgress, TransferRequested
from gateway.sip.syntax.message import Request
from tests.unit.sip.network import Network, Sound, brief


def test_a_transfer_is_asked_for_accepted_and_reported(net: Network) -> None:
    out, call = net.connect()
    out.transfer("sip:carol@192.0.2.3", net.now)
    net.settle()
    asked = net.bob.one(TransferRequested)
    assert (asked.call, asked.target) == (call, "sip:carol@192.0.2.3")
    assert asked.referred_by == "<sip:alice@192.0.2.1>"
    call.transfers.accept(net.now)
    net.settle()
    call.transfers.report(180, net.now)
    call.transfers.report(200, net.now)
    net.settle()
    told = [(event.status, event.final) for event in net.alice.of(TransferProgress)]
    assert told == [(100, False), (180, False), (200, True)]
    assert net.last("NOTIFY").headers.get("Subscription-State") == "terminated;reason=noresource"


def test_a_transfer_that_is_declined_is_told(net: Network) -> None:
    out, call = net.connect()
    out.transfer("tel:+33612345678", net.now)
    net.settle()
    call.transfers.decline(net.now)
    net.settle()
    told = net.alice.one(TransferProgress)
    assert (told.status, told.final) == (603, True)
    assert out.state is call.state is CallState.UP


def test_a_transfer_that_nobody_answers_is_told_and_the_call_goes_on(net: Network) -> None:
    out, call = net.connect()
    net.loses = lambda sender, message: brief(message) == "REFER"
    out.transfer("sip:carol@192.0.2.3", net.now)
    net.wait(33)
    told = net.alice.one(TransferProgress)
    assert (told.status, told.final) == (408, True)
    assert out.state is call.state is CallState.UP


def test_a_second_transfer_is_refused_while_one_is_open(net: Network) -> None:
    out, call = net.connect()
    out.transfer("sip:carol@192.0.2.3", net.now)
    out.transfer("sip:dave@192.0.2.4", net.now)
    net.settle()
    assert "491 REFER" in net.messages("bob")
    assert len(net.bob.of(TransferRequested)) == 1
    assert call.state is CallState.UP


@pytest.mark.parametrize("value", ["", "<sip:", "nobody"])
def test_a_refer_without_a_target_is_400(net: Network, value: str) -> None:
    out, _ = net.connect()
    request = out.request("REFER")
    if value:
        request.headers.add("Refer-To", value)
    out.send(request, net.now)
    net.settle()
    assert net.messages()[-1] == "400 REFER"
    assert not net.bob.of(TransferRequested)


def test_a_notify_that_nobody_asked_for_is_489(net: Network) -> None:
    out, _ = net.connect()
    request = out.request("NOTIFY")
    request.headers.add("Event", "refer")
    out.send(request, net.now)
    net.settle()
    assert net.messages()[-1] == "489 NOTIFY"


def test_a_call_takes_the_place_of_another(net: Network) -> None:
    out, call = net.connect()
    dialog = call.established
    value = f"{dialog.call_id};to-tag={dialog.local.tag};from-tag={dialog.remote.tag}"
    second = net.dial(Sound("carol"), headers=(("Replaces", value),))
    incoming = net.bob.caller
    assert incoming.replaces is call
    incoming.take(Sound("bob"), net.now)
    incoming.answer(net.now)
    net.settle()
    assert second.state is CallState.UP
    assert net.bob.one(Ended).call is call
    assert out.state is CallState.ENDED


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("unknown;to-tag=a;from-tag=b", "481"),
        ("", "400"),
        ("{call_id};to-tag={ours};from-tag=guessed", "481"),
        ("{call_id};to-tag={ours};from-tag={theirs};early-only", "486"),
    ],
)
def test_a_call_that_replaces_nothing_is_refused(net: Network, value: str, status: str) -> None:
    _, call = net.connect()
    dialog = call.established
    value = value.format(call_id=dialog.call_id, ours=dialog.local.tag, theirs=dialog.remote.tag)
    net.dial(headers=(("Replaces", value),))
    assert net.messages("bob")[-1] == f"{status} INVITE"
    assert call.state is CallState.UP


def test_an_attended_transfer_names_the_call_to_be_replaced(net: Network) -> None:
    out, _ = net.connect()
    other = net.dial(Sound("alice"))
    incoming = net.bob.caller
    incoming.take(Sound("bob"), net.now)
    incoming.answer(net.now)
    net.settle()
    out.transfer("sip:bob@192.0.2.2", net.now, replaces=other)
    net.settle()
    refer = net.last("REFER")
    assert isinstance(refer, Request)
    target = net.bob.one(TransferRequested).target
    dialog = other.established
    assert target.startswith("sip:bob@192.0.2.2?Replaces=")
    assert f"to-tag%3D{dialog.remote.tag}" in target
    assert f"from-tag%3D{dialog.local.tag}" in target


@pytest.mark.parametrize("status", ["0200000", "0200" + "0" * 5000, "2000", "99", "700"])
def test_a_report_whose_status_is_no_sip_code_tells_nothing(net: Network, status: str) -> None:
    """More digits than Python takes for an integer must not break the call either."""
    out, call = net.connect()
    out.transfer("sip:carol@192.0.2.3", net.now)
    net.settle()
    call.transfers.accept(net.now)
    net.settle()
    notified(net, call, f"SIP/2.0 {status} OK", "refer")
    assert net.messages("alice")[-1] == "200 NOTIFY"
    assert [event.status for event in net.alice.of(TransferProgress)] == [100]


def test_a_late_report_of_a_transfer_that_was_given_up_is_not_the_next_ones(net: Network) -> None:
    out, call = net.connect()
    net.loses = lambda sender, message: brief(message) == "REFER"
    out.transfer("sip:carol@192.0.2.3", net.now)
    former = out.transfers._cseq
    net.wait(33)
    net.loses = lambda sender, message: False
    out.transfer("sip:dave@192.0.2.4", net.now)
    net.settle()
    call.transfers.accept(net.now)
    net.settle()
    notified(net, call, "SIP/2.0 486 Busy Here", f"refer;id={former}")
    assert net.messages("alice")[-1] == "200 NOTIFY"
    call.transfers.report(200, net.now)
    net.settle()
    told = [(event.status, event.final) for event in net.alice.of(TransferProgress)]
    assert told == [(408, True), (100, False), (200, True)]


def notified(net: Network, call: Call, fragment: str, event: str) -> None:
    """Let Bob tell the progress of a transfer in words of the test's."""
    notify = call.request("NOTIFY")
    for name, value in (
        ("Contact", call.contact),
        ("Event", event),
        ("Subscription-State", "active;expires=60"),
        ("Content-Type", "message/sipfrag"),
    ):
        notify.headers.add(name, value)
    notify.body = f"{fragment}\r\n".encode()
    call.send(notify, net.now)
    net.settle()
