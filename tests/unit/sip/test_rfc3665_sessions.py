"""The call flows of RFC 3665 section 3, by their names: who sends what, in which order.

3.1 to 3.11 as far as a user agent is concerned; the proxies are those of `proxied_network`.
"""

from __future__ import annotations

import pytest

from gateway.sip.dialog.state import CallState
from gateway.sip.digest.authoriser import DigestAuthoriser
from gateway.sip.events import Ended, Established, Progress, Side
from gateway.sip.syntax.message import Request
from tests.unit.sip.dialog.test_audio import agreed, audio
from tests.unit.sip.network import BOB, Network, Sound
from tests.unit.sip.proxied_network import ATLANTA, BILOXI, ProxiedNetwork


@pytest.fixture
def proxied() -> ProxiedNetwork:
    return ProxiedNetwork()


def bob_answers(net: Network) -> None:
    call = net.bob.caller
    assert call.take(Sound("bob"), net.now)
    call.ring(net.now)
    net.settle()
    call.answer(net.now)
    net.settle()


def bob_hangs_up(net: Network) -> None:
    net.bob.caller.hangup(net.now)
    net.settle()
    assert net.bob.one(Ended).by is Side.US
    net.wait(64)
    assert net.nothing_left()


ANSWERED = ["180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"]


def test_3_1_successful_session_establishment(net: Network) -> None:
    net.dial()
    bob_answers(net)
    bob_hangs_up(net)
    assert net.messages() == ["INVITE", "100 INVITE", *ANSWERED]
    assert [net.messages("alice"), net.messages("bob")[1:]] == [
        ["INVITE", "ACK", "200 BYE"],
        ["180 INVITE", "200 INVITE", "BYE"],
    ]


THROUGH_TWO = [
    *("Alice INVITE", "Proxy 1 100 INVITE", "Proxy 1 INVITE", "Proxy 2 100 INVITE"),
    *("Proxy 2 INVITE", "Bob 100 INVITE"),
    *("Bob 180 INVITE", "Proxy 2 180 INVITE", "Proxy 1 180 INVITE"),
    *("Bob 200 INVITE", "Proxy 2 200 INVITE", "Proxy 1 200 INVITE"),
    *("Alice ACK", "Proxy 1 ACK", "Proxy 2 ACK"),
    *("Bob BYE", "Proxy 2 BYE", "Proxy 1 BYE"),
    *("Alice 200 BYE", "Proxy 1 200 BYE", "Proxy 2 200 BYE"),
]


def test_3_2_session_establishment_through_two_proxies(proxied: ProxiedNetwork) -> None:
    proxied.call()
    bob_answers(proxied)
    assert proxied.alice.one(Progress).status == 180
    assert proxied.last("ACK").headers.values("Route") == [
        f"<sip:{ATLANTA[0]};lr>",
        f"<sip:{BILOXI[0]};lr>",
    ]
    bob_hangs_up(proxied)
    assert proxied.last("BYE").headers.values("Route") == [
        f"<sip:{BILOXI[0]};lr>",
        f"<sip:{ATLANTA[0]};lr>",
    ]
    assert proxied.flow == THROUGH_TWO


def test_3_3_session_establishment_with_multiple_proxy_authentication(
    proxied: ProxiedNetwork,
) -> None:
    first, second = proxied.proxies
    first.realm, second.realm = "atlanta.example.com", "biloxi.example.com"
    proxied.call(DigestAuthoriser("alice", "secret", bytes))
    bob_answers(proxied)
    bob_hangs_up(proxied)
    first_refuses = ["Alice INVITE", "Proxy 1 407 INVITE", "Alice ACK"]
    second_refuses = [
        *("Alice INVITE", "Proxy 1 100 INVITE", "Proxy 1 INVITE", "Proxy 2 407 INVITE"),
        *("Proxy 1 407 INVITE", "Alice ACK", "Proxy 1 ACK"),
    ]
    assert proxied.flow == [*first_refuses, *second_refuses, *THROUGH_TWO]
    credentials = proxied.last("ACK").headers.all("Proxy-Authorization")
    assert [realm in one for one, realm in zip(credentials, ("atlanta", "biloxi"), strict=True)]


def test_3_4_successful_session_with_proxy_failure() -> None:
    net = ProxiedNetwork(1)
    (proxy,) = net.proxies
    proxy.dead = True
    net.call()
    net.wait(33)
    assert net.alice.one(Ended).status == 408
    assert net.flow == ["Alice INVITE"] * 7
    net.flow.clear()
    # The next of the addresses that the name has: the one that tries them is who dials.
    net.call(by=BOB)
    bob_answers(net)
    bob_hangs_up(net)
    assert [step.partition(" ")[2] for step in net.flow] == ["INVITE", "100 INVITE", *ANSWERED]


def test_3_5_session_through_a_sip_alg() -> None:
    net = ProxiedNetwork(1)
    (firewall,) = net.proxies
    firewall.rewrites = lambda body: body.replace(b"alice", b"inside").replace(b"bob", b"outside")
    out = net.call()
    bob_answers(net)
    assert net.bob.caller.media.theirs == b"v=0 inside offers sendrecv 1"
    assert isinstance(out.media, Sound)
    assert out.media.theirs == b"v=0 outside answers"
    bob_hangs_up(net)
    assert [step for step in net.flow if step.startswith(("Alice", "Bob"))] == [
        *("Alice INVITE", "Bob 100 INVITE", "Bob 180 INVITE", "Bob 200 INVITE", "Alice ACK"),
        *("Bob BYE", "Alice 200 BYE"),
    ]


