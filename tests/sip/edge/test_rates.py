"""Tests of the edge with a child that is down, and of its limits in all."""

import re
import shutil
import time

import pytest

from tests.sip.edge.talk import invite, register
from tests.sip.edge_messages import reply, request, sdp
from tests.sip.edge_support import Edge
from tests.sip.edge_talkers import PEER

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")


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


@pytest.mark.deep
def test_a_flood_bans_its_source_only(tmp_path, children, talkers):
    other = Edge([c.at for c in children], tmp_path / "log", requests_per_s=5, ban_s=3)
    noisy, quiet, peer = talkers("127.0.0.60"), talkers("127.0.0.61"), talkers(PEER)
    try:
        for _ in range(60):
            noisy.send(request("OPTIONS", other.uri("x"), noisy), other.public)
        other.wait_logged("banned for 3 s")
        quiet.send(request("OPTIONS", other.uri("x"), quiet), other.public)
        quiet.expect(200)
        answered = len([m for m in noisy.everything if m.status == 200])
        # 25 in a sampling period; the count's own tick may fall among them, or a worker lag behind.
        assert 20 <= answered <= 30
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


@pytest.mark.deep
def test_requests_of_strangers_are_bounded_over_all_addresses(tmp_path, children, talkers):
    other = Edge([c.at for c in children], tmp_path / "log", strangers_per_s=10)
    many = [talkers(f"127.0.2.{n}") for n in range(1, 61)]
    try:
        time.sleep(2.1)
        for each in many:
            each.send(request("OPTIONS", other.uri("x"), each), other.public)
        time.sleep(0.5)
        answered = sum(bool(each.everything) for each in many)
        assert 15 <= answered <= 45
    finally:
        other.stop()


def test_calls_a_second_of_all_trunks_are_bounded(tmp_path, children, talkers):
    other = Edge([c.at for c in children], tmp_path / "log", invites_per_s=5)
    carrier = talkers("127.0.0.62")
    try:
        seen, _ = register(other, children[0], carrier)
        contact = re.search("<(.*?)>", seen["Contact"])[1]
        for _ in range(40):
            text = request("INVITE", contact, carrier, body=sdp(carrier.ip))
            carrier.send(text, other.public)
        assert carrier.expect(503)["Retry-After"]
        time.sleep(0.5)
        got = {m["Call-ID"] for c in children for m in c.everything if m.method == "INVITE"}
        assert len(got) >= 10
        assert len([m for m in carrier.everything if m.status == 503]) >= 20
    finally:
        other.stop()
