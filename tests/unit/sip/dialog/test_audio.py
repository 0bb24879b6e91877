"""Calls with real session descriptions."""

from __future__ import annotations

from typing import cast

from gateway.sip.dialog.inbound import InboundCall
from gateway.sip.dialog.outbound import OutboundCall
from gateway.sip.events import Ended
from gateway.sip.session.agreement import Negotiated
from gateway.sip.session.call_media import CallMedia
from gateway.sip.session.offer_answer import OfferAnswer, SrtpPolicy
from tests.unit.sip.network import Network, Sound


def audio(host: str, port: int, srtp: SrtpPolicy = "off") -> Sound:
    """Return a call's media; the network's tests know `Sound` only."""
    exchanges = OfferAnswer(host, port, lambda n: bytes(range(n)), srtp=srtp)
    return cast("Sound", CallMedia(exchanges, host))


def agreed(call: OutboundCall | InboundCall) -> Negotiated:
    assert isinstance(call.media, CallMedia)
    assert call.media.negotiated is not None
    return call.media.negotiated


def connect(net: Network, srtp: SrtpPolicy = "off") -> tuple[OutboundCall, InboundCall]:
    out = net.dial(audio("192.0.2.1", 20000, srtp))
    call = net.bob.caller
    assert call.take(audio("192.0.2.2", 30000, srtp), net.now)
    call.answer(net.now)
    net.settle()
    return out, call


def test_both_sides_know_where_to_send_what(net: Network) -> None:
    out, call = connect(net)
    assert (agreed(out).host, agreed(out).rtp_port) == ("192.0.2.2", 30000)
    assert (agreed(call).host, agreed(call).rtp_port) == ("192.0.2.1", 20000)
    assert agreed(out).law == agreed(call).law
    assert agreed(out).telephone_event == agreed(call).telephone_event == 101


def test_a_hold_and_its_end(net: Network) -> None:
    out, call = connect(net)
    out.hold("sendonly", net.now)
    net.settle()
    assert not agreed(out).may_receive
    assert not agreed(call).may_send
    out.hold("sendrecv", net.now)
    net.settle()
    assert agreed(out).may_receive
    assert agreed(call).may_send


def test_encrypted_on_both_sides(net: Network) -> None:
    out, call = connect(net, "required")
    ours, theirs = agreed(out).srtp, agreed(call).srtp
    assert ours is not None
    assert theirs is not None
    assert ours.our_key == theirs.their_key


def test_plain_and_required_encryption_do_not_meet_and_say_why(net: Network) -> None:
    net.dial(audio("192.0.2.1", 20000, "required"))
    assert not net.bob.caller.take(audio("192.0.2.2", 30000), net.now)
    net.settle()
    over = net.alice.one(Ended)
    assert over.status == 488
    assert "SRTP" in over.reason or "SAVP" in over.reason


def test_a_description_that_cannot_be_read_is_400_with_the_reason(net: Network) -> None:
    net.dial()
    assert not net.bob.caller.take(audio("192.0.2.2", 30000), net.now)
    net.settle()
    over = net.alice.one(Ended)
    assert over.status == 400
    assert "session description" in over.reason
