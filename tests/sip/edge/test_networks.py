"""Tests of the networks from which trunks take calls: who is let in, how long, at whose cost."""

import re
import shutil
import time

import pytest

from gateway.edge.render import NETWORKS_OF_A_MESSAGE
from tests.sip.edge.talk import (
    invite,
    outside_names_nothing_inside,
    reached,
    refuse_politely,
    register,
    tell,
)
from tests.sip.edge_messages import reply, request, sdp, within, within_called
from tests.sip.edge_talkers import PEER, PUBLIC
from tests.sip.test_edge_limits import window_begins

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")


def is_let_in(edge, talker, children, **options):
    """Send an INVITE; return what a child got, which is refused, or None."""
    for child in children:
        child.forget()
        child.everything.clear()
    talker.send(invite(edge, talker, **options), edge.public)
    if (got := reached(children)) is not None:
        refuse_politely(got, children)
    return got


def is_forbidden(edge, talker, children, **options):
    before = len(talker.everything)
    if is_let_in(edge, talker, children, **options) is not None:
        return False
    return 403 in [message.status for message in talker.everything[before:]]


def calls_of(children, talker, settle=0.8):
    """Count the calls of a talker that came to the children."""
    time.sleep(settle)
    invites = [m for child in children for m in child.everything if m.method == "INVITE"]
    return len({m["Call-ID"] for m in invites if m["X-Chamade-Source"] == talker.at})


def flood(edge, talker, count):
    for _ in range(count):
        talker.send(invite(edge, talker), edge.public)


# ---- who is let in ----


def test_a_call_from_a_network_that_a_child_has_told_comes_in_with_its_source(
    edge, child, children, talkers
):
    carrier = talkers("127.0.4.10")
    assert is_forbidden(edge, carrier, children)
    tell(edge, child, "127.0.4.0/28")
    got = is_let_in(edge, carrier, children)
    assert got["X-Chamade-Source"] == carrier.at
    assert not got.all("X-Chamade-Trunk")
    assert not got.all("X-Chamade-Peer")


@pytest.mark.parametrize(
    "case",
    [
        ("127.1.16.0/20", "127.1.31.254", "127.1.32.1"),
        ("127.1.48.0/21", "127.1.55.1", "127.1.56.1"),
        ("127.1.64.0/22", "127.1.67.1", "127.1.68.1"),
        ("127.1.80.0/23", "127.1.81.1", "127.1.82.1"),
        ("127.1.96.0/24", "127.1.96.254", "127.1.97.1"),
        ("127.1.97.128/25", "127.1.97.129", "127.1.97.127"),
        ("127.1.98.64/26", "127.1.98.126", "127.1.98.128"),
        ("127.1.99.32/27", "127.1.99.63", "127.1.99.64"),
        ("127.1.100.16/28", "127.1.100.31", "127.1.100.15"),
        ("127.1.101.8/29", "127.1.101.8", "127.1.101.7"),
        ("127.1.102.4/30", "127.1.102.7", "127.1.102.8"),
        ("127.1.103.2/31", "127.1.103.3", "127.1.103.1"),
        ("127.1.104.255/32", "127.1.104.255", "127.1.104.254"),
    ],
)
def test_a_network_of_any_length_lets_its_addresses_in_and_no_other(
    edge, child, children, talkers, case
):
    network, inside, outside = case
    tell(edge, child, network)
    assert is_let_in(edge, talkers(inside), children)
    assert is_forbidden(edge, talkers(outside), children)


@pytest.mark.parametrize("network", ["0.0.0.0/0", "127.0.0.0/8", "127.2.0.0/16", "127.2.0.0/19"])
def test_a_network_wider_than_allowed_lets_nobody_in(edge, child, children, talkers, network):
    tell(edge, child, network)
    assert is_forbidden(edge, talkers("127.2.0.1"), children)


def test_our_own_addresses_are_in_no_trunks_network(edges, child, children, talkers):
    edge = edges()
    tell(edge, child, "127.0.0.0/20")
    assert is_forbidden(edge, talkers(PUBLIC), children)
    assert is_let_in(edge, talkers("127.0.0.88"), children)


def test_private_addresses_are_in_no_trunks_network_unless_they_are_allowed(
    edges, child, children, talkers
):
    strict = edges(allow_private="no")
    tell(strict, child, "127.0.5.0/24")
    assert is_forbidden(strict, talkers("127.0.5.1"), children, body=sdp("198.51.100.7"))


def test_a_child_tells_many_networks_in_one_message_and_only_so_many_count(
    edge, child, children, talkers
):
    networks = [f"127.3.{n}.0/24" for n in range(NETWORKS_OF_A_MESSAGE + 1)]
    tell(edge, child, *networks)
    assert is_let_in(edge, talkers("127.3.0.1"), children)
    assert is_let_in(edge, talkers(f"127.3.{NETWORKS_OF_A_MESSAGE - 1}.1"), children)
    assert is_forbidden(edge, talkers(f"127.3.{NETWORKS_OF_A_MESSAGE}.1"), children)


# ---- who may tell ----


