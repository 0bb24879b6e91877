"""Tests of the edge's limits: calls of one source, grants of registrations, forbidden
destinations.
"""

import re
import shutil
import time

import pytest

from tests.sip.edge_messages import reply, request, sdp, within_called
from tests.sip.edge_support import Edge
from tests.sip.edge_talkers import PEER, Talker

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")

ELSEWHERE = "198.51.100.7"
"""An address on the Internet; from loopback nothing gets there."""


@pytest.fixture(scope="module")
def child():
    found = Talker("127.0.0.1", answers_options=True, user="alice")
    yield found
    found.close()


@pytest.fixture
def talkers(child):
    made = []

    def make(ip, **options):
        made.append(Talker(ip, **options))
        return made[-1]

    child.forget()
    yield make
    for talker in made:
        talker.close()


@pytest.fixture
def edges(child, tmp_path):
    made = []

    def make(**settings):
        made.append(Edge([child.at], tmp_path / "log", **settings))
        return made[-1]

    yield make
    for edge in made:
        edge.stop()


@pytest.fixture(scope="module")
def strict(child, tmp_path_factory):
    """As an operator has it who sets nothing."""
    found = Edge([child.at], tmp_path_factory.mktemp("edge") / "log", allow_private="no")
    yield found
    found.stop()


@pytest.fixture(scope="module")
def lenient(child, tmp_path_factory):
    found = Edge([child.at], tmp_path_factory.mktemp("edge") / "log")
    yield found
    found.stop()


def invite(edge, talker, user="+33123456789", **options):
    options.setdefault("body", sdp(talker.ip))
    return request("INVITE", edge.uri(user), talker, **options)


def ask(edge, child, hop, via="udp", method="REGISTER", **options):
    """A request of the child's that is to leave by this hop."""
    route = f"<sip:127.0.0.1:{edge.inside[1]};transport=udp;hop={hop};via={via};lr>"
    child.send(request(method, "sip:trunk.example", child, routes=[route], **options), edge.inside)


def grant(child, carrier, seen, sender=None):
    sender = sender or carrier
    answer = reply(seen, 200, extra=[f"Contact: {seen['Contact']};expires=600"])
    sender.send(answer, seen.source)


def reached(child, talker):
    """Count the calls of this talker that came to the child."""
    invites = [m for m in child.everything if m.method == "INVITE"]
    return len({m["Call-ID"] for m in invites if m["X-Chamade-Source"] == talker.at})


def window_begins():
    time.sleep(2.02 - time.time() % 2)


# ---- calls of one source ----


def test_one_source_cannot_use_up_the_limit_of_all_sources(edges, child, talkers):
    edge = edges(invites_per_s=10, invites_per_source_s=3, peers=f"{PEER}/32,127.0.0.11/32")
    greedy, modest = talkers(PEER), talkers("127.0.0.11")
    window_begins()
    for _ in range(60):
        greedy.send(invite(edge, greedy), edge.public)
    for _ in range(3):
        modest.send(invite(edge, modest), edge.public)
    assert greedy.expect(503)["Retry-After"]
    time.sleep(0.6)
    assert 6 <= reached(child, greedy) <= 9
    assert reached(child, modest) == 3
    assert not [m for m in modest.everything if m.status == 503]
    edge.wait_logged("more than 3 calls a second of one source")


def test_a_source_that_calls_a_registered_contact_is_limited_and_a_stranger_forbidden(
    edges, child, talkers
):
    edge = edges(invites_per_source_s=3)
    carrier, caller, stranger = (talkers(f"127.0.0.{host}") for host in (41, 42, 43))
    ask(edge, child, carrier.at)
    seen = carrier.expect("REGISTER")
    grant(child, carrier, seen)
    child.expect(200)
    contact = re.search("<(.*?)>", seen["Contact"])[1]
    window_begins()
    for _ in range(30):
        caller.send(request("INVITE", contact, caller, body=sdp(caller.ip)), edge.public)
        stranger.send(invite(edge, stranger), edge.public)
    assert caller.expect(503)["Retry-After"]
    time.sleep(0.6)
    assert 6 <= reached(child, caller) <= 9
    assert {message.status for message in stranger.everything} == {403}


# ---- registrations ----


def test_a_registration_can_only_be_granted_by_its_registrar(lenient, child, talkers):
    carrier, liar = talkers("127.0.0.44"), talkers("127.0.0.45")
    ask(lenient, child, carrier.at)
    seen = carrier.expect("REGISTER")
    grant(child, carrier, seen, sender=liar)
    child.expect_nothing()
    lenient.wait_logged("not from whom REGISTER went to")
    liar.send(invite(lenient, liar), lenient.public)
    liar.expect(403)
    child.expect_nothing()
    grant(child, carrier, seen)
    child.expect(200)
    carrier.send(invite(lenient, carrier), lenient.public)
    got = child.expect("INVITE")
    child.send(reply(got, 486), got.source)
    carrier.expect(486)


def test_logs_hold_no_contact_that_would_allow_a_call(lenient, child, talkers):
    carrier = talkers("127.0.0.46")
    headers = {"Contact": f"<sip:alice-0xc0ffee@{child.at}>;expires=600"}
    ask(lenient, child, carrier.at, headers=headers)
    seen = carrier.expect("REGISTER")
    grant(child, carrier, seen)
    child.expect(200)
    contact = re.search("<(.*?)>", seen["Contact"])[1]
    for to in (f"<{contact}>", "<sip:+33199@x.example>"):
        carrier.send(request("INVITE", contact, carrier, to=to), lenient.public)
        got = child.expect("INVITE")
        child.send(reply(got, 486), got.source)
        carrier.expect(486)
    ask(lenient, child, carrier.at, headers={"Contact": headers["Contact"].replace("600", "0")})
    carrier.send(reply(carrier.expect("REGISTER"), 200), lenient.public)
    child.expect(200)
    lenient.wait_logged("unregistered")
    lenient.wait_logged("to=+33199 ")
    token = re.search("line=([0-9a-f]+)", contact)[1]
    for secret in (token, "line=", "0xc0ffee"):
        assert secret not in lenient.text()


