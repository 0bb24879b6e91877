"""Tests of registrations through the edge, and of calls to the registered contacts."""

import re
import shutil

import pytest

from tests.sip.edge.talk import invite, outside_names_nothing_inside, reached, register
from tests.sip.edge_messages import reply, request, sdp
from tests.sip.edge_support import Edge
from tests.sip.edge_talkers import PUBLIC

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")


def test_a_registration_is_sent_to_the_hop_with_the_edge_s_contact(edge, child, talkers):
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


def test_a_challenge_reaches_the_child(edge, child, talkers):
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


def test_a_registered_contact_is_recognised_by_its_user_part_alone(edge, children, talkers):
    """Some carriers leave parameters of the contact out."""
    carrier, gateway = talkers("127.0.0.52"), talkers("127.0.0.53")
    register(edge, children[1], carrier, user="erin", contact="erin-0x55d0c0ffee")
    gateway.send(invite(edge, gateway, user="erin-0x55d0c0ffee"), edge.public)
    got = children[1].expect("INVITE")
    children[1].send(reply(got, 486), got.source)
    gateway.expect(486)
    gateway.send(invite(edge, gateway, user="erin"), edge.public)
    assert reached(children) is None


def test_a_registrar_that_grants_a_registration_becomes_a_peer(edge, children, talkers):
    carrier = talkers("127.0.0.45")
    register(edge, children[1], carrier, user="carol")
    elsewhere = talkers("127.0.0.45")
    for user in ("+33999", "carol", "+33999"):
        elsewhere.send(invite(edge, elsewhere, user=user), edge.public)
        got = children[1].expect("INVITE")
        children[1].send(reply(got, 486), got.source)
        elsewhere.expect(486)


def test_an_unregistered_contact_takes_no_more_calls(edge, child, children, talkers):
    carrier, gateway = talkers("127.0.0.46"), talkers("127.0.0.47")
    seen, _ = register(edge, child, carrier, user="dave")
    contact = re.search("<(.*)>", seen["Contact"])[1]
    register(edge, child, carrier, user="dave", expires=0)
    gateway.send(request("INVITE", contact, gateway, body=sdp(gateway.ip)), edge.public)
    assert reached(children) is None


@pytest.mark.deep
def test_a_child_that_is_back_takes_calls_as_soon_as_it_registers_again(tmp_path, talkers):
    """By OPTIONS alone the edge would find that out up to 11 s later."""
    child, carrier = talkers("127.0.0.1"), talkers("127.0.0.47")
    other = Edge([child.at], tmp_path / "log")

    def call(registration):
        contact = re.search("<(.*)>", registration["Contact"])[1]
        text = request("INVITE", contact, carrier, body=sdp(carrier.ip))
        carrier.send(text, other.public)
        return re.search("Call-ID: (.*)\r", text)[1]

    def expect(talker, what, call_id):
        while (message := talker.expect(what, timeout=6))["Call-ID"] != call_id:
            pass
        return message

    try:
        line, _ = register(other, child, carrier)
        while "the child of this trunk is down" not in other.text():
            expect(carrier, 480, call(line))  # the child answers neither it nor OPTIONS
        line, _ = register(other, child, carrier)
        invited = expect(child, "INVITE", call(line))
        child.send(reply(invited, 486), invited.source)
        expect(carrier, 486, invited["Call-ID"])
    finally:
        other.stop()