def test_nobody_outside_can_tell_a_network(edge, children, talkers):
    liar = talkers("127.0.6.1")
    for uri in (f"sip:networks@{PUBLIC}:{edge.port}", f"sip:networks@127.0.0.1:{edge.inside[1]}"):
        extra = ["Expires: 90", "X-Chamade-Networks: 127.0.6.0/24"]
        liar.send(request("OPTIONS", uri, liar, extra=extra), edge.public)
        liar.expect(200)
    liar.forget()
    assert is_forbidden(edge, liar, children)


def test_only_a_child_can_tell_a_network_on_this_machine(edge, children, talkers):
    liar, neighbour = talkers("127.0.6.1"), talkers("127.0.0.1")
    extra = ["Expires: 90", "X-Chamade-Networks: 127.0.6.0/24"]
    uri = f"sip:networks@127.0.0.1:{edge.inside[1]}"
    neighbour.send(request("OPTIONS", uri, neighbour, extra=extra), edge.inside)
    edge.wait_logged(f"not from a child: source={neighbour.at}")
    assert is_forbidden(edge, liar, children)


def test_headers_of_ours_that_a_carrier_writes_itself_do_not_pass(edge, child, children, talkers):
    tell(edge, child, "127.0.7.0/24")
    carrier = talkers("127.0.7.1")
    lies = [
        "X-Chamade-Source: 192.0.2.1:5060",
        "X-Chamade-Request-URI: sip:victim@192.0.2.1",
        "X-Chamade-Trunk: trunk_victim",
        "X-Chamade-Peer: yes",
        "X-Chamade-Networks: 0.0.0.0/0",
    ]
    for text in (lies, [line.lower() for line in lies], [line.replace(":", " :") for line in lies]):
        got = is_let_in(edge, carrier, children, extra=text)
        assert got.all("X-Chamade-Source") == [carrier.at]
        assert got.all("X-Chamade-Request-URI") == [edge.uri("+33123456789")]
        assert not any(got.all(f"X-Chamade-{name}") for name in ("Trunk", "Peer", "Networks"))


# ---- for how long, and of which child ----


def test_a_network_that_is_told_no_more_is_a_strangers_again(edge, child, children, talkers):
    carrier = talkers("127.0.8.1")
    tell(edge, child, "127.0.8.0/24", seconds=2)
    assert is_let_in(edge, carrier, children)
    time.sleep(3)
    assert is_forbidden(edge, carrier, children)


def test_a_childs_list_adds_to_the_other_childs(edge, children, talkers):
    first, second = talkers("127.0.9.1"), talkers("127.0.10.1")
    tell(edge, children[0], "127.0.9.0/24")
    tell(edge, children[1], "127.0.10.0/24")
    tell(edge, children[0])
    assert is_let_in(edge, first, children)
    assert is_let_in(edge, second, children)


def test_a_call_goes_to_a_child_that_knows_its_network(edge, children, talkers):
    carrier = talkers("127.0.11.1")
    tell(edge, children[1], "127.0.11.0/24")
    for _ in range(4):
        assert is_let_in(edge, carrier, children) in children[1].everything
    tell(edge, children[0], "127.0.11.0/24")
    turns = [is_let_in(edge, carrier, children) in children[0].everything for _ in range(4)]
    assert turns in ([True, False] * 2, [False, True] * 2)


def test_networks_are_told_again_after_a_restart_of_the_edge(edges, child, children, talkers):
    carrier = talkers("127.0.12.1")
    first = edges()
    tell(first, child, "127.0.12.0/24")
    assert is_let_in(first, carrier, children)
    second = edges()
    assert is_forbidden(second, carrier, children)
    tell(second, child, "127.0.12.0/24")
    assert is_let_in(second, carrier, children)


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


# ---- dials without a registration ----


def hop(edge, carrier):
    at = f"sip:127.0.0.1:{edge.inside[1]};transport=udp"
    return f"<{at};hop={carrier.at};via=udp;trunk=trunk_n;lr>"


def test_a_ping_reaches_the_carrier_and_its_answer_the_child(edge, child, talkers):
    carrier = talkers("127.0.41.1")
    ping = request("OPTIONS", f"sip:{carrier.ip}", child, routes=[hop(edge, carrier)])
    child.send(ping, edge.inside)
    got = carrier.expect("OPTIONS")
    assert not got.all("Route")
    carrier.send(reply(got, 404), got.source)
    child.expect(404)
    outside_names_nothing_inside(carrier)


def test_a_call_is_dialled_without_a_registration_and_the_carrier_ends_it(edge, child, talkers):
    carrier = talkers("127.0.42.1")
    text = request(
        "INVITE", "sip:+33199001234@carrier.example", child,
        routes=[hop(edge, carrier)], body=sdp("127.0.0.1", 40006),
    )  # fmt: skip
    child.send(text, edge.inside)
    got = carrier.expect("INVITE")
    ok = reply(got, 200, contact=f"<sip:c@{carrier.at}>", body=sdp(carrier.ip))
    carrier.send(ok, got.source)
    answer = child.expect(200)
    child.send(within("ACK", answer, child, cseq=1), edge.inside)
    carrier.expect("ACK")
    for method in ("OPTIONS", "BYE"):
        carrier.send(within_called(method, got, carrier, cseq=7), edge.public)
        if method == "OPTIONS":
            carrier.expect(200)
            continue
        bye = child.expect("BYE")
        child.send(reply(bye, 200), bye.source)
        carrier.expect(200)
    outside_names_nothing_inside(carrier)
