"""The edge: what it lets in, what it hides, how it routes; a real Kamailio, our configuration."""

import re
import shutil
import subprocess
import sys
import time

import pytest

from gateway.edge.container import tell_the_gateway
from gateway.edge.settings import from_env
from tests.sip.edge_support import (
    PEER,
    PUBLIC,
    Edge,
    StreamCarrier,
    Talker,
    next_hop,
    reply,
    request,
    routes,
    sdp,
    server_context,
    within,
    within_called,
)

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")


@pytest.fixture(scope="module")
def children():
    pair = [Talker("127.0.0.1", answers_options=True, user="alice") for _ in range(2)]
    yield pair
    for child in pair:
        child.close()


@pytest.fixture(scope="module")
def edge(children, tmp_path_factory):
    found = Edge([c.at for c in children], tmp_path_factory.mktemp("edge") / "log")
    yield found
    found.stop()


@pytest.fixture
def talkers(children):
    made = []

    def make(ip, **options):
        made.append(Talker(ip, **options))
        return made[-1]

    for child in children:
        child.forget()
    yield make
    for talker in made:
        talker.close()


@pytest.fixture
def child(children, talkers):
    return children[0]


@pytest.fixture
def peer(talkers):
    return talkers(PEER)


def reached(children, timeout=0.6):
    """The next request that a child got, if any; not what is sent again."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        for child in children:
            while not child.heard.empty():
                message = child.heard.get()
                known = [m.raw for m in child.everything if m is not message]
                if message.method not in ("ACK", "SIP/2.0") and message.raw not in known:
                    return message
        time.sleep(0.02)
    return None


def invite(edge, talker, user="+33123456789", **options):
    options.setdefault("body", sdp(talker.ip))
    return request("INVITE", edge.uri(user), talker, **options)


def refuse_politely(message, children):
    """Ends an INVITE that a child got, so that it is not sent again."""
    child = next(c for c in children if message in c.everything)
    child.send(reply(message, 486), message.source)


def register(
    edge,
    child,
    carrier,
    *,
    expires=600,
    via="udp",
    trunk="",
    granted=None,
    user="alice",
    contact=None,
):
    """A registration through the edge; -> (as the carrier saw it, as the child saw the answer)."""
    route = f"<sip:127.0.0.1:{edge.inside[1]};transport=udp;hop={carrier.at};via={via}{trunk};lr>"
    child.send(
        request(
            "REGISTER",
            "sip:trunk.example",
            child,
            to=f"<sip:{user}@trunk.example>",
            headers={"Contact": f"<sip:{contact or user}@{child.at}>;expires={expires}"},
            routes=[route],
        ),
        edge.inside,
    )
    seen = carrier.expect("REGISTER")
    listed = f"{seen['Contact'].partition(';expires')[0]};expires={granted or expires}"
    extra = [f"Contact: <sip:other@203.0.113.9>;expires=17, {listed}"]
    carrier.send(reply(seen, 200, extra=extra), seen.source)
    return seen, child.expect(200)


def outside_names_nothing_inside(*talkers):
    for talker in talkers:
        for message in talker.everything:
            assert not re.search(r"127\.0\.0\.1(?![0-9])", message.text), message.text


# ---- settings ----


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"EDGE_PUBLIC_IP": ""}, "EDGE_PUBLIC_IP is not set"),
        ({"EDGE_PUBLIC_IP": "sip.example"}, "EDGE_PUBLIC_IP must be an IPv4 address"),
        ({"EDGE_BIND_IP": "0.0.0.0"}, "EDGE_BIND_IP"),
        ({"EDGE_SIP_PORT": "0"}, "EDGE_SIP_PORT must be a number from 1"),
        ({"EDGE_TLS_PORT": "5060"}, "must differ"),
        ({"EDGE_TLS_CERT": "/etc/hostname"}, "go together"),
        ({"EDGE_TLS_CERT": "/nowhere", "EDGE_TLS_KEY": "/nowhere"}, "EDGE_TLS_CERT"),
        ({"EDGE_CHILDREN": "192.0.2.1:5070"}, "EDGE_CHILDREN must be on loopback"),
        ({"EDGE_CHILDREN": "127.0.0.1"}, "EDGE_CHILDREN must be host:port"),
        ({"EDGE_CHILDREN": ","}, "names no child"),
        ({"EDGE_CHILDREN": "127.0.0.1:5070,127.0.0.1:5070"}, "different"),
        ({"EDGE_BIND_IP": "127.0.0.1"}, "different"),
        ({"EDGE_PEERS": "192.0.2.1/24"}, "EDGE_PEERS"),
        ({"EDGE_PEERS": '0.0.0.0/0"; exit;'}, "EDGE_PEERS"),
        ({"EDGE_BAN_S": "soon"}, "EDGE_BAN_S"),
        ({"EDGE_TLS_VERIFY": "maybe"}, "EDGE_TLS_VERIFY"),
        ({"EDGE_LOG_LEVEL": "LOUD"}, "EDGE_LOG_LEVEL"),
    ],
)
def test_a_wrong_setting_is_named(wrong, named):
    with pytest.raises(ValueError, match=re.escape(named)):
        from_env({"EDGE_PUBLIC_IP": "127.0.0.2", **wrong})


def test_a_taken_port_is_named(edge):
    environ = {"PATH": "/usr/bin", "EDGE_PUBLIC_IP": PUBLIC, "EDGE_SIP_PORT": str(edge.port)}
    found = subprocess.run(
        [sys.executable, "-m", "gateway.edge"],
        env=environ,
        capture_output=True,
        check=False,
        text=True,
    )
    assert found.returncode == 2
    assert f"cannot listen on {PUBLIC}:{edge.port}" in found.stderr


def test_the_gateway_is_told_where_its_children_are_to_be():
    environ = {"EDGE_PUBLIC_IP": "127.0.0.2", "EDGE_CHILDREN": "127.0.0.1:6000,127.0.0.1:6002"}
    tell_the_gateway(environ)
    assert environ["GATEWAY_SIP_EDGE"] == "127.0.0.1:5060"
    assert environ["GATEWAY_SIP_PORT"] == "6000"
    assert environ["GATEWAY_SIP_CHILDREN"] == "2"
    with pytest.raises(ValueError, match="GATEWAY_SIP_PORT must be 6000"):
        tell_the_gateway({**environ, "GATEWAY_SIP_PORT": "5070"})
    with pytest.raises(ValueError, match="2 apart"):
        tell_the_gateway({**environ, "EDGE_CHILDREN": "127.0.0.1:6000,127.0.0.1:6001"})


# ---- who gets in ----


def test_a_peers_call_reaches_a_child_and_its_source_is_named(edge, children, peer):
    peer.send(invite(edge, peer), edge.public)
    got = reached(children)
    assert got.method == "INVITE"
    assert got["X-Chamade-Source"] == peer.at
    assert got["X-Chamade-Request-URI"] == edge.uri("+33123456789")
    assert got.first.split(" ")[1] == edge.uri("+33123456789")
    refuse_politely(got, children)
    assert peer.expect(486)


def test_a_stranger_gets_no_answer_and_is_logged(edge, children, talkers):
    stranger = talkers("127.0.0.33")
    stranger.send(invite(edge, stranger), edge.public)
    assert reached(children) is None
    stranger.expect_nothing()
    edge.wait_logged(
        "call from a stranger (a carrier's address belongs into EDGE_PEERS)\" method=INVITE"
    )
    assert f"udp:{stranger.at}" in edge.text()


def test_options_are_answered_by_the_edge(edge, children, talkers):
    stranger = talkers("127.0.0.34")
    stranger.send(request("OPTIONS", edge.uri("x"), stranger), edge.public)
    answer = stranger.expect(200)
    assert "INVITE" in answer["Allow"]
    assert "127.0.0.1" not in answer.text
    assert "kamailio" not in answer.text.lower()
    assert reached(children, 0.2) is None


@pytest.mark.parametrize(
    "method", ["REGISTER", "SUBSCRIBE", "MESSAGE", "REFER", "NOTIFY", "PUBLISH"]
)
def test_what_we_do_not_do_is_refused(edge, children, peer, method):
    text = request(method, edge.uri("alice"), peer, extra=["Refer-To: <sip:+15550001@example.org>"])
    peer.send(text, edge.public)
    assert "INVITE" in peer.expect(405)["Allow"]
    assert reached(children, 0.3) is None


MALFORMED = {
    "no Contact": {"drop": ["Contact"]},
    "two Contacts": {"extra": ["Contact: <sip:b@127.0.0.10>"]},
    "two Contacts, one compact": {"extra": ["m: <sip:b@127.0.0.10>"]},
    "two Contacts in one": {"headers": {"Contact": "<sip:a@127.0.0.10>, <sip:b@127.0.0.10>"}},
    "Contact *": {"headers": {"Contact": "*"}},
    "empty Contact": {"headers": {"Contact": ""}},
    "Contact is no URI": {"headers": {"Contact": "<nonsense>"}},
    "Contact is unclosed": {"headers": {"Contact": "<sip:a@127.0.0.10"}},
    "Contact by phone": {"headers": {"Contact": "<tel:+331>"}},
    "no From": {"drop": ["From"]},
    "no To": {"drop": ["To"]},
    "no Call-ID": {"drop": ["Call-ID"]},
    "no CSeq": {"drop": ["CSeq"]},
    "no Via": {"drop": ["Via"]},
    "two Froms": {"extra": ["f: <sip:b@127.0.0.10>;tag=2"]},
    "two Call-IDs": {"extra": ["i: another"]},
    "two CSeqs": {"extra": ["CSeq: 2 INVITE"]},
    "From without tag": {"from_": "<sip:a@127.0.0.10>"},
    "From is nonsense": {"from_": "nonsense;tag=1"},
    "CSeq of another method": {"cseq_method": "BYE"},
    "CSeq is no number": {"cseq": "many"},
    "CSeq too large": {"cseq": 99999999999},
    "Max-Forwards is no number": {"headers": {"Max-Forwards": "lots"}},
    "Via without branch": {"headers": {"Via": "SIP/2.0/UDP 127.0.0.10:5999"}},
    "Via of old": {"headers": {"Via": "SIP/2.0/UDP 127.0.0.10:5999;branch=1"}},
    "Content-Length too long": {"headers": {"Content-Length": "9000"}},
    "Content-Length too short": {"headers": {"Content-Length": "7"}},
    "Content-Length negative": {"headers": {"Content-Length": "-7"}},
    "two Content-Lengths": {"extra": ["Content-Length: 3"]},
    "long Call-ID": {"call_id": "x" * 300},
    "long From": {"from_": f'"{"x" * 700}" <sip:a@127.0.0.10>;tag=1'},
    "long user": {"user": "9" * 500},
    "much too long": {"extra": [f"X-Filler: {'x' * 900}"] * 8},
    "control characters": {"from_": '"a\x07b" <sip:a@127.0.0.10>;tag=1'},
    "NUL": {"from_": '"a\x00b" <sip:a@127.0.0.10>;tag=1'},
    "folded": {"extra": ["Subject: a\r\n b"]},
    "friendly-scanner": {"headers": {"User-Agent": "friendly-scanner"}},
    "sipvicious": {"headers": {"User-Agent": "SIPVicious 0.3"}},
    "sipcli": {"headers": {"User-Agent": "sipcli/v1.8"}},
    "VaxSIPUserAgent": {"headers": {"User-Agent": "VaxSIPUserAgent/3.1"}},
}


@pytest.mark.parametrize("name", MALFORMED)
def test_the_malformed_never_reaches_a_child(edge, children, peer, name):
    peer.send(invite(edge, peer, **MALFORMED[name]), edge.public)
    assert reached(children, 0.4) is None
    assert not [m for m in peer.everything if m.status == 200]


BAD_BODIES = {
    "nonsense": "nonsense",
    "no audio": sdp(PEER).replace("m=audio", "m=video"),
    "broken line": sdp(PEER).replace("a=ptime:20", "ptime:20"),
    "no origin": sdp(PEER).replace("o=- 1 1", "o=-"),
    "no address": sdp(PEER).replace("c=IN IP4 127.0.0.10", "c=IN IP4 $(reboot)"),
    "too long": sdp(PEER) + "a=x\r\n" * 1250,
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_session_description_that_is_none_is_refused(edge, children, peer, name):
    peer.send(invite(edge, peer, body=BAD_BODIES[name]), edge.public)
    peer.expect(488)
    assert reached(children, 0.3) is None


def test_a_body_that_is_no_session_description_is_refused(edge, children, peer):
    peer.send(invite(edge, peer, content_type="multipart/mixed;boundary=x"), edge.public)
    peer.expect(488)
    assert reached(children, 0.3) is None


def test_an_offerless_invite_and_compact_forms_are_fine(edge, children, peer):
    text = invite(edge, peer, body="")
    for long, short in (
        ("Via", "v"),
        ("From", "f"),
        ("To", "t"),
        ("Call-ID", "i"),
        ("Contact", "m"),
    ):
        text = text.replace(f"\r\n{long}:", f"\r\n{short}:")
    peer.send(text.replace("Content-Length:", "l:"), edge.public)
    got = reached(children)
    assert got.method == "INVITE"
    refuse_politely(got, children)


def test_display_names_of_the_world_are_fine(edge, children, peer):
    peer.send(
        invite(edge, peer, from_='"Élodie \\"Zoé\\" <x>" <sip:+331@a.example>;tag=1'), edge.public
    )
    got = reached(children)
    assert "Élodie" in got["From"]
    refuse_politely(got, children)


def test_our_own_headers_are_not_to_be_forged(edge, children, peer):
    forged = [
        "X-Chamade-Source: 192.0.2.1:1",
        "x-chamade-request-uri: sip:boss@x",
        "X-CHAMADE-Trunk: t",
        "Replaces: 1;to-tag=2;from-tag=3",
        "X-Anything: 1",
    ]
    peer.send(invite(edge, peer, extra=forged), edge.public)
    got = reached(children)
    assert got.all("X-Chamade-Source") == [peer.at]
    assert got.all("X-Chamade-Request-URI") == [edge.uri("+33123456789")]
    assert not got.all("X-Chamade-Trunk")
    assert not got.all("Replaces")
    assert not got.all("X-Anything")
    refuse_politely(got, children)


def test_who_called_is_kept(edge, children, peer):
    told = [
        "P-Asserted-Identity: <sip:+331@x.example>",
        "Diversion: <sip:+332@x.example>;reason=unconditional",
    ]
    peer.send(invite(edge, peer, extra=told), edge.public)
    got = reached(children)
    assert got["P-Asserted-Identity"] == "<sip:+331@x.example>"
    assert got["Diversion"].startswith("<sip:+332@x.example>")
    refuse_politely(got, children)


def test_too_many_hops(edge, children, peer):
    peer.send(invite(edge, peer, headers={"Max-Forwards": "0"}), edge.public)
    peer.expect(483)
    peer.send(invite(edge, peer, headers={"Max-Forwards": "255"}), edge.public)
    got = reached(children)
    assert int(got["Max-Forwards"]) <= 70
    refuse_politely(got, children)


def test_a_dialog_that_is_not_ours(edge, children, talkers):
    stranger = talkers("127.0.0.35")
    for method in ("INVITE", "BYE", "INFO", "UPDATE"):
        to = f"<{edge.uri('alice')}>;tag=1"
        stranger.send(request(method, edge.uri("alice"), stranger, to=to), edge.public)
        stranger.expect(481)
    stranger.send(request("ACK", edge.uri("alice"), stranger, to=to), edge.public)
    stranger.send(request("CANCEL", edge.uri("alice"), stranger), edge.public)
    assert reached(children, 0.3) is None


def test_a_reply_to_nothing_reaches_nobody(edge, children, child, talkers):
    stranger = talkers("127.0.0.36")
    via = f"Via: SIP/2.0/UDP {PUBLIC}:{edge.port};branch=z9hG4bKcafe.1\r\n"
    via += f"Via: SIP/2.0/UDP {child.at};branch=z9hG4bKx"
    stranger.send(
        f"SIP/2.0 200 OK\r\n{via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: 1\r\n"
        "CSeq: 1 INVITE\r\nContact: <sip:a@b>\r\nContent-Length: 0\r\n\r\n",
        edge.public,
    )
    assert reached(children, 0.4) is None


def test_only_children_send_through_the_inside(edge, talkers):
    carrier, other = talkers("127.0.0.40"), talkers("127.0.0.1")
    route = f"<sip:127.0.0.1:{edge.inside[1]};hop={carrier.at};via=udp;lr>"
    other.send(request("INVITE", "sip:1@x.example", other, routes=[route]), edge.inside)
    carrier.send(request("INVITE", "sip:1@x.example", carrier, routes=[route]), edge.public)
    carrier.expect_nothing()
    other.expect_nothing(0.1)


# ---- registrations ----


def test_a_registration_leaves_through_the_hop(edge, child, talkers):
    carrier = talkers("127.0.0.41")
    seen, answer = register(edge, child, carrier, granted=300)
    assert seen.first == "REGISTER sip:trunk.example SIP/2.0"
    assert seen["To"] == "<sip:alice@trunk.example>"
    assert re.fullmatch(
        rf"<sip:alice@{PUBLIC}:{edge.port};line=[0-9a-f]{{16}}>;expires=600", seen["Contact"]
    )
    assert not seen.all("Route")
    assert seen.source == edge.public
    assert answer.all("Contact") == [f"<sip:alice@{child.at}>;expires=300"]
    outside_names_nothing_inside(carrier)
    again, _ = register(edge, child, carrier)
    assert again["Contact"] == seen["Contact"]


def test_a_challenge_comes_back_to_the_child(edge, child, talkers):
    carrier = talkers("127.0.0.42")
    route = f"<sip:127.0.0.1:{edge.inside[1]};hop={carrier.at};lr>"
    child.send(request("REGISTER", "sip:trunk.example", child, routes=[route]), edge.inside)
    seen = carrier.expect("REGISTER")
    challenge = 'WWW-Authenticate: Digest realm="trunk.example", nonce="1"'
    carrier.send(reply(seen, 401, extra=[challenge]), seen.source)
    assert 'realm="trunk.example"' in child.expect(401)["WWW-Authenticate"]


def test_a_call_to_a_registered_contact_may_come_from_anywhere(edge, children, talkers):
    carrier, gateway = talkers("127.0.0.43"), talkers("127.0.0.44")
    for child in children:
        seen, _ = register(edge, child, carrier, trunk=";trunk=trunk_7", user="bob")
        contact = re.search("<(.*)>", seen["Contact"])[1]
        gateway.send(request("INVITE", contact, gateway, body=sdp(gateway.ip)), edge.public)
        got = child.expect("INVITE")
        assert got["X-Chamade-Request-URI"] == contact
        assert got["X-Chamade-Trunk"] == "trunk_7"
        assert got["X-Chamade-Source"] == gateway.at
        child.send(reply(got, 486), got.source)
        gateway.expect(486)
    # Its user part alone is public knowledge.
    gateway.send(invite(edge, gateway, user="bob"), edge.public)
    assert reached(children) is None


def test_a_contact_that_is_no_account_name_is_enough(edge, children, talkers):
    """Some carriers leave parameters of the contact out."""
    carrier, gateway = talkers("127.0.0.52"), talkers("127.0.0.53")
    register(edge, children[1], carrier, user="erin", contact="erin-0x55d0c0ffee")
    gateway.send(invite(edge, gateway, user="erin-0x55d0c0ffee"), edge.public)
    got = children[1].expect("INVITE")
    children[1].send(reply(got, 486), got.source)
    gateway.expect(486)
    gateway.send(invite(edge, gateway, user="erin"), edge.public)
    assert reached(children) is None


def test_who_granted_a_registration_is_a_peer(edge, children, talkers):
    carrier = talkers("127.0.0.45")
    register(edge, children[1], carrier, user="carol")
    elsewhere = talkers("127.0.0.45")
    for user in ("+33999", "carol", "+33999"):
        elsewhere.send(invite(edge, elsewhere, user=user), edge.public)
        got = children[1].expect("INVITE")
        children[1].send(reply(got, 486), got.source)
        elsewhere.expect(486)


def test_an_unregistered_contact_is_forgotten(edge, child, children, talkers):
    carrier, gateway = talkers("127.0.0.46"), talkers("127.0.0.47")
    seen, _ = register(edge, child, carrier, user="dave")
    contact = re.search("<(.*)>", seen["Contact"])[1]
    register(edge, child, carrier, user="dave", expires=0)
    gateway.send(request("INVITE", contact, gateway, body=sdp(gateway.ip)), edge.public)
    assert reached(children) is None


# ---- calls ----


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


def test_a_call_in_hides_the_child_and_ends_by_the_caller(edge, children, peer):
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


def test_a_call_in_ends_by_the_child(edge, children, peer):
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


def test_a_caller_who_gives_up(edge, children, peer):
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


def call_out(edge, child, carrier, proxy=None):
    hop = (proxy or carrier).at
    route = f"<sip:127.0.0.1:{edge.inside[1]};transport=udp;hop={hop};via=udp;lr>"
    text = request(
        "INVITE", "sip:+15550001@trunk.example", child, routes=[route], body=sdp("127.0.0.1", 40004)
    )
    child.send(text, edge.inside)
    return text


def test_a_call_out_hides_the_child_and_ends_from_both_sides(edge, child, talkers):
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


def test_a_call_out_that_is_given_up(edge, child, talkers):
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


def test_a_carriers_malformed_answer_does_not_reach_the_child(edge, child, talkers):
    carrier = talkers("127.0.0.51")
    call_out(edge, child, carrier)
    seen = carrier.expect("INVITE")
    good = reply(seen, 200, contact=f"<sip:c@{carrier.at}>", body=sdp(carrier.ip))
    contact = f"Contact: <sip:c@{carrier.at}>\r\n"
    for bad in (
        good.replace(contact, ""),
        good.replace(contact, contact * 2),
        good.replace("m=audio", "m=nothing"),
        good.replace("CSeq: 1", "CSeq: x"),
        good.replace("From:", "From: x\r\nFrom:"),
        re.sub(r"(Via: [^\r]*\r\n)", r"\1\1", good, count=1),
    ):
        carrier.send(bad, seen.source)
    time.sleep(0.4)
    assert not [m for m in child.everything if m.status == 200 and m["Call-ID"] == seen["Call-ID"]]
    carrier.send(good, seen.source)
    child.expect(200)


def test_one_call_id_on_two_children(edge, children, talkers):
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


@pytest.mark.parametrize("via", ["tcp", "tls"])
def test_a_trunk_by_stream(edge, children, child, tmp_path, via):
    """Registers by a connection, takes a call through it, and gives one."""
    context = server_context(tmp_path) if via == "tls" else None
    carrier = StreamCarrier("127.0.0.54" if via == "tcp" else "127.0.0.55", context)
    child.forget()
    port = edge.port if via == "tcp" else edge.tls_port
    try:
        route = f"<sip:127.0.0.1:{edge.inside[1]};transport=udp;hop={carrier.at};via={via};lr>"
        own = {"Contact": f"<sip:alice@{child.at}>;expires=600"}
        child.send(
            request("REGISTER", "sip:x.example", child, headers=own, routes=[route]), edge.inside
        )
        carrier.accept()
        seen = carrier.expect("REGISTER")
        assert seen["Via"].startswith(f"SIP/2.0/{via.upper()} {PUBLIC}:{port};")
        assert seen["Contact"].startswith(f"<sip:alice@{PUBLIC}:{port};transport={via};line=")
        carrier.send(reply(seen, 200, extra=[f"Contact: {seen['Contact']}"]))
        assert child.expect(200)["Contact"] == f"<sip:alice@{child.at}>;expires=600"

        # In, by the same connection. Its Contact does not say by what.
        contact = re.search("<(.*?)>", seen["Contact"])[1]
        coming = request("INVITE", contact, carrier, body=sdp(carrier.ip))
        carrier.send(coming.replace("SIP/2.0/UDP", f"SIP/2.0/{via.upper()}"))
        got = child.expect("INVITE")
        ok = reply(got, 200, contact=f"<sip:x@{child.at}>", body=sdp("127.0.0.1"))
        child.send(ok, got.source)
        answered = carrier.expect(200)
        assert answered["Contact"] == f"<sip:x@{PUBLIC}:{port};transport={via}>"
        assert routes(answered)[0].startswith(f"<sip:{PUBLIC}:{port};transport={via};e=")
        ack = within("ACK", answered, carrier, cseq=1)
        carrier.send(ack.replace("SIP/2.0/UDP", f"SIP/2.0/{via.upper()}"))
        child.expect("ACK")
        child.send(within_called("BYE", got, child, cseq=1), edge.inside)
        bye = carrier.expect("BYE")
        assert bye["Via"].startswith(f"SIP/2.0/{via.upper()} {PUBLIC}:{port};")
        carrier.send(reply(bye, 200))
        child.expect(200)

        # Out.
        text = request("INVITE", "sip:1@x.example", child, routes=[route], body=sdp("127.0.0.1"))
        child.send(text, edge.inside)
        seen = carrier.expect("INVITE")
        assert seen["Contact"] == f"<sip:alice@{PUBLIC}:{port};transport={via}>"
        carrier.send(reply(seen, 200, contact=f"<sip:c@{carrier.at}>", body=sdp(carrier.ip)))
        got = child.expect(200)
        child.send(within("ACK", got, child, cseq=1), edge.inside)
        carrier.expect("ACK")
        child.send(within("BYE", got, child, cseq=2), edge.inside)
        carrier.send(reply(carrier.expect("BYE"), 200))
        child.expect(200)
        outside_names_nothing_inside(carrier)
    finally:
        carrier.close()


# ---- children that are down, rates ----


def test_calls_alternate_and_avoid_a_child_that_is_down(tmp_path, talkers):
    up = talkers("127.0.0.1", answers_options=True)
    dead = talkers("127.0.0.1", answers_options=False)
    other = Edge([up.at, dead.at], tmp_path / "log")
    peer = talkers(PEER)
    try:
        for _ in range(3):
            text = invite(other, peer)
            peer.send(text, other.public)
            got = up.expect("INVITE", timeout=8)
            up.send(reply(got, 486), got.source)
            peer.expect(486)
        other.wait_logged("does not answer")
    finally:
        other.stop()


def test_a_flood_bans_its_source_only(tmp_path, children, talkers):
    other = Edge([c.at for c in children], tmp_path / "log", requests_per_s=5, ban_s=3)
    noisy, quiet, peer = talkers("127.0.0.60"), talkers("127.0.0.61"), talkers(PEER)
    try:
        for _ in range(60):
            noisy.send(request("OPTIONS", other.uri("x"), noisy), other.public)
        other.wait_logged("banned for 3 s")
        answered = len([m for m in noisy.everything if m.status == 200])
        assert answered == 25
        quiet.send(request("OPTIONS", other.uri("x"), quiet), other.public)
        quiet.expect(200)
        for _ in range(60):
            peer.send(request("OPTIONS", other.uri("x"), peer), other.public)
        for _ in range(60):
            peer.expect(200)
        noisy.forget()
        time.sleep(9)
        noisy.send(request("OPTIONS", other.uri("x"), noisy), other.public)
        noisy.expect(200)
    finally:
        other.stop()


def test_calls_a_second_are_bounded_in_all(tmp_path, children, talkers):
    other = Edge([c.at for c in children], tmp_path / "log", invites_per_s=5)
    peer = talkers(PEER)
    try:
        for _ in range(40):
            peer.send(invite(other, peer), other.public)
        assert peer.expect(503)["Retry-After"]
        time.sleep(0.5)
        got = {m["Call-ID"] for c in children for m in c.everything if m.method == "INVITE"}
        assert len(got) >= 10
        assert len([m for m in peer.everything if m.status == 503]) >= 20
    finally:
        other.stop()