# ---- where nothing goes ----


@pytest.mark.parametrize(
    "hop",
    [
        *("10.1.2.3", "127.0.0.48", "169.254.169.254", "172.16.0.1", "172.31.255.255"),
        *("192.168.1.1", "100.64.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "0.0.0.0"),
    ],
)
@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_no_request_leaves_to_a_private_address(strict, child, talkers, hop, method):
    child.forget()
    ask(strict, child, f"{hop}:5090", method=method, call_id=f"{method}-{hop}")
    answer = child.expect(478)
    while answer["Call-ID"] != f"{method}-{hop}":  # one before, sent again for want of an ACK
        answer = child.expect(478)
    assert answer.first == "SIP/2.0 478 Private Destination"


@pytest.mark.parametrize("hop", [ELSEWHERE, "172.32.0.1", "100.128.0.1", "11.0.0.1", "223.1.1.1"])
def test_requests_to_public_addresses_are_sent(strict, child, talkers, hop):
    """As far as the kernel, which has no way there from loopback."""
    ask(strict, child, f"{hop}:5090")
    assert child.expect(503).first == "SIP/2.0 503 No Way There"


def test_no_connection_is_made_to_a_private_address(strict, child, talkers):
    for via in ("tcp", "tls"):
        ask(strict, child, f"127.0.0.1:{strict.inside[1]}", via=via)
        child.expect(478)


def test_no_request_within_a_call_leaves_to_a_private_address(strict, child, talkers):
    peer, inner = talkers(PEER), talkers("127.0.0.49")
    proxy = f"Record-Route: <sip:{inner.at};lr>"
    contact = f"Contact: <sip:x@{ELSEWHERE};alias={inner.ip}~{inner.port}~1>"
    plain = invite(strict, peer, body=sdp(ELSEWHERE))
    aliased = invite(strict, peer, body=sdp(ELSEWHERE))
    for text in (
        plain,
        invite(strict, peer, body=sdp(ELSEWHERE), extra=[proxy]),
        re.sub("Contact: [^\r]*", contact, aliased),
    ):
        child.forget()
        peer.send(text, strict.public)
        got = child.expect("INVITE")
        ok = reply(got, 200, contact=f"<sip:x@{child.at}>", body=sdp("127.0.0.1"))
        child.send(ok, got.source)
        peer.expect(200)
        peer.forget()
        child.send(within_called("BYE", got, child, cseq=1), strict.inside)
        assert child.expect(478).first == "SIP/2.0 478 Private Destination"
        assert not [m for m in (*peer.everything, *inner.everything) if m.method == "BYE"]


PRIVATE_AUDIO = {
    "private": sdp("10.0.0.1"),
    "loopback": sdp("127.0.0.1"),
    "metadata": sdp("169.254.169.254"),
    "multicast": sdp("239.0.0.1"),
    "this network": sdp("0.0.0.1"),
    "for this stream only": sdp(ELSEWHERE) + "c=IN IP4 192.168.0.1\r\n",
    "behind a good line": sdp(ELSEWHERE) + "c=IN IP4  192.168.0.1\r\n",
    "of the wrong family": sdp("10.0.0.1").replace("c=IN IP4", "c=IN IP6"),
    "in a line cut off": sdp(ELSEWHERE) + "c=IN IP4 192.168.0.1",
    "for RTCP": sdp(ELSEWHERE) + "a=rtcp:40001 IN IP4 10.0.0.1\r\n",
    "IPv6 loopback": sdp(ELSEWHERE).replace(f"c=IN IP4 {ELSEWHERE}", "c=IN IP6 ::1"),
    "IPv4 in IPv6": sdp(ELSEWHERE).replace(f"c=IN IP4 {ELSEWHERE}", "c=IN IP6 ::ffff:10.0.0.1"),
    "IPv6 private": sdp(ELSEWHERE).replace(f"c=IN IP4 {ELSEWHERE}", "c=IN IP6 fd00::1"),
}  # fmt: skip


@pytest.mark.parametrize("name", PRIVATE_AUDIO)
def test_no_audio_goes_to_a_private_address(strict, child, talkers, name):
    peer = talkers(PEER)
    peer.send(invite(strict, peer, body=PRIVATE_AUDIO[name]), strict.public)
    peer.expect(488)
    assert not reached(child, peer)


@pytest.mark.parametrize(
    "address", [ELSEWHERE, "0.0.0.0", "172.32.0.1", "192.169.0.1", "203.0.113.1"]
)
def test_audio_is_sent_to_public_addresses_and_not_while_on_hold(strict, child, talkers, address):
    peer = talkers(PEER)
    peer.send(invite(strict, peer, body=sdp(address)), strict.public)
    got = child.expect("INVITE")
    child.send(reply(got, 486), got.source)
    peer.expect(486)


def test_private_addresses_are_allowed_if_the_operator_permits_them(lenient, child, talkers):
    peer = talkers(PEER)
    peer.send(invite(lenient, peer, body=sdp("10.0.0.1")), lenient.public)
    got = child.expect("INVITE")
    child.send(reply(got, 486), got.source)
    peer.expect(486)