def test_3_6_session_via_redirect_and_proxy_servers_with_sdp_in_ack(net: Network) -> None:
    net.dial()
    net.bob.caller.reject(net.now, 302)
    net.settle()
    assert net.alice.one(Ended).status == 302
    assert net.messages() == ["INVITE", "100 INVITE", "302 INVITE", "ACK"]
    net.sent.clear()
    from_alice(net, "INVITE", "second", 1)
    call, sound = net.bob.caller, Sound("bob")
    assert call.take(sound, net.now)
    call.ring(net.now)
    net.settle()
    call.answer(net.now)
    net.settle()
    assert net.last("180 INVITE").body == b""
    assert net.last("200 INVITE").body == b"v=0 bob offers sendrecv 1"
    from_alice(net, "ACK", "second", 1, b"v=0 the answer of Alice")
    assert sound.theirs == b"v=0 the answer of Alice"
    assert net.bob.one(Established).call is call
    from_alice(net, "BYE", "second", 2)
    assert net.messages("bob") == ["100 INVITE", "180 INVITE", "200 INVITE", "200 BYE"]
    assert call.state is CallState.ENDED


def from_alice(net: Network, method: str, call_id: str, cseq: int, body: bytes = b"") -> None:
    """Let Bob receive a request of Alice that her user agent does not make by itself."""
    request = Request(method, "sip:bob@192.0.2.2")
    request.headers.add("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{method}{cseq}")
    request.headers.add("From", "<sip:alice@atlanta.example.com>;tag=9fxced76sl")
    to = net.last("200 INVITE").headers.get("To") if method != "INVITE" else "<sip:bob@192.0.2.2>"
    request.headers.add("To", to)
    request.headers.add("Call-ID", call_id)
    request.headers.add("CSeq", f"{cseq} {method}")
    request.headers.add("Contact", "<sip:alice@192.0.2.1>")
    if body:
        request.headers.add("Content-Type", "application/sdp")
        request.body = body
    net.bob.agent.receive(bytes(request), net.bob.flow_to(net.alice.address), net.now)
    net.settle()


def test_3_7_session_with_re_invite_ip_address_change(net: Network) -> None:
    out = net.dial(audio("192.0.2.1", 20000))
    call = net.bob.caller
    assert call.take(audio("192.0.2.2", 30000), net.now)
    call.ring(net.now)
    call.answer(net.now)
    net.settle()
    again = call.request("INVITE")
    again.headers.add("Contact", "<sip:bob@203.0.113.5>")
    again.headers.add("Content-Type", "application/sdp")
    moved = audio("203.0.113.5", 31000)
    again.body = moved.make_offer("sendrecv")
    call.send(again, net.now)
    net.settle()
    assert (agreed(out).host, agreed(out).rtp_port) == ("203.0.113.5", 31000)
    out.hangup(net.now)
    net.settle()
    bye = net.last("BYE")
    assert isinstance(bye, Request)
    assert bye.uri == "sip:bob@203.0.113.5"
    assert net.messages()[:7] == [
        *("INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK"),
        *("INVITE", "200 INVITE"),
    ]
    assert net.messages("alice")[-1] == "BYE"


def test_3_8_unsuccessful_no_answer(proxied: ProxiedNetwork) -> None:
    out = proxied.call()
    proxied.bob.caller.ring(proxied.now)
    proxied.settle()
    out.hangup(proxied.now)
    proxied.settle()
    assert (proxied.alice.one(Ended).status, proxied.bob.one(Ended).status) == (487, 487)
    cancelled = [step for step in proxied.flow if step.startswith(("Alice", "Bob"))]
    assert cancelled == [
        *("Alice INVITE", "Bob 100 INVITE", "Bob 180 INVITE", "Alice CANCEL"),
        *("Bob 200 CANCEL", "Bob 487 INVITE", "Alice ACK"),
    ]
    proxied.wait(64)
    assert proxied.nothing_left()


@pytest.mark.parametrize(
    ("status", "rings"),
    [
        pytest.param(486, False, id="3.9 unsuccessful busy"),
        pytest.param(480, True, id="3.11 unsuccessful temporarily unavailable"),
    ],
)
def test_3_9_and_3_11_bob_refuses(proxied: ProxiedNetwork, status: int, rings: bool) -> None:
    proxied.call()
    if rings:
        proxied.bob.caller.ring(proxied.now)
        proxied.settle()
    proxied.bob.caller.reject(proxied.now, status)
    proxied.settle()
    assert (proxied.alice.one(Ended).status, proxied.alice.one(Ended).by) == (status, Side.THEM)
    refused = [f"{who} {status} INVITE" for who in ("Bob", "Proxy 2", "Proxy 1")]
    after = proxied.flow[proxied.flow.index(f"Bob {status} INVITE") :]
    assert after == [*refused, "Alice ACK", "Proxy 1 ACK", "Proxy 2 ACK"]
    assert ("Bob 180 INVITE" in proxied.flow) == rings
    proxied.wait(64)
    assert proxied.nothing_left()


def test_3_10_unsuccessful_no_response_from_user_agent(proxied: ProxiedNetwork) -> None:
    proxied.proxies[1].answers = 480
    proxied.call()
    assert proxied.alice.one(Ended).status == 480
    assert proxied.flow == [
        *("Alice INVITE", "Proxy 1 100 INVITE", "Proxy 1 INVITE"),
        *("Proxy 2 480 INVITE", "Proxy 1 480 INVITE", "Alice ACK", "Proxy 1 ACK"),
    ]
    proxied.wait(64)
    assert proxied.nothing_left()
