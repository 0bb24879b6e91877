"""Children that are down, and how much the edge takes."""

import shutil
import time

import pytest

from tests.sip.edge.talk import invite
from tests.sip.edge_messages import reply, request
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
