"""Tests of calls through the edge, inbound and outbound: hidden addresses, and endings."""

import shutil

import pytest

from tests.sip.edge.talk import call_out, invite, outside_names_nothing_inside, reached
from tests.sip.edge_messages import next_hop, reply, routes, sdp, within, within_called
from tests.sip.edge_talkers import PEER, PUBLIC

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")


def answered_call_in(edge, children, peer):
    """-> (the child, the INVITE as it saw it, the 200 as the peer saw it)."""
    peer.send(invite(edge, peer), edge.public)
    got = reached(children)
    child = next(c for c in children if got in c.everything)
    child.send(reply(got, 180, contact=f"<sip:x@{child.at}>"), got.source)
    assert peer.expect(180)
    ok = reply(got, 200, contact=f"<sip:x@{child.at}>", body=sdp("127.0.0.1", 40002))
    child.send(ok, got.source)
    return child, got, peer.expect(200)


def test_an_inbound_call_that_the_caller_ends_never_shows_the_child(edge, children, peer):
    child, got, ok = answered_call_in(edge, children, peer)
    assert ok["Contact"] == f"<sip:x@{PUBLIC}:{edge.port}>"
    assert [route.partition(";")[0] for route in routes(ok)] == [f"<sip:{PUBLIC}:{edge.port}"]
    assert f"c=IN IP4 {PUBLIC}\r\n" in ok.body
    assert f"o=- 1 1 IN IP4 {PUBLIC}\r\n" in ok.body
    assert int(ok["Content-Length"]) == len(ok.body)
    assert routes(got)[0].startswith(f"<sip:127.0.0.1:{edge.inside[1]};")
    for method, cseq in (("ACK", 1), ("INVITE", 2), ("ACK", 2), ("INFO", 3), ("BYE", 4)):
        body = sdp(peer.ip) if method == "INVITE" else ""
        text = within(method, ok, peer, cseq=cseq, body=body)
        peer.send(text, next_hop(text))
        inner = child.expect(method)
        assert not inner.all("Route")
        if method != "ACK":
            body = sdp("127.0.0.1") if method == "INVITE" else ""
            child.send(reply(inner, 200, contact=f"<sip:x@{child.at}>", body=body), inner.source)
            assert peer.expect(200)["CSeq"] == f"{cseq} {method}"
    outside_names_nothing_inside(peer)


def test_refer_within_a_call_is_refused(edge, children, peer):
    _, _, ok = answered_call_in(edge, children, peer)
    text = within("REFER", ok, peer, cseq=2, extra=["Refer-To: <sip:+15550001@example.org>"])
    peer.send(text, edge.public)
    peer.expect(405)
    assert reached(children, 0.3) is None


def test_a_transfer_that_the_child_asks_for_goes_out_and_its_outcome_comes_in(edge, children, peer):
    child, got, ok = answered_call_in(edge, children, peer)
    ack = within("ACK", ok, peer, cseq=1)
    peer.send(ack, next_hop(ack))
    child.expect("ACK")
    target = "Refer-To: <sip:+15550001@example.org>"
    text = within_called("REFER", got, child, cseq=1, extra=[target])
    child.send(text, next_hop(text))
    seen = peer.expect("REFER")
    assert seen["Refer-To"] == "<sip:+15550001@example.org>"
    peer.send(reply(seen, 202, contact=f"<sip:p@{peer.at}>"), seen.source)
    assert child.expect(202)
    state = "Subscription-State: terminated;reason=noresource"
    for cseq, event, body in (
        (2, "Event: refer", "SIP/2.0 200 OK\r\nX-Evil: 1\r\nTo: <sip:boss@x>\r\n"),
        (3, "o: refer;id=1", "SIP/2.0 486 Busy Here\r\n"),
        (4, "Event: refer", "GET / HTTP/1.0\r\n"),
    ):
        text = within(
            "NOTIFY", ok, peer, cseq=cseq, extra=[event, state],
            body=body, content_type="message/sipfrag;version=2.0",
        )  # fmt: skip
        peer.send(text, next_hop(text))
        inner = child.expect("NOTIFY")
        assert inner["Subscription-State"] == "terminated;reason=noresource"
        assert inner["Event"].startswith("refer")
        assert inner.body == (f"{body[:11]}\r\n" if body.startswith("SIP") else "")
        child.send(reply(inner, 200), inner.source)
        assert peer.expect(200)["CSeq"] == f"{cseq} NOTIFY"
    text = within("NOTIFY", ok, peer, cseq=5, extra=["Event: message-summary", state])
    peer.send(text, next_hop(text))
    peer.expect(405)
    outside_names_nothing_inside(peer)


def test_an_inbound_call_can_be_ended_by_the_child(edge, children, peer):
    child, got, ok = answered_call_in(edge, children, peer)
    ack = within("ACK", ok, peer, cseq=1)
    peer.send(ack, next_hop(ack))
    child.expect("ACK")
    for method, cseq in (("INVITE", 1), ("ACK", 1), ("BYE", 2)):
        body = sdp("127.0.0.1") if method == "INVITE" else ""
        text = within_called(method, got, child, cseq=cseq, body=body)
        assert next_hop(text) == edge.inside
        child.send(text, next_hop(text))
        seen = peer.expect(method)
        assert seen.first == f"{method} sip:talker@{peer.at} SIP/2.0"
        if method != "ACK":
            body = sdp(peer.ip) if method == "INVITE" else ""
            peer.send(reply(seen, 200, contact=f"<sip:p@{peer.at}>", body=body), seen.source)
            assert child.expect(200)
    outside_names_nothing_inside(peer)


