"""Tests of the networks from which trunks take calls: who tells them, who is let in, how long."""

import shutil
import time

import pytest

from gateway.edge.render import NETWORKS_OF_A_MESSAGE
from tests.sip.edge.talk import is_forbidden, is_let_in, outside_names_nothing_inside, tell
from tests.sip.edge_messages import reply, request, sdp, within, within_called
from tests.sip.edge_talkers import PUBLIC

pytestmark = pytest.mark.skipif(not shutil.which("kamailio"), reason="kamailio is not installed")


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
