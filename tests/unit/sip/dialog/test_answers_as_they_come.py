"""Answers to an INVITE as proxies and far ends write them: each establishes the call, and its ACK
goes where they said. Rebuilt from reports of other SIP software.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.sip.events import Ended, Established
from gateway.sip.syntax.message import Request, Response
from tests.unit.sip.network import BOB, Network

CONTACT = "Contact: <sip:bob@192.0.2.2>"


def answered(net: Network, *fields: str, change: Callable[[bytes], bytes] = bytes) -> Request:
    """Let Bob answer Alice's INVITE with these header fields; return her ACK."""
    net.dial()
    invite = net.last("INVITE")
    response = Response(200, "OK")
    for name in ("Via", "From", "Call-ID", "CSeq"):
        response.headers.add(name, invite.headers.get(name))
    response.headers.add("To", f"{invite.headers.get('To')};tag=bob")
    for field in fields:
        name, _, value = field.partition(": ")
        response.headers.add(name, value)
    response.headers.add("Content-Type", "application/sdp")
    response.body = b"v=0 Bob answers"
    net.alice.agent.receive(change(bytes(response)), net.alice.flow_to(BOB), net.now)
    net.settle()
    assert net.alice.of(Established)
    assert not net.alice.of(Ended)
    ack = net.last("ACK")
    assert isinstance(ack, Request)
    return ack


@pytest.mark.parametrize(
    ("contact", "target"),
    [
        (
            'sip:xpto@example.local;+sip.instance="<urn:gsma:imei:ABC-M>";audio',
            "sip:xpto@example.local",
        ),
        (
            '<sip:10@192.0.2.2:62221;transport=udp>;language="en,fr";+g.oma.sip-im',
            "sip:10@192.0.2.2:62221;transport=udp",
        ),
        (
            "<sip:+358-555-1234567;postd=pp22@192.0.2.2;user=phone>",
            "sip:+358-555-1234567;postd=pp22@192.0.2.2;user=phone",
        ),
        ("<sip:PBX#1000#9@192.0.2.2>", "sip:PBX#1000#9@192.0.2.2"),
        ("<sip:a@192.0.2.2>, <sip:b@192.0.2.3>", "sip:a@192.0.2.2"),
        ("<sip:85.12.253.12;did=a19.a2e590e>", "sip:85.12.253.12;did=a19.a2e590e"),
        ("<sip:my_pbx_1>", "sip:my_pbx_1"),
        ("<tel:+33612345678>", "sip:bob@192.0.2.2"),
        ("nonsense", "sip:bob@192.0.2.2"),
    ],
)
def test_the_ack_goes_to_the_contact_whatever_stands_around_it(net, contact, target):
    assert answered(net, f"Contact: {contact}").uri == target


@pytest.mark.parametrize(
    ("fields", "routes"),
    [
        (
            ["Record-Route: sip:scscf.192.168.17.144:5054;transport=tcp;lr;service=scscf"],
            ["<sip:scscf.192.168.17.144:5054;transport=tcp;lr;service=scscf>"],
        ),
        (
            ["Record-Route: sip:192.0.2.8;lr, <sip:192.0.2.7;lr>"],
            ["<sip:192.0.2.7;lr>", "<sip:192.0.2.8;lr>"],
        ),
        (
            ["Record-Route: <sip:gw2;lr=on;ftag=1>, <sip:gw1;lr>", "Record-Route: <sip:gw0;lr>"],
            ["<sip:gw0;lr>", "<sip:gw1;lr>", "<sip:gw2;lr=on;ftag=1>"],
        ),
        (
            ["Record-Route: <sip:mo@[FC00:1234:1:0:0:0:0:45];lr=on;nat=yes;did=991.9181>"],
            ["<sip:mo@[FC00:1234:1:0:0:0:0:45];lr=on;nat=yes;did=991.9181>"],
        ),
        (
            ["Record-Route: <sip:mavodi-0-26@217.0.146.197:5061;transport=tls;lr;mavsip-1d2>"],
            ["<sip:mavodi-0-26@217.0.146.197:5061;transport=tls;lr;mavsip-1d2>"],
        ),
        (["Record-Route: "], []),
    ],
    ids=["without brackets", "both kinds", "lists", "IPv6", "long parameters", "empty"],
)
def test_the_route_set_is_what_the_proxies_wrote(net, fields, routes):
    ack = answered(net, CONTACT, *fields)
    assert ack.headers.all("Route") == routes
    assert ack.uri == "sip:bob@192.0.2.2"


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "LF alone": lambda data: data.replace(b"\r\n", b"\n"),
    "LF in one line": lambda data: data.replace(b"\r\nCall-ID", b"\nCall-ID"),
    "a line without a colon": lambda data: data.replace(b"CSeq", b"garbage line\r\nCSeq"),
    "a small version": lambda data: data.replace(b"SIP/2.0 200", b"sip/2.0 200", 1),
    "compact names": lambda data: data.replace(b"Via:", b"v:").replace(b"To:", b"t:"),
    "no length": lambda data: data.replace(b"Content-Length: 15\r\n", b""),
    "no type": lambda data: data.replace(b"Content-Type: application/sdp\r\n", b""),
    "a type with parameters": lambda data: data.replace(
        b"application/sdp", b"Application/SDP ; charset=utf-8"
    ),
    "zeros before the CSeq": lambda data: data.replace(b"CSeq: 1 ", b"CSeq:  0001   "),
    "a folded To": lambda data: data.replace(b"To: ", b"To:\r\n "),
    "a To without brackets": lambda data: data.replace(b"<sip:bob@192.0.2.2>;", b"sip:bob@x;", 1),
    "a Via with blanks": lambda data: data.replace(
        b"SIP/2.0/UDP 192.0.2.1", b"SIP / 2.0 / UDP 192.0.2.1 : 5060 ;received=192.0.2.1"
    ).replace(b" ;received=192.0.2.1:5060", b" ;received=192.0.2.1"),
    "an extension that is required": lambda data: data.replace(
        b"CSeq", b"Require: made-up, timer\r\nCSeq"
    ),
    "another 2xx": lambda data: data.replace(b"200 OK", b"202 Accepted"),
    "no reason": lambda data: data.replace(b"200 OK", b"200 "),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_answer_establishes_the_call_however_it_is_written(net, name):
    answered(net, CONTACT, change=CHANGES[name])