def test_a_caller_s_cancel_reaches_the_child(edge, children, peer):
    text = invite(edge, peer)
    peer.send(text, edge.public)
    got = reached(children)
    child = next(c for c in children if got in c.everything)
    child.send(reply(got, 180, contact=f"<sip:x@{child.at}>"), got.source)
    peer.expect(180)
    head = text.partition("\r\n\r\n")[0].replace("INVITE", "CANCEL")
    lines = [line for line in head.split("\r\n") if not line.startswith("Content-")]
    peer.send("\r\n".join([*lines, "Content-Length: 0"]) + "\r\n\r\n", edge.public)
    cancel = child.expect("CANCEL")
    child.send(reply(cancel, 200), cancel.source)
    child.send(reply(got, 487), got.source)
    assert peer.expect(487)
    assert child.expect("ACK")
    outside_names_nothing_inside(peer)


def test_an_outbound_call_never_shows_the_child_and_can_be_ended_from_both_sides(
    edge, child, talkers
):
    for by_child in (True, False):
        carrier = talkers("127.0.0.48")
        call_out(edge, child, carrier)
        seen = carrier.expect("INVITE")
        assert seen.first == "INVITE sip:+15550001@trunk.example SIP/2.0"
        assert seen["Contact"] == f"<sip:alice@{PUBLIC}:{edge.port}>"
        assert f"c=IN IP4 {PUBLIC}\r\n" in seen.body
        assert not seen.all("Route")
        # A proxy of the carrier's stays in the path.
        elsewhere = talkers("127.0.0.49")
        seen.headers.insert(0, ("record-route", f"<sip:{elsewhere.at};lr>"))
        ok = reply(seen, 200, contact=f"<sip:c@{carrier.at}>", body=sdp(carrier.ip))
        carrier.send(ok, seen.source)
        got = child.expect(200)
        assert routes(got)[-1].startswith(f"<sip:127.0.0.1:{edge.inside[1]};")
        ack = within("ACK", got, child, cseq=1)
        assert next_hop(ack) == edge.inside
        child.send(ack, edge.inside)
        assert elsewhere.expect("ACK")["Route"] == f"<sip:{elsewhere.at};lr>"
        if by_child:
            child.send(within("BYE", got, child, cseq=2), edge.inside)
            bye = elsewhere.expect("BYE")
            elsewhere.send(reply(bye, 200), bye.source)
            assert child.expect(200)
        else:
            seen.headers.pop(0)
            bye = within_called("BYE", seen, carrier, cseq=1)
            assert next_hop(bye) == edge.public
            carrier.send(bye, edge.public)
            inner = child.expect("BYE")
            child.send(reply(inner, 200), inner.source)
            assert carrier.expect(200)
        outside_names_nothing_inside(carrier, elsewhere)


def test_a_child_s_cancel_reaches_the_carrier(edge, child, talkers):
    carrier = talkers("127.0.0.50")
    text = call_out(edge, child, carrier)
    seen = carrier.expect("INVITE")
    carrier.send(reply(seen, 183, contact=f"<sip:c@{carrier.at}>"), seen.source)
    child.expect(183)
    head = text.partition("\r\n\r\n")[0].replace("INVITE", "CANCEL")
    lines = [line for line in head.split("\r\n") if not line.startswith("Content-")]
    child.send("\r\n".join([*lines, "Content-Length: 0"]) + "\r\n\r\n", edge.inside)
    cancel = carrier.expect("CANCEL")
    carrier.send(reply(cancel, 200), cancel.source)
    carrier.send(reply(seen, 487), seen.source)
    child.expect(487)
    carrier.expect("ACK")
    outside_names_nothing_inside(carrier)


def test_two_children_can_have_calls_with_the_same_call_id(edge, children, talkers):
    """A carrier that is a proxy only gives our own call back to us under the same Call-ID."""
    carrier = talkers(PEER)
    caller = children[0]
    call_out(edge, caller, carrier)
    seen = carrier.expect("INVITE")
    seen_via = f"Via: SIP/2.0/UDP {carrier.at};branch=z9hG4bKspiral"
    looped = seen.text.replace("sip:+15550001@trunk.example SIP", f"{edge.uri('+33888')} SIP", 1)
    looped = looped.replace("\r\n", f"\r\nRecord-Route: <sip:{carrier.at};lr>\r\n{seen_via}\r\n", 1)
    for _ in range(2):  # round robin: until it is the other child's turn
        carrier.send(looped, edge.public)
        got = reached(children)
        called = next(c for c in children if got in c.everything)
        if called is not caller:
            break
        called.send(reply(got, 486), got.source)
        carrier.expect(486)
        looped = looped.replace("z9hG4bKspiral", "z9hG4bKspiral2")
    assert called is children[1]
    ok = reply(got, 200, contact=f"<sip:b@{called.at}>", body=sdp("127.0.0.1"))
    called.send(ok, got.source)
    back = carrier.expect(200)
    carrier.send(
        back.text.replace(f"Via: SIP/2.0/UDP {carrier.at};branch=z9hG4bKspiral", "X: y").replace(
            "2\r\n", "2\r\n"
        ),
        seen.source,
    )
    answered = caller.expect(200)
    bye = within("BYE", answered, caller, cseq=2)
    caller.send(bye, edge.inside)
    via_carrier = carrier.expect("BYE")
    onward = via_carrier.text.replace(f"Route: <sip:{carrier.at};lr>,", "Route: ").replace(
        f"Route: <sip:{carrier.at};lr>\r\n", ""
    )
    onward = onward.replace("\r\n", f"\r\n{seen_via}bye\r\n", 1)
    carrier.send(onward, edge.public)
    assert called.expect("BYE")
    outside_names_nothing_inside(carrier)
