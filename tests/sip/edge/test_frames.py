"""Tests of what stands around a session description: its length, padding, and the Contact."""

import shutil

import pytest

from tests.sip.edge.talk import invite, reached, refuse_politely
from tests.sip.edge.test_normal_form import SDP, is_whole

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")


@pytest.mark.parametrize(
    "contact",
    [
        '<sip:a@127.0.0.10>;language="en,fr";+g.oma.sip-im',
        '"Doe, John" <sip:a@127.0.0.10>',
    ],
)
def test_a_comma_inside_a_contact_does_not_make_two_of_it(edge, children, peer, contact):
    peer.send(invite(edge, peer, headers={"Contact": contact}), edge.public)
    got = reached(children)
    assert got["Contact"] == contact
    refuse_politely(got, children)


@pytest.mark.parametrize("contact", ["<sip:a@b>, <sip:c@d>", '"a" <sip:a@b>;x="y", sip:c@d'])
def test_two_contacts_in_one_line_are_refused(edge, children, peer, contact):
    peer.send(invite(edge, peer, headers={"Contact": contact}), edge.public)
    assert "not one Contact" in peer.expect(400)["Warning"]
    assert reached(children, 0.3) is None


@pytest.mark.parametrize("behind", ["\r\n", "\r\n\r\n\0\0\0"])
def test_padding_behind_the_body_of_a_datagram_is_dropped(edge, children, peer, behind):
    peer.send(invite(edge, peer) + behind, edge.public)
    got = reached(children)
    assert got.body == SDP
    assert is_whole(got)
    refuse_politely(got, children)


def test_a_datagram_without_a_length_has_its_body_checked_and_passed_on(edge, children, peer):
    without = {"headers": {"Content-Length": "{}"}}

    def send(body):
        text = invite(edge, peer, body=body, **without).replace("Content-Length: {}\r\n", "")
        peer.send(text, edge.public)

    send(SDP + "\r\n")
    got = reached(children)
    assert got.body == SDP
    assert is_whole(got)
    refuse_politely(got, children)
    peer.expect(486)
    send(SDP.replace("m=audio", "m=video"))
    assert "no audio" in peer.expect(488)["Warning"]
    assert reached(children, 0.3) is None
