"""Tests that a registrar is a peer while its line is registered, and that no peer uses up another's
limits.
"""

import re
import shutil
import time

import pytest

from tests.sip.edge.talk import invite, reached, refuse_politely, register, send_register
from tests.sip.edge_messages import reply, request, sdp
from tests.sip.edge_talkers import PEER

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")

TRUNK = ";trunk=trunk_{}"


def give_up(edge, child, carrier, user, trunk="", *, answered=True):
    """End a registration: REGISTER with `expires=0`, answered or not."""
    send_register(edge, child, carrier, user=user, contact=user, expires=0, via="udp" + trunk)
    seen = carrier.expect("REGISTER")
    if answered:
        carrier.send(reply(seen, 200), seen.source)
        child.expect(200)


def contact_of(seen):
    return re.search("<(.*?)>", seen["Contact"])[1]


def calls(edge, talker, count, uri=None):
    """So many calls at once, to a number or to a registered contact."""
    for _ in range(count):
        uri_ = uri or edge.uri("+33123456789")
        talker.send(request("INVITE", uri_, talker, body=sdp(talker.ip)), edge.public)


def sources(children, settle=0.8):
    """Count the calls of each address that came to the children."""
    time.sleep(settle)
    found = {}
    for child in children:
        for call_id, source in {
            (m["Call-ID"], m["X-Chamade-Source"]) for m in child.everything if m.method == "INVITE"
        }:
            del call_id
            found[source] = found.get(source, 0) + 1
    return found


def window_begins():
    time.sleep(2.02 - time.time() % 2)


def fresh(children):
    for child in children:
        child.forget()
        child.everything.clear()


# ---- how long ----


@pytest.mark.parametrize("granted", [301, 999999, 9999999])
def test_a_registration_lasts_no_longer_than_requested(edge, child, talkers, granted):
    carrier = talkers("127.0.0.61")
    _, answer = register(edge, child, carrier, expires=300, granted=granted, user="long")
    assert answer.all("Contact") == [f"<sip:long@{child.at}>;expires=300"]
    edge.wait_logged("with=127.0.0.61 for=300")


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "unanswered"])
def test_a_registrar_stops_being_a_peer_when_its_trunk_is_removed(
    edge, child, children, talkers, answered
):
    carrier = talkers(f"127.0.0.{62 + answered}")
    register(edge, child, carrier, granted=9999999, user=f"gone{answered}")
    carrier.send(invite(edge, carrier, user="+33999"), edge.public)
    refuse_politely(reached(children), children)
    give_up(edge, child, carrier, f"gone{answered}", answered=answered)
    fresh(children)
    carrier.forget()
    for user in ("+33999", f"gone{answered}", "alice"):
        carrier.send(invite(edge, carrier, user=user), edge.public)
    assert reached(children) is None


def test_a_registrar_is_a_peer_while_it_has_a_registered_line(edge, child, children, talkers):
    carrier = talkers("127.0.0.64")
    for user in ("first", "second", "first"):
        register(edge, child, carrier, user=user)
    for user in ("second", "first"):
        carrier.send(invite(edge, carrier, user="+33999"), edge.public)
        refuse_politely(reached(children), children)
        give_up(edge, child, carrier, user)
    fresh(children)
    carrier.send(invite(edge, carrier, user="+33999"), edge.public)
    assert reached(children) is None


@pytest.mark.deep
def test_a_registrar_stops_being_a_peer_when_the_line_expires(edges, child, children, talkers):
    edge = edges(line_grace_s=1)
    carrier = talkers("127.0.0.65")
    register(edge, child, carrier, expires=1, granted=9999999)
    carrier.send(invite(edge, carrier, user="+33999"), edge.public)
    refuse_politely(reached(children), children)
    time.sleep(8)  # the edge looks every 5 s
    fresh(children)
    carrier.send(invite(edge, carrier, user="+33999"), edge.public)
    assert reached(children) is None


def test_a_trunk_that_registers_elsewhere_loses_its_former_line(edge, children, talkers):
    old, new = talkers("127.0.0.66"), talkers("127.0.0.67")
    first, _ = register(edge, children[0], old, user="moved-1", trunk=TRUNK.format("moved"))
    register(edge, children[1], new, user="moved-2", trunk=TRUNK.format("moved"))
    fresh(children)
    for uri in (contact_of(first), edge.uri("+33999")):
        calls(edge, old, 1, uri)
    assert reached(children) is None
    calls(edge, new, 1)
    refuse_politely(reached(children), children)


# ---- whose ----


