"""Tests of sources in trunks' networks: they may call and nothing else, at no other's cost."""

import re
import shutil
import time

import pytest

from tests.sip.edge.talk import invite, is_closed, is_let_in, reached, register, tell
from tests.sip.edge_messages import request, sdp
from tests.sip.edge_talkers import PEER
from tests.sip.test_edge_limits import window_begins

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")


def over_tcp(text):
    return text.replace("SIP/2.0/UDP", "SIP/2.0/TCP").encode()


def calls_of(children, talker, settle=0.8):
    """Count the calls of a talker that came to the children."""
    time.sleep(settle)
    invites = [m for child in children for m in child.everything if m.method == "INVITE"]
    return len({m["Call-ID"] for m in invites if m["X-Chamade-Source"] == talker.at})


def flood(edge, talker, count):
    for _ in range(count):
        talker.send(invite(edge, talker), edge.public)


# ---- no more than a registrar ----


def test_a_source_in_a_network_is_not_banned_and_not_counted_as_a_stranger(
    edges, child, children, talkers
):
    edge = edges(requests_per_s=2, strangers_per_s=2)
    carrier = talkers("127.0.13.1")
    tell(edge, child, "127.0.13.0/24")
    for _ in range(60):
        carrier.send(request("OPTIONS", edge.uri("ping"), carrier), edge.public)
        carrier.expect(200)
    assert is_let_in(edge, carrier, children)


def test_requests_beyond_a_networks_limit_are_dropped_and_others_are_not(
    edges, child, children, talkers
):
    edge = edges(requests_per_network_s=4)
    tell(edge, child, "127.0.43.0/24", "127.0.44.0/24")
    many = [talkers(f"127.0.43.{n}") for n in range(1, 11)]
    other = talkers("127.0.44.1")
    time.sleep(5.02 - time.time() % 5)  # a window begins
    for each in many * 6:
        each.send(request("OPTIONS", edge.uri("ping"), each), edge.public)
    edge.wait_logged("more than 4 requests a second of one network")
    assert is_let_in(edge, other, children)
    assert sum(m.status == 200 for each in many for m in each.everything) == 20
    time.sleep(5.02 - time.time() % 5)
    assert is_let_in(edge, many[0], children)  # nobody is banned


@pytest.mark.parametrize("method", ["REGISTER", "MESSAGE", "SUBSCRIBE", "REFER", "NOTIFY"])
def test_a_source_in_a_network_may_do_nothing_but_call(edge, child, children, talkers, method):
    carrier = talkers("127.0.14.1")
    tell(edge, child, "127.0.14.0/24")
    carrier.send(request(method, edge.uri("x"), carrier), edge.public)
    carrier.expect(405)
    carrier.send(request("BYE", edge.uri("x"), carrier), edge.public)
    carrier.expect(481)
    carrier.send(invite(edge, carrier, body=sdp("127.0.14.1").replace("PCMU", "G729")
                        .replace("AVP 0", "AVP 18")), edge.public)  # fmt: skip
    carrier.expect(488)
    assert reached(children) is None


def test_a_connection_from_a_network_is_kept_for_a_call_and_for_nothing_else(
    edges, child, connected
):
    edge = edges(stranger_connection_s=2)
    tell(edge, child, "127.0.45.0/24")
    asking, calling = connected(edge, "127.0.45.1", 2)

    class By:
        at = "{}:{}".format(*calling.getsockname())
        ip, user, domain = "127.0.45.1", "x", "x.example"

    asking.sendall(over_tcp(request("OPTIONS", edge.uri("x"), By)))
    assert asking.recv(65536).startswith(b"SIP/2.0 200")
    calling.sendall(over_tcp(invite(edge, By)))
    child.expect("INVITE")
    assert is_closed(asking, 8.0)
    calling.recv(65536)
    assert not is_closed(calling, 2.5)


# ---- at whose cost ----


def test_a_flood_of_one_network_uses_up_no_other_networks_and_no_trunks_budget(
    edges, children, talkers
):
    edge = edges(
        invites_per_network_s=3, invites_of_networks_s=10, invites_per_s=3, invites_per_trunk_s=3
    )
    greedy, modest, registrar = (talkers(f"127.0.{n}.1") for n in (15, 16, 17))
    tell(edge, children[0], "127.0.15.0/24", "127.0.16.0/24")
    seen, _ = register(edge, children[1], registrar, trunk=";trunk=trunk_r")
    contact = re.search("<(.*?)>", seen["Contact"])[1]
    window_begins()
    flood(edge, greedy, 60)
    flood(edge, modest, 5)
    for _ in range(5):
        registrar.send(request("INVITE", contact, registrar, body=sdp(registrar.ip)), edge.public)
    assert [calls_of(children, each) for each in (greedy, modest, registrar)] == [6, 5, 5]
    assert greedy.expect(503)["Retry-After"]
    edge.wait_logged("more than 3 calls a second of one network")


def test_the_addresses_of_a_network_share_its_budget(edges, children, talkers):
    edge = edges(invites_per_network_s=3)
    many = [talkers(f"127.0.18.{n}") for n in range(1, 21)]
    tell(edge, children[0], "127.0.18.0/24")
    window_begins()
    for each in many:
        flood(edge, each, 2)
    time.sleep(0.8)
    assert sum(calls_of(children, each, settle=0) for each in many) == 6


def test_calls_of_all_networks_are_bounded_and_take_nothing_from_trunks(edges, children, talkers):
    edge = edges(invites_of_networks_s=4, invites_per_s=3)
    many = [talkers(f"127.0.{n}.1") for n in range(20, 40)]
    registrar = talkers("127.0.19.1")
    tell(edge, children[0], *(f"127.0.{n}.0/24" for n in range(20, 40)))
    register(edge, children[1], registrar)
    window_begins()
    for each in many:
        flood(edge, each, 2)
    flood(edge, registrar, 5)
    assert calls_of(children, registrar) == 5
    assert sum(calls_of(children, each, settle=0) for each in many) == 8
    edge.wait_logged("more than 4 calls a second of all networks")


def test_a_source_in_edge_peers_is_a_listed_peer_whatever_networks_hold_it(
    edge, child, children, talkers
):
    peer = talkers(PEER)
    tell(edge, child, f"{PEER}/32", seconds=3)
    assert is_let_in(edge, peer, children)["X-Chamade-Peer"] == "yes"