def test_a_registrar_cannot_call_an_account_of_another_registrar(edge, children, talkers):
    """A registrar of one's own is a peer, and knows the name of another's account."""
    victim, thief = talkers("127.0.0.68"), talkers("127.0.0.69")
    register(edge, children[0], victim, user="vera", trunk=TRUNK.format("v"))
    register(edge, children[1], thief, user="theo", trunk=TRUNK.format("t"))
    fresh(children)
    thief.send(invite(edge, thief, user="vera"), edge.public)
    got = children[1].expect("INVITE")  # its own child: the gateway finds out that it is for nobody
    assert not got.all("X-Chamade-Trunk")
    refuse_politely(got, children)
    victim.send(invite(edge, victim, user="vera"), edge.public)
    got = children[0].expect("INVITE")
    assert got["X-Chamade-Trunk"] == "trunk_v"
    refuse_politely(got, children)


def test_only_a_listed_source_is_marked_as_a_peer(edge, child, children, talkers):
    carrier, listed = talkers("127.0.0.70"), talkers(PEER)
    register(edge, child, carrier, user="nora")
    fresh(children)
    for talker, listed_ in ((carrier, []), (listed, ["yes"])):
        text = invite(edge, talker, user="+33999", extra=["X-Chamade-Peer: yes"])
        talker.send(text, edge.public)
        got = reached(children)
        assert got.all("X-Chamade-Peer") == listed_
        refuse_politely(got, children)
        talker.expect(486)


# ---- what it costs others ----


def test_calls_without_a_trunk_do_not_use_the_budget_of_trunks(edges, children, talkers):
    edge = edges(invites_per_s=10, invites_without_trunk_s=2)
    carrier, peer = talkers("127.0.0.71"), talkers(PEER)
    seen, _ = register(edge, children[0], carrier, trunk=TRUNK.format("a"))
    window_begins()
    calls(edge, peer, 60)
    calls(edge, carrier, 8, contact_of(seen))
    found = sources(children)
    assert found[carrier.at] == 8
    assert found[peer.at] == 4
    assert peer.expect(503)["Retry-After"]
    edge.wait_logged("more than 2 calls a second without a trunk")


def test_a_flood_on_one_trunk_does_not_use_another_trunk_s_budget(edges, children, talkers):
    edge = edges(invites_per_s=10, invites_per_trunk_s=3, invites_per_source_s=1)
    carrier = talkers("127.0.0.72")
    flooded, _ = register(edge, children[0], carrier, user="loud", trunk=TRUNK.format("loud"))
    quiet, _ = register(edge, children[1], carrier, user="quiet", trunk=TRUNK.format("quiet"))
    window_begins()
    calls(edge, carrier, 60, contact_of(flooded))
    calls(edge, carrier, 5, contact_of(quiet))
    time.sleep(0.8)
    got = [{m["Call-ID"] for m in c.everything if m.method == "INVITE"} for c in children]
    assert len(got[0]) == 6
    assert len(got[1]) == 5
    edge.wait_logged("more than 3 calls a second of one trunk")


def test_a_registrar_s_calls_without_a_trunk_count_against_one_trunk_s_budget(
    edges, children, talkers
):
    edge = edges(invites_per_s=10, invites_per_trunk_s=3)
    greedy, carrier = talkers("127.0.0.73"), talkers("127.0.0.74")
    register(edge, children[0], greedy, user="greedy", trunk=TRUNK.format("g"))
    seen, _ = register(edge, children[1], carrier, user="modest", trunk=TRUNK.format("m"))
    window_begins()
    calls(edge, greedy, 60)
    calls(edge, carrier, 5, contact_of(seen))
    found = sources(children)
    assert found[greedy.at] == 6
    assert found[carrier.at] == 5


@pytest.mark.deep
def test_a_limit_holds_in_every_window_of_a_long_flood(edges, children, talkers):
    edge = edges(invites_without_trunk_s=2)
    peer = talkers(PEER)
    until = time.monotonic() + 7
    while time.monotonic() < until:
        calls(edge, peer, 3)
        time.sleep(0.05)
    assert 12 <= sources(children)[peer.at] <= 20  # four or five windows of two seconds


@pytest.mark.deep
def test_log_lines_of_forged_sources_are_bounded(edges, children, talkers):
    edge = edges()
    for port in range(150):
        liar = talkers(f"127.0.1.{port + 1}")
        liar.send("SIP/2.0 200 OK\r\n" + invite(edge, liar).partition("\r\n")[2], edge.public)
    edge.wait_logged("more than 20 sources a second, not all are logged")
    lines = [line for line in edge.text().splitlines() if "dropped: why=" in line]
    assert 40 <= len(lines) <= 100
